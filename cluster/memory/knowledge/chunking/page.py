"""A file's text as lines, blocks and listings; what the formats' modules have in common.

`LineReader` reads a page line by line; `markdown` and `rst` add the lines that mean something in
their format. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

CHARS_MAX = 1200
"""A passage takes nothing in beyond this; a larger block is cut."""
TITLE_CHARS_MAX = 200
CONTEXT_CHARS = 300
PROMPT = re.compile(r"[ \t]*>>>(?:[ \t]|$)")
_LINE_BREAK = re.compile(r"\n")


@dataclass(frozen=True, slots=True)
class Page:
    """A file's text with its lines, which end at LF."""

    content: str
    starts: Sequence[int]
    """Offset of each line's first character."""
    ends: Sequence[int]
    """Offset of each line's break, or the end of the text."""
    keeps_indent: bool = True
    """Whether the white space at the start of a passage's first line belongs to it."""

    @classmethod
    def of(cls, content: str) -> Page:
        """Find the lines of a text."""
        breaks = [match.span() for match in _LINE_BREAK.finditer(content)]
        starts = [0, *(end for _, end in breaks)]
        ends = [*(start for start, _ in breaks), len(content)]
        return cls(content, starts, ends)

    def line(self, index: int) -> str:
        """Return a line, counted from 0, without its break."""
        return self.content[self.starts[index] : self.ends[index]]

    def lines(self) -> list[str]:
        """Return all lines, without their breaks."""
        return [self.content[start:end] for start, end in zip(self.starts, self.ends, strict=True)]

    def line_number(self, offset: int) -> int:
        """Return the number, from 1, of the line an offset is in."""
        return bisect_right(self.starts, offset)


@dataclass(frozen=True, slots=True)
class Block:
    """A run of the page that belongs together: a heading, a paragraph, a listing, a function."""

    start: int
    end: int
    path: tuple[str, ...] = ()
    """The headings above it, its own included."""
    is_heading: bool = False
    is_prose: bool = True
    """Cut at sentences rather than at lines, if it has to be cut."""


@dataclass(slots=True)
class Outline:
    """The headings above the current line."""

    levels: list[tuple[int, str]] = field(default_factory=list)

    def enter(self, level: int, title: str) -> None:
        """Close the sections of this level and deeper ones, and open one."""
        while self.levels and self.levels[-1][0] >= level:
            self.levels.pop()
        self.levels.append((level, title[:TITLE_CHARS_MAX]))

    @property
    def path(self) -> tuple[str, ...]:
        """The titles, outermost first; one that only repeats the one above it is left out."""
        return tuple(dict.fromkeys(title for _, title in self.levels if title))


def line_block(page: Page, first: int, last: int, path: tuple[str, ...] = ()) -> Block:
    """Return the block of whole lines, both counted from 0 and inclusive."""
    return Block(page.starts[first], page.ends[last], path)


def title_of(path: tuple[str, ...]) -> str:
    """Return headings as a passage's title."""
    return " > ".join(path)


@dataclass(frozen=True, slots=True)
class Listing:
    """Code that a file shows, with what stands before it."""

    start_line: int
    end_line: int
    source: str
    language: str = ""
    """As the file says it, in lower case; empty where it says nothing."""
    path: tuple[str, ...] = ()
    context: str = ""


@dataclass(slots=True)
class Layout:
    """What was found in a page, in the order of its lines."""

    blocks: list[Block] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)


class LineReader:
    """Collects paragraphs, headings and listings of a page from its first line to its last."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.lines = page.lines()
        self.layout = Layout()
        self.outline = Outline()
        self.paragraph: int | None = None
        """The line at which the current paragraph began; None between paragraphs."""

    def read(self, special: Callable[[int], int]) -> Layout:
        """Read all lines.

        ``special`` is asked at every line that is not blank and returns how many lines it took
        care of, 0 for a line of a paragraph.
        """
        at = 0
        while at < len(self.lines):
            if not self.lines[at].strip():
                self.end_paragraph(at)
                at += 1
            elif taken := special(at):
                at += taken
            else:
                if self.paragraph is None:
                    self.paragraph = at
                at += 1
        self.end_paragraph(len(self.lines))
        return self.layout

    def end_paragraph(self, before: int) -> None:
        """Close the current paragraph, if there is one; ``before`` is the line after it."""
        first, self.paragraph = self.paragraph, None
        if first is None:
            return
        for at in range(first, before):
            if PROMPT.match(self.lines[at]):
                self.add_listing(at, before - 1, "pycon")
                self.add_code(first, before - 1)
                return
        self.layout.blocks.append(line_block(self.page, first, before - 1, self.outline.path))

    def add_heading(self, first: int, last: int, level: int, title: str) -> None:
        """Open a section."""
        self.outline.enter(level, title)
        block = line_block(self.page, first, last, self.outline.path)
        self.layout.blocks.append(replace(block, is_heading=True))

    def add_code(self, first: int, last: int) -> None:
        """Add a block that is cut between lines if it has to be cut."""
        block = line_block(self.page, first, last, self.outline.path)
        self.layout.blocks.append(replace(block, is_prose=False))

    def add_listing(self, first: int, last: int, language: str) -> None:
        """Note code that the lines show; both inclusive."""
        while first <= last and not self.lines[first].strip():
            first += 1
        while first <= last and not self.lines[last].strip():
            last -= 1
        if first > last:
            return
        start = self.page.starts[first]
        self.layout.listings.append(
            Listing(
                start_line=first + 1,
                end_line=last + 1,
                source="\n".join(self.lines[first : last + 1]),
                language=language.lower(),
                path=self.outline.path,
                context=self.page.content[max(0, start - CONTEXT_CHARS) : start],
            )
        )

    def indented_end(self, at: int, indent: int) -> int:
        """Return the line after the indented lines from ``at`` on, blank ones among them."""
        end = at
        for index in range(at, len(self.lines)):
            if not self.lines[index].strip():
                continue
            if indent_of(self.lines[index]) <= indent:
                break
            end = index + 1
        return end


def indent_of(line: str) -> int:
    """Return how many columns a line is indented by; a tab reaches to the next eighth."""
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())


def plain_text(page: Page) -> Layout:
    """Find the paragraphs of a plain text."""
    return LineReader(page).read(lambda _: 0)
