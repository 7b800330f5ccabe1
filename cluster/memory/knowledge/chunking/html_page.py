"""Finds the blocks of HTML: the page without its tags, line for line where it was.

Every tag, comment, script and style is replaced by the line breaks within it, so that lines keep
their numbers; a tag that ends a line of text for the reader and has no line break becomes a space.
The places where something was left out are the page's breaks: between two of them the text stands
in the file as it is, its entities included. Called by `cluster.memory.knowledge.chunking.chunks`.
Pure.
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
_HIDDEN = frozenset({"script", "style", "template", "svg"})
_TITLES = {"title": 0, "h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_NEAR_CHARS = 400
"""How much of the tags right before a listing is asked for its language."""
_TAG_START = re.compile(r"<(?:(?P<mark>[!?])|(?P<slash>/?)(?P<name>[a-zA-Z][^\s/>]*))")
_TAG_PART = re.compile(r"[>\"']")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_PYTHON_CLASS = re.compile(r"python|pycon|ipython|doctest", re.IGNORECASE)
_OTHER_CLASS = re.compile(r"(?:language|highlight|lang|brush)[-: ]+(?P<name>[\w+#]+)")


@dataclass(frozen=True, slots=True)
class _Tag:
    start: int
    end: int
    name: str
    """Empty for a comment or a declaration."""
    is_closing: bool


def _tags(content: str) -> Iterator[_Tag]:
    """Find what is no text; what a script, style or template holds is part of its opening tag."""
    at = 0
    unclosed: set[int] = set()
    while match := _TAG_START.search(content, at):
        start = match.start()
        name = (match["name"] or "").lower()
        if match["mark"]:
            end = _after(content, "-->" if content.startswith("<!--", start) else ">", start)
        else:
            end = _tag_end(content, match.end(), unclosed)
        if end > start and name in _HIDDEN and not match["slash"]:
            end = max(end, _closing_tag(content, name, end))
        if end <= start:
            # A tag that never ends is text.
            return
        yield _Tag(start, end, name, bool(match["slash"]))
        at = end


def _after(content: str, mark: str, at: int) -> int:
    found = content.find(mark, at)
    return found + len(mark) if found >= 0 else -1


def _tag_end(content: str, at: int, unclosed: set[int]) -> int:
    """Return the offset after the tag's ``>``, looking past quoted ones; -1 if it has none.

    ``unclosed`` keeps the quotes from which on no ``>`` was found: the next tag doesn't look again.
    """
    first = _after(content, ">", at)
    seen: list[int] = []
    while part := _TAG_PART.search(content, at):
        if part[0] == ">":
            return part.end()
        seen.append(part.start())
        closing = -1 if part.start() in unclosed else content.find(part[0], part.end())
        if closing < 0:
            break
        at = closing + 1
    unclosed.update(seen)
    return first


def _closing_tag(content: str, name: str, at: int) -> int:
    closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(content, at)
    return closing.end() if closing else len(content)


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
        instead = "\n" * len(_LINE_BREAK.findall(text)) or between
        if instead:
            if last == "\r":
                # CR LF would be one line break where the file has two.
                instead = " " + instead
            self.add(instead)
            self.breaks.append(self.length)


def html_page(content: str) -> tuple[Page, Layout, list[int]]:
    """Return an HTML file without its tags, what is in it, and where something was left out."""
    shadow = _Shadow()
    marks: list[tuple[int, int, _Tag]] = []
    at = 0
    for tag in _tags(content):
        shadow.add(content[at : tag.start])
        before = shadow.length
        is_block = bool(tag.name) and tag.name not in _INLINE
        is_space = is_block and not content[tag.end : tag.end + 1].isspace()
        shadow.leave_out(content[tag.start : tag.end], is_space=is_space)
        if is_block or tag.name == "code":
            marks.append((before, shadow.length, tag))
        at = tag.end
    shadow.add(content[at:])
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
    text = html.unescape(page.content[start:end])
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
                source="\n".join(text.strip("\r\n").splitlines()),
                language=_language(raw),
                path=outline.path,
                context=html.unescape(page.content[max(0, start - CONTEXT_CHARS) : start]),
            )
        )


def _language(raw: str) -> str:
    """Return the language that the tags around a listing name."""
    if _PYTHON_CLASS.search(raw):
        return "python"
    other = _OTHER_CLASS.search(raw)
    return other["name"].lower() if other else ""
