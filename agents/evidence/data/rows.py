"""The rows of a text that is data: of tables and logs, objects of JSON, elements of XML, settings.

Pure. A row says its parts in any order and without a verb, so a sentence about it is judged by
`agents.evidence.data.row_verdict`: by which cells it names and which values it gives them. Rows are
told by their form, not by the name of a file: a table may stand in any document, and a passage may
begin in the midst of one.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.evidence.data.cells import Cell, DataRow
from agents.evidence.data.nested_rows import json_rows, xml_rows
from agents.evidence.sentences import Place, Span

_TABLE_WORDS_MAX = 6
"""Words of a cell, on average, and of each where a table has only two columns: half of it."""
_COLUMNS = 3
_LINES_MIN = 2
_VALUE_WORDS_MAX = 4
"""More are prose, as below 'Args:' in a docstring."""
_SETTINGS_SHARE = 0.6
_SETTINGS_MIN = 2
_DELIMITERS = "\t;|,"
_LOGGED = re.compile(
    r"[^\w\s]?(?:\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d"
    r"|\d{1,2}[-/. ]\w{2,3}[-/. ]\d{2,4}[ :]+\d\d:\d\d"
    r"|\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d|[IWEF]\d{4} \d\d:\d\d"
    r"|(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|TRACE)(?:\W| .*\d\d:\d\d))"
    r"|\S{3,60} \S{1,60} \S{1,60} \[\d"
)
"""Begins a line of a log: a time, a level, or the address of an access log."""
_PIPED = re.compile(r"\s{0,3}\|.*\|\s*$")
_RULE = re.compile(r"(?=[^-]{0,80}-)[\s|:+=-]+$")
_SETTING = re.compile(
    r"(?P<indent>\s*)(?P<item>- )?(?:export |set |--)?(?P<q>[\"'`]?)"
    r"(?P<name>[^\W\d](?:[\w./ -]{0,60}?[\w])?)(?P=q)\s*(?::=|=>|=(?!=)|:(?=\s))\s*(?P<value>\S.*)$"
)
_PARENT = re.compile(r"(?P<indent>\s*)(?P<item>- )?[\"']?(?P<name>[^\W\d][\w./-]{0,60})[\"']?:\s*$")
_SECTION = re.compile(r"\s*\[{1,2}\s*(?P<name>[^\[\]]{1,80}?)\s*\]{1,2}\s*$")
_PAIR = re.compile(r"(?<![\w.])([^\W\d][\w.]*)=(\"[^\"]*\"|[^\s,;]+)")
_PAIRS_MIN = 2
_BEHIND = re.compile(r"(?<!\s)\s+#.*$")
"""A remark behind a value; begun at any of many blanks it would take their square."""
_REMARK = re.compile(r"\s*(?:#|;|//|--(?!\w))")
_JSON_KEY = re.compile(r'"[^"\n]{0,80}"\s*:')
_KEYS_MIN = 2
_MARKUP = re.compile(r"\s*(?:</?[^\W\d]|<[?!])|.*>\s*$|\s*[\w:.-]{1,80}=[\"'][^\"']*[\"']\s*$")
"""A line of XML: it begins or ends with a tag, or is an attribute."""
_OPENED = re.compile(r"\s*<[^\W\d][\w.:-]*(?:\s|/?>|$)")
_MARKUP_SHARE = 0.7
_TAGS = re.compile(r"(?:</?[^\W\d][^<>]*>\s*)+")
"""Tags without a value, which belong to the rows in them."""


@dataclass(frozen=True, slots=True)
class _TextLine:
    start: int
    text: str


def rows_of(text: str, titles: Sequence[str], language: str) -> list[DataRow]:
    """Return the rows of a passage in their order.

    Args:
        text: the passage.
        titles: what stands above it; the head of a large table may be among them.
        language: of its words.
    """
    if len(_JSON_KEY.findall(text)) >= _KEYS_MIN and text.lstrip()[:1] in '{["}]':
        return json_rows(text, language)
    found: list[DataRow] = []
    for block in _blocks(text):
        found += _block_rows(block, titles, language)
    return found


@dataclass(frozen=True, slots=True)
class Data:
    """The rows of passages, and the units of their texts that rows stand in."""

    rows: Mapping[int, list[DataRow]]
    """By the position of their passage."""
    units: frozenset[int]
    """Positions of the units that are parts of rows, or heads above them."""
    _ends: Mapping[int, tuple[int, list[int]]]
    """Of each passage the position of its first unit, and where its units end."""

    @classmethod
    def of(
        cls,
        texts: Sequence[tuple[str, str]],
        languages: Sequence[str],
        units: Sequence[tuple[int, Span]],
    ) -> Data:
        """Find the rows of passages.

        Args:
            texts: each with its titles, parted by ' > '.
            languages: of each.
            units: of each sentence or line of them, in order, its passage and its place there.
        """
        rows = {
            source: found
            for source, (text, title) in enumerate(texts)
            if (found := rows_of(text, title.split(" > "), languages[source]))
        }
        ends: dict[int, tuple[int, list[int]]] = {}
        for at, (source, span) in enumerate(units):
            ends.setdefault(source, (at, []))[1].append(span.end)
        bare = cls(rows, frozenset(), ends)
        placed = {
            at
            for source, found in rows.items()
            for row in found
            for at in bare.units_of(source, row.cells)
        }
        heads = (
            at
            for at, (source, span) in enumerate(units)
            if source in rows
            and (span.place is Place.ROW or _TAGS.fullmatch(texts[source][0], span.start, span.end))
        )
        return cls(rows, frozenset(placed.union(heads)), ends)

    def units_of(self, source: int, cells: Iterable[Cell]) -> tuple[int, ...]:
        """Return the units of a passage that cells stand in, in their order."""
        first, ends = self._ends.get(source, (0, []))
        found = {bisect_right(ends, cell.start) for cell in cells}
        return tuple(sorted(first + at for at in found if at < len(ends)))


def _blocks(text: str) -> Iterator[list[_TextLine]]:
    """Yield runs of lines that may be one table, log, list of settings or XML.

    A blank line ends all but settings and XML, whose parts have blank lines between them.
    """
    block: list[_TextLine] = []
    start = 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        is_fence = bare.lstrip().startswith(("```", "~~~"))
        if not bare.strip() or is_fence:
            is_between = block and not is_fence and _may_go_on(block[-1].text)
            if block and not is_between:
                yield block
                block = []
        else:
            block.append(_TextLine(start, bare))
        start += len(line)
    if block:
        yield block


def _may_go_on(line: str) -> bool:
    return _is_setting(line) or (line.lstrip()[:1] == "<" and line.rstrip()[-1:] == ">")


def _block_rows(block: list[_TextLine], titles: Sequence[str], language: str) -> list[DataRow]:
    piped = [line for line in block if _PIPED.match(line.text)]
    if piped:
        return _piped(piped, language)
    logged = [line for line in block if _LOGGED.match(line.text)]
    if logged:
        return [_plain(line, language) for line in logged]
    if _is_markup(block):
        return xml_rows(_joined(block), block[0].start, language)
    settings = [line.text for line in block if _is_setting(line.text)]
    valued = sum(bool(_SETTING.match(text)) for text in settings)
    remarks = sum(bool(_REMARK.match(line.text)) for line in block)
    if valued >= _SETTINGS_MIN and len(settings) >= _SETTINGS_SHARE * (len(block) - remarks):
        return [_settings(block, language)]
    table = _parted(block, titles, language)
    if table:
        return table
    paired = (line for line in block if _is_paired(line.text))
    return [_plain(line, language) for line in paired]


def _is_markup(block: Sequence[_TextLine]) -> bool:
    marked = sum(bool(_MARKUP.match(line.text)) for line in block)
    return marked >= _MARKUP_SHARE * len(block) and any(_OPENED.match(line.text) for line in block)


def _joined(block: Sequence[_TextLine]) -> str:
    """Return the lines as one text, each where it stands behind the first."""
    ends = [*(line.start for line in block[1:]), block[-1].start + len(block[-1].text)]
    return "".join(
        line.text.ljust(end - line.start, "\n") for line, end in zip(block, ends, strict=True)
    )


def _plain(line: _TextLine, language: str) -> DataRow:
    """Return the row of a line whose words have no names but those of its pairs."""
    cells = [
        Cell.of(pair.group(1), pair.group(2), line.start + pair.start(), language)
        for pair in _PAIR.finditer(line.text)
    ]
    rest = _PAIR.sub(" ", line.text)
    return DataRow.of([Cell.of("", rest, line.start, language), *cells])


def _piped(lines: list[_TextLine], language: str) -> list[DataRow]:
    """Return the rows of a table of Markdown, without its head where it has one."""
    split = [re.split(r"(?<!\\)\|", line.text.strip().strip("|")) for line in lines]
    ruled = next((at for at, line in enumerate(lines) if _RULE.match(line.text)), 0)
    heads = split[ruled - 1] if ruled else []
    return [
        _table_row(line, cells, heads, language)
        for line, cells in list(zip(lines, split, strict=True))[ruled + 1 if ruled else 0 :]
        if not _RULE.match(line.text)
    ]


def _table_row(
    line: _TextLine, cells: Sequence[str], heads: Sequence[str], language: str
) -> DataRow:
    names = [*heads, *[""] * len(cells)]
    named = zip(names, cells, strict=False)
    return DataRow.of([Cell.of(name, value, line.start, language) for name, value in named])


def _parted(block: list[_TextLine], titles: Sequence[str], language: str) -> list[DataRow]:
    """Return the rows of lines whose cells are parted by one mark; its head may be a title."""
    for mark in _DELIMITERS:
        if mark not in block[0].text:
            continue
        split = [_parts(line.text, mark) for line in block]
        width = len(split[0])
        if width < 2 or any(len(cells) != width for cells in split):  # noqa: PLR2004 - a table has two
            continue
        above = [_parts(each, mark) for each in titles if mark in each]
        heads = next((cells for cells in above if len(cells) == width), [])
        if not heads and not _is_table(split, mark):
            continue
        begins = [cell.strip() for cell in split[0]]
        if not heads and not any(cell.replace(".", "").isdigit() for cell in begins):
            heads = begins
        is_head = begins == [cell.strip() for cell in heads]
        lines = list(zip(block, split, strict=True))[1 if is_head else 0 :]
        return [_table_row(line, cells, heads, language) for line, cells in lines]
    return []


def _is_table(split: Sequence[Sequence[str]], mark: str) -> bool:
    """Say whether lines with as many marks each are a table and no prose with commas."""
    lengths = [len(cell.split()) for cells in split for cell in cells]
    is_short = sum(lengths) <= _TABLE_WORDS_MAX * len(lengths)
    if len(split[0]) < _COLUMNS:
        is_short = max(lengths) <= _TABLE_WORDS_MAX // 2 and mark != "|"
    is_spaced = mark == "," and all(cell[:1] == " " for cells in split for cell in cells[1:])
    return is_short and len(split) >= _LINES_MIN + is_spaced


def _parts(line: str, mark: str) -> list[str]:
    """Return the cells of a line, in quotes or not; what is no table has one."""
    try:
        return next(csv.reader([line], delimiter=mark), [line])
    except csv.Error:  # A line break within it, or a cell beyond the reader's own limit.
        return [line]


def _is_setting(line: str) -> bool:
    if _SECTION.match(line) or _PARENT.match(line):
        return True
    found = _SETTING.match(line)
    return found is not None and (
        found.group("value")[:1] in "\"'[{" or len(found.group("value").split()) <= _VALUE_WORDS_MAX
    )


def _is_paired(line: str) -> bool:
    """Say whether a line has pairs such as `loss=0.2` that are no arguments of a call."""
    return "(" not in line and len(_PAIR.findall(line)) >= _PAIRS_MIN


def _settings(block: list[_TextLine], language: str) -> DataRow:
    """Return the settings of a text as one row: what they are part of is in their names."""
    section = ""
    above: list[tuple[int, str]] = []
    cells: list[Cell] = []
    for line in block:
        if found := _SECTION.match(line.text):
            section, above = found.group("name"), []
            continue
        found = _SETTING.match(line.text) or _PARENT.match(line.text)
        if found is None:
            continue
        depth = len(found.group("indent")) + len(found.group("item") or "")
        # An item ends the one before it, and stands below a key no further in.
        last = len(found.group("indent")) if found.group("item") else depth - 1
        above = [(at, name) for at, name in above if at <= last]
        path = " ".join([section, *(name for _, name in above)])
        if "value" in found.groupdict():
            value = _BEHIND.sub("", found.group("value"))
            cells.append(Cell.of(f"{path} {found.group('name')}", value, line.start, language))
            if found.group("item"):
                # An item of a list is called by its first value, and the rest of it by that too.
                above.append((depth - 1, value))
        else:
            above.append((depth, found.group("name")))
    return DataRow.of(cells)
