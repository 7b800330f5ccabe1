"""Finds the blocks of HTML: the page without its tags, line for line where it was.

Every tag, comment, script and style is replaced by the line breaks within it, so that lines keep
their numbers; a tag that ends a line of text for the reader and has no line break becomes a space.
The places where something was left out are the page's breaks: between two of them the text stands
in the file as a browser shows it, character references replaced. Where a tag ends is decided as the
HTML standard's tokenizer does, but for what never ends: a browser drops the rest of the file, here
it is text. Called by `cluster.memory.knowledge.chunking.chunks`. Pure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cluster.memory.knowledge.chunking.page import (
    CONTEXT_CHARS,
    Block,
    Layout,
    Listing,
    Outline,
    Page,
)

_INLINE = frozenset(
    re.findall(
        r"\w+",
        """
    a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp
    small span strike strong sub sup time tt u var wbr
""",
    )
)
_CELLS = frozenset({"br", "dd", "dt", "td", "th"})
"""They end a word, not a block."""
_HIDDEN = frozenset({"script", "style", "template", "svg", "iframe", "noembed", "noframes"})
_PLAIN = frozenset({"title", "textarea"})
"""What they hold is text, whatever looks like a tag in it."""
_TITLES = {"title": 0, "h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_NEAR_CHARS = 400
"""How much of the tags right before a listing is asked for its language."""
_SPACE = r"[\t\n\f\r ]"
_TAG_START = re.compile(
    r"<(?:(?P<comment>!--)|(?P<mark>[!?]|/(?=[^a-zA-Z]))"
    r"|(?P<slash>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*))"
)
_XML_DECLARATION = re.compile(r"\s*<\?xml\s")
_COMMENT_END = re.compile(r"--!?>")
_EMPTY_COMMENT = re.compile(r"-?>")
# Possessive: an attribute without its closing quote is a name only, and no other way is tried.
_ATTRIBUTE = re.compile(
    rf"(?:{_SPACE}|/)*+(?:(?P<end>>)"
    rf"|=?[^\t\n\f\r />=]*+{_SPACE}*+"
    rf"(?:={_SPACE}*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+)?+)"
)
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_LEADING_ZEROS = re.compile(r"&#0+(?=[0-9])")
_HUGE_REFERENCE = re.compile(r"&#[0-9]{8,};?")
"""Beyond all characters; `html.unescape` can't convert a number of 4,300 digits."""
_PYTHON_CLASS = re.compile(r"python|pycon|ipython|doctest", re.IGNORECASE)
_OTHER_CLASS = re.compile(r"(?:language|highlight|lang|brush)[-: ]+(?P<name>[\w+#]+)")


@dataclass(frozen=True, slots=True)
class _Tag:
    start: int
    end: int
    name: str
    """Empty for a comment or a declaration."""
    is_closing: bool


class _Tags:
    """Finds what is no text; what a script, style or template holds is part of its opening tag."""

    def __init__(self, content: str) -> None:
        self._content = content
        self._is_xml = _XML_DECLARATION.match(content) is not None
        """As in an EPUB, where any tag may close its element itself."""
        self._endless: set[int] = set()
        """Offsets from which on no tag ends: looked at once, however many tags lead to them."""
        self._unclosed: set[str] = set()
        """Elements, and the mark of comments, that are closed nowhere in the rest of the file."""

    def __iter__(self) -> Iterator[_Tag]:
        """Yield them in their order."""
        at = 0
        while match := _TAG_START.search(self._content, at):
            start = match.start()
            name = (match["name"] or "").lower()
            end = self._end(match)
            if end < 0:
                at = match.end()  # it never ends, so it is text
                continue
            is_opening = bool(name) and not match["slash"]
            is_empty = self._content[end - 2] == "/" and (self._is_xml or name == "svg")
            if is_opening and name in _HIDDEN and not is_empty:
                end = self._after_element(name, end)
            yield _Tag(start, end, name, bool(match["slash"]))
            at = end
            if is_opening and name in _PLAIN and not is_empty:
                at = max(at, self._closing(name, end))

    def _end(self, match: re.Match[str]) -> int:
        """Return the offset after a tag or comment; -1 if it never ends."""
        if match["name"]:
            return self._tag_end(match.end())
        if not match["comment"]:
            return self._after_mark(match.end())
        if empty := _EMPTY_COMMENT.match(self._content, match.end()):
            return empty.end()
        closing = None
        if "!--" not in self._unclosed:
            closing = _COMMENT_END.search(self._content, match.end())
        if closing is None:
            self._unclosed.add("!--")
        return closing.end() if closing else -1

    def _after_mark(self, at: int) -> int:
        if ">" in self._unclosed:
            return -1
        found = self._content.find(">", at)
        if found < 0:
            self._unclosed.add(">")
        return found + 1 if found >= 0 else -1

    def _tag_end(self, at: int) -> int:
        """Return the offset after a tag's ``>``; one within a value counts if there is no other."""
        first = at
        seen: list[int] = []
        while at not in self._endless:
            part = _ATTRIBUTE.match(self._content, at)
            assert part is not None, "each of its parts may be empty"
            if part["end"]:
                return part.end()
            seen.append(at)
            if part.end() == len(self._content):
                break
            at = part.end()
        self._endless.update(seen)
        return self._after_mark(first)

    def _after_element(self, name: str, at: int) -> int:
        """Return the offset after the closing tag of an element, or the end of the file."""
        closing = self._closing(name, at)
        if closing < 0:
            return len(self._content)
        end = self._tag_end(closing + len(name) + 2)
        return end if end >= 0 else len(self._content)

    def _closing(self, name: str, at: int) -> int:
        """Return where an element is closed; -1 where it isn't."""
        if name in self._unclosed:
            return -1
        tag = re.compile(rf"</{name}(?={_SPACE}|/|>)", re.IGNORECASE)
        closing = tag.search(self._content, at)
        if closing is None:
            self._unclosed.add(name)
        return closing.start() if closing else -1


