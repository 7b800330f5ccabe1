"""The rows of JSON and XML: objects and elements, with what they are part of.

Pure; used by `agents.evidence.data.rows`. An object of a list, and an element that is there several
times, is a row of its own; one that is there once is a part of the row around it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape

from agents.evidence.data.cells import Cell, DataRow
from agents.evidence.words import words

_JSON = re.compile(r'"(?:[^"\\\n]|\\.){0,4000}"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_NAME = r"[^\W\d][\w.:-]{0,80}"
_XML = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<[?!][^<>]{0,400}>"
    rf"|</\s{{0,9}}(?P<closed>{_NAME})\s{{0,9}}>"
    rf"|<(?P<opened>{_NAME})(?P<given>(?:\s{{1,99}}{_NAME}=(?:\"[^\"<]*\"|'[^'<]*'))*)"
    r"\s{0,99}(?P<empty>/?)>|(?P<text>[^<]+)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rf"(?P<name>{_NAME})=(?P<q>[\"'])(?P<value>.*?)(?P=q)", re.DOTALL)
_HTML = frozenset(
    ("html", "body", "div", "span", "p", "br", "table", "tr", "td", "ul", "ol", "li", "img")
)
"""Elements that arrange a page and name nothing."""
_DEPTH_MAX = 40
"""Elements within each other that are told apart: all their names would take the square of it."""
_TEXT_WORDS_MAX = 12
"""More are prose, which its own sentences back."""


def json_rows(text: str, language: str) -> list[DataRow]:
    """Return the objects of JSON that stand in a list or alone; those that are values are parts.

    Args:
        text: the whole or a part of it, or an object a line.
        language: of its words.
    """
    return _Json(language).rows(text)


def xml_rows(text: str, start: int, language: str) -> list[DataRow]:
    """Return the elements of XML that have attributes or parts; none of HTML.

    Args:
        text: the whole or a part of it, which may begin within an element.
        start: where it stands in its passage.
        language: of its words.
    """
    root = _read(text, start)
    if any(each.name in _HTML for each in root.below()):
        return []
    return list(_Records(root, language).rows())


@dataclass
class _OpenJson:
    """An object or a list that isn't closed yet."""

    is_list: bool
    path: str
    key: str = ""
    own: list[Cell] = field(default_factory=list)


