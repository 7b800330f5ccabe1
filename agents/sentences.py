"""Where sentences begin and end in Markdown, reStructuredText and plain text.

Pure; gives offsets, so that what is found can be quoted verbatim. Code blocks, rules and directives
hold no sentences. Used on passages (`agents.grounding`, `agents.extraction`) and on what models
write (`agents.prose`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_FENCE = re.compile(r"\s{0,8}(`{3,20}|~{3,20})")
_SILENT = re.compile(
    r"\s*([-=*_~^\"'#+])\1{2,}\s*$"  # a rule, or a title's underline
    r"|\s*\.\. (\S|$)|\s*:[\w ]{1,40}:(\s|$)"  # a directive or field of reStructuredText
    r"|\s*(>>>|\.\.\.)( |$)"  # an interactive session
)
_MARKER = re.compile(r"\s*(?:>\s?)*(?:[-*+•]\s+|\d{1,3}[.)]\s+)?")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+")
_ALONE = re.compile(r"\s{0,3}#{1,6}\s+|\s*\|")
_ITEM = re.compile(r"\s*(?:>\s?)*(?:[-*+•]|\d{1,3}[.)])\s+")
_CODE_SPAN = re.compile(r"(`{1,3})(?!`).{1,400}?(?<!`)\1(?!`)")
_END = re.compile(r"[.!?]+[\"'”’)\]*_]*(?:\s*\[\d+(?:\s*,\s*\d+)*\])*(?=\s)|[。！？]+")  # noqa: RUF001
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|al|approx|resp|incl|excl|ca|[dD]r|[mM]rs?|[mM]s|[pP]rof|[sS]t|[jJ]r|"
    r"[sS]r|[iI]nc|[lL]td|dept|est|viz|a\.k\.a|[uU]\.[sS]|[uU]\.[kK]|[ap]\.m)\.$"
    r"|(?<![\w.])[A-Z]\.$"
)
_NUMBERED = re.compile(r"\b(?:[nN]o|[fF]ig|[eE]q|[sS]ec|[cC]h|[vV]ol|[pP]p?|[nN]r|[aA]rt)\.$")
_ABBREVIATION_WIDTH = 12
_SHORT_SHARE = 0.7
_WIDTH_MIN = 60


class Place(Enum):
    """What a sentence is part of."""

    PARAGRAPH = "paragraph"
    ITEM = "item"
    HEADING = "heading"
    ROW = "row"


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence's place in its text."""

    start: int
    end: int
    block: int = 0
    """Where its paragraph, item, heading or table row begins, markers included."""
    place: Place = Place.PARAGRAPH


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text in their order, without list markers and outer blanks."""
    return [span for block in _blocks(text) for span in _in_block(text, block)]


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield _Line(start, start + len(line.rstrip("\r\n")), line.rstrip("\r\n"))
        start += len(line)


def _blocks(text: str) -> Iterator[list[_Line]]:
    """Yield runs of lines that may share a sentence."""
    lines = list(_lines(text))
    wrapped_at = _SHORT_SHARE * max([_WIDTH_MIN, *(len(line.text) for line in lines)])
    block: list[_Line] = []
    for line in _outside_fences(lines):
        is_silent = not line.text.strip() or bool(_SILENT.match(line.text))
        is_alone = bool(_ALONE.match(line.text))
        starts = is_silent or is_alone or _ITEM.match(line.text)
        if block and (starts or _is_whole(block[-1], line, wrapped_at)):
            yield block
            block = []
        if not is_silent:
            block.append(line)
        if is_alone:
            yield block
            block = []
    if block:
        yield block


def _outside_fences(lines: list[_Line]) -> Iterator[_Line]:
    """Yield the lines, each fenced code block as one empty line."""
    fence = ""
    for line in lines:
        match = _FENCE.match(line.text)
        if fence:
            fence = "" if match and match.group(1).startswith(fence) else fence
        elif match:
            fence = match.group(1)
            yield _Line(line.start, line.start, "")
        else:
            yield line


def _is_whole(last: _Line, line: _Line, wrapped_at: float) -> bool:
    """Say whether a line was not wrapped: it is short, and the next begins like a new one."""
    first = line.text.lstrip()[:1]
    if not (first.isupper() or first == "`"):
        return False
    if last.text.rstrip().endswith((",", ";", "-", "(", "/")):
        return False
    return len(last.text.rstrip()) < wrapped_at


def _in_block(text: str, block: list[_Line]) -> Iterator[Span]:
    first = block[0]
    marker = _HEADING.match(first.text) or _MARKER.match(first.text)
    at = first.start + (marker.end() if marker else 0)
    place = _place(first.text)
    for end in (*_ends(text[at : block[-1].end], at), block[-1].end):
        piece = text[at:end]
        start = at + len(piece) - len(piece.lstrip())
        at = end
        if any(character.isalnum() for character in piece):
            yield Span(start, start + len(piece.strip()), first.start, place)


def _place(first_line: str) -> Place:
    if _HEADING.match(first_line):
        return Place.HEADING
    if first_line.lstrip().startswith("|"):
        return Place.ROW
    return Place.ITEM if _ITEM.match(first_line) else Place.PARAGRAPH


def _ends(text: str, offset: int) -> Iterator[int]:
    """Yield where sentences end within a block."""
    masked = _CODE_SPAN.sub(lambda span: "x" * len(span.group()), text)
    at = 0
    for stop in _END.finditer(masked):
        before = masked[max(at, stop.start() - _ABBREVIATION_WIDTH) : stop.start() + 1]
        if _ABBREVIATION.search(before):
            continue
        if (
            _NUMBERED.search(before)
            and masked[stop.end() : stop.end() + _ABBREVIATION_WIDTH].lstrip()[:1].isdigit()
        ):
            continue
        at = stop.end()
        yield offset + at