def _as_shown(text: str) -> str:
    """Return text with its character references replaced; one for a line break becomes a space."""
    if "&" not in text:
        return text
    text = _HUGE_REFERENCE.sub("\ufffd", _LEADING_ZEROS.sub("&#", text))
    return "\n".join(_LINE_BREAK.sub(" ", html.unescape(line)) for line in text.split("\n"))


@dataclass(slots=True)
class _Shadow:
    """The page without tags while it is being made."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    breaks: list[int] = field(default_factory=list)

    def add(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self.length += len(text)

    def leave_out(self, text: str, *, is_space: bool) -> None:
        """Put line breaks or a space in the place of a tag, each a run of its own."""
        self.breaks.append(self.length)
        last = self.parts[-1][-1] if self.parts else " "
        between = " " if is_space and not last.isspace() else ""
        if instead := "\n" * text.count("\n") or between:
            self.add(instead)
            self.breaks.append(self.length)


def html_page(content: str) -> tuple[Page, Layout, list[int]]:
    """Return an HTML file without its tags, what is in it, and where something was left out."""
    shadow = _Shadow()
    marks: list[tuple[int, int, _Tag]] = []
    at = 0
    for tag in _Tags(content):
        shadow.add(_as_shown(content[at : tag.start]))
        before = shadow.length
        is_block = bool(tag.name) and tag.name not in _INLINE
        is_space = is_block and not content[tag.end : tag.end + 1].isspace()
        shadow.leave_out(content[tag.start : tag.end], is_space=is_space)
        if is_block or tag.name == "code":
            marks.append((before, shadow.length, tag))
        at = tag.end
    shadow.add(_as_shown(content[at:]))
    page = replace(Page.of("".join(shadow.parts)), keeps_indent=False)
    return page, _layout(content, page, marks), shadow.breaks


def _layout(content: str, page: Page, marks: list[tuple[int, int, _Tag]]) -> Layout:
    layout, outline = Layout(), Outline()
    start = 0
    opened: dict[str, tuple[int, str]] = {}
    near = ""
    for before, after, tag in marks:
        raw = content[tag.start : tag.end]
        if tag.name == "code" and "pre" in opened and not tag.is_closing:
            inside, around = opened["pre"]
            opened["pre"] = (inside, (around + raw)[: 2 * _NEAR_CHARS])
        if tag.name == "code" or tag.name in _CELLS:
            continue
        _add(page, layout, Block(start, before, outline.path))
        start = after
        near = "" if tag.is_closing else (near + raw)[-_NEAR_CHARS:]
        if not tag.is_closing:
            opened[tag.name] = (after, near)
        elif tag.name in opened:
            _close(page, layout, outline, (tag.name, before, *opened.pop(tag.name)))
    _add(page, layout, Block(start, len(page.content), outline.path))
    return layout


def _add(page: Page, layout: Layout, block: Block) -> None:
    if page.content[block.start : block.end].strip():
        layout.blocks.append(block)


def _close(
    page: Page, layout: Layout, outline: Outline, element: tuple[str, int, int, str]
) -> None:
    """Take note of a heading or a listing that ends here; its text is the last block, if any."""
    name, end, start, raw = element
    if name not in _TITLES and name != "pre":
        return
    text = page.content[start:end]
    if not text.strip():
        return
    if name in _TITLES:
        outline.enter(_TITLES[name], " ".join(text.split()))
        layout.blocks[-1] = replace(layout.blocks[-1], path=outline.path, is_heading=True)
    else:
        layout.blocks[-1] = replace(layout.blocks[-1], is_prose=False)
        layout.listings.append(
            Listing(
                start_line=page.line_number(start),
                end_line=page.line_number(end),
                source="\n".join(text.strip("\n").splitlines()),
                language=_language(raw),
                path=outline.path,
                context=page.content[max(0, start - CONTEXT_CHARS) : start],
            )
        )


def _language(raw: str) -> str:
    """Return the language that the tags around a listing name."""
    if _PYTHON_CLASS.search(raw):
        return "python"
    other = _OTHER_CLASS.search(raw)
    return other["name"].lower() if other else ""