class _Json:
    """Reads the objects of JSON, also of a part of one, and of one a line."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._found: list[DataRow] = []
        self._open: list[_OpenJson] = [_OpenJson(is_list=True, path="")]

    def rows(self, text: str) -> list[DataRow]:
        """Return the objects that stand in a list or alone; those that are values are parts."""
        tokens = list(_JSON.finditer(text))
        for at, token in enumerate(tokens):
            said = token.group()
            after = tokens[at + 1].group() if at + 1 < len(tokens) else ""
            if not self._open:
                # The passage begins within what is closed here.
                self._open.append(_OpenJson(is_list=True, path=""))
            if said in "{[":
                self._opened(is_list=said == "[")
            elif said in "}]":
                self._closed()
            elif after == ":":
                self._open[-1].key = said.strip('"')
            elif said not in ":,":
                self._valued(said, token.start())
        while self._open:
            self._closed()
        return self._found

    def _opened(self, *, is_list: bool) -> None:
        top = self._open[-1]
        self._open.append(_OpenJson(is_list, f"{top.path} {top.key}" if top.key else top.path))

    def _valued(self, said: str, start: int) -> None:
        top = self._open[-1]
        top.own.append(Cell.of(f"{top.path} {top.key}", said, start, self._language))

    def _closed(self) -> None:
        frame = self._open.pop()
        parent = self._open[-1] if self._open else None
        is_part = parent is not None and not (parent.is_list and not frame.is_list)
        if is_part and parent is not None:
            parent.own += frame.own
        elif frame.own:
            frames = (each.own for each in self._open if not each.is_list)
            outer = (cell for own in frames for cell in own if _may_lend(cell, own))
            self._found.append(DataRow.of([*frame.own, *outer]))


def _may_lend(cell: Cell, cells: Sequence[Cell]) -> bool:
    """Say whether a cell of what is around a row is also said of the row.

    It names what that is a part of; the numbers of the whole, the first one aside, by which it is
    called, and what it affirms and denies are its own.
    """
    return cell is cells[0] or not (cell.is_counted or cell.is_truth)


@dataclass
class _Value:
    """An attribute, or the text of an element."""

    name: str
    text: str
    start: int


@dataclass
class _Element:
    """An element of XML and what stands in it."""

    name: str
    attributes: list[_Value] = field(default_factory=list)
    children: list[_Element] = field(default_factory=list)
    texts: list[_Value] = field(default_factory=list)

    @property
    def has_parts(self) -> bool:
        """Say whether it says more than one value."""
        return bool(self.attributes or self.children)

    @property
    def has_values(self) -> bool:
        """Say whether it says a value itself and not only what is in it."""
        return bool(self.attributes) or any(not each.has_parts for each in self.children)

    def below(self) -> Iterator[_Element]:
        """Yield it and all elements in it."""
        left = [self]
        while left:
            found = left.pop()
            yield found
            left += found.children


def _read(text: str, start: int) -> _Element:
    """Return the elements of a text below one that has no name."""
    opened = [_Element("")]
    wraps = 0
    for token in _XML.finditer(text):
        if token["opened"]:
            found = _Element(token["opened"], _attributes(token, start))
            opened[-1].children.append(found)
            if not token["empty"] and len(opened) < _DEPTH_MAX:
                opened.append(found)
        elif name := token["closed"]:
            last = next((at for at in range(len(opened) - 1, 0, -1) if opened[at].name == name), 0)
            del opened[last or 1 :]
            if not last and wraps < _DEPTH_MAX:
                wraps += 1
                _wrap(opened[0], name)
        elif said := (token["text"] or token["cdata"] or "").strip():
            at = token.start() + token.group().index(said)
            opened[-1].texts.append(_Value("", unescape(said), start + at))
    return opened[0]


def _attributes(token: re.Match[str], start: int) -> list[_Value]:
    return [
        _Value(_local(each["name"]), unescape(each["value"]), start + each.start())
        for each in _ATTRIBUTE.finditer(token.string, *token.span("given"))
        if not each["name"].startswith("xmlns")
    ]


def _wrap(root: _Element, name: str) -> None:
    """Put what was read so far into an element: the text begins within it."""
    root.children = [_Element(name, children=root.children)]
    root.texts = []


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Records:
    """Finds which elements are rows and which are parts of one."""

    def __init__(self, root: _Element, language: str) -> None:
        self._root = root
        self._language = language
        self._repeated = {
            (parent.name, name)
            for parent in root.below()
            for name, count in Counter(each.name for each in parent.children).items()
            if count > 1 or not parent.name
        }

    def rows(self) -> Iterator[DataRow]:
        """Yield the rows in their order, each with what the elements around it say."""
        left: list[tuple[_Element, tuple[str, ...], tuple[tuple[str, Cell], ...]]] = []
        left.append((self._root, (), ()))
        while left:
            element, path, around = left.pop()
            lists: list[tuple[_Element, tuple[str, ...]]] = []
            found = list(self._cells(element, path, lists))
            if found:
                own = {name for name, _ in found}
                outer = (cell for name, cell in around if not name or name not in own)
                yield DataRow.of([*(cell for _, cell in found), *outer])
            lent = around + tuple(self._lent(found, (*path, _local(element.name))))
            left += [(each, way, lent) for each, way in reversed(lists)]

    def _lent(
        self, found: Sequence[tuple[str, Cell]], path: Sequence[str]
    ) -> Iterator[tuple[str, Cell]]:
        """Yield what an element says of those in it: what it is called, whatever they are."""
        cells = [cell for _, cell in found]
        for name, cell in found:
            if name and cell is cells[0]:
                called = Cell.of(" ".join(path), "", 0, self._language).names
                yield "", Cell(called, cell.words, cell.values, cell.start)
            elif name and _may_lend(cell, cells):
                yield name, cell

    def _cells(
        self,
        element: _Element,
        path: tuple[str, ...],
        lists: list[tuple[_Element, tuple[str, ...]]],
    ) -> Iterator[tuple[str, Cell]]:
        """Yield an element's values and those of its parts; what is a row goes to ``lists``.

        Each with its name; without one where it is that of a part of a part.
        """
        top = len(path) + 1
        left = [(element, (*path, _local(element.name)), path)]
        while left:
            part, way, outer = left.pop()
            if part.texts and part.children:
                continue  # Prose with marks in it.
            yield from self._values(part, way, is_direct=len(way) == top)
            # The names of what has values of its own are not theirs: 'the title of the channel'.
            outer = () if part.has_values else (*outer, way[-1])
            parts: list[tuple[_Element, tuple[str, ...], tuple[str, ...]]] = []
            for child in part.children:
                inner = (*way, _local(child.name))
                if child.has_parts and (part.name, child.name) in self._repeated:
                    lists.append((child, outer))
                elif not child.has_parts and len(way) == top:
                    yield from self._values(child, inner, is_direct=True)
                else:
                    parts.append((child, inner, outer))
            left += reversed(parts)

    def _values(
        self, element: _Element, path: Sequence[str], *, is_direct: bool
    ) -> Iterator[tuple[str, Cell]]:
        name = " ".join(path)
        text = " ".join(each.text for each in element.texts)
        for each in element.attributes:
            cell = Cell.of(f"{name} {each.name}", each.text, each.start, self._language)
            if text[:1].isdigit():
                cell = self._behind_number(cell, text, each.text)
            yield (each.name if is_direct else ""), cell
        if text and len(text.split()) <= _TEXT_WORDS_MAX:
            found = Cell.of(name, text, element.texts[0].start, self._language)
            yield (path[-1] if is_direct else ""), found

    def _behind_number(self, cell: Cell, number: str, value: str) -> Cell:
        """Return an attribute of a number as it reads behind it: the 'm' of 855 m are metres."""
        said = words(f"{number} {value}", self._language)
        unit = said[len(words(number, self._language)) :]
        keys = frozenset(word.key for word in unit)
        return Cell(cell.names, unit, keys, cell.start) if unit else cell
