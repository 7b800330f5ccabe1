"""From the blocks of a file to passages of a readable size; nothing is lost, nothing is invented.

Every format's module (`markdown`, `rst`, `html_page`, `source`) finds the blocks of a
`Page`; `pack` joins neighbours that are small and cuts those that are large. All of it works on
offsets into the page, so that a passage's text is always a verbatim run of it. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from cluster.memory.knowledge.chunking.page import CHARS_MAX, Block, Page, title_of
from cluster.memory.knowledge.records import Chunk

CHARS_MIN = 300
"""A passage that is shorter takes the next block in, whatever that is."""
CHARS_GOAL = 900
BLANK_LINES_MAX = 8
"""Blocks that lie further apart are never joined: what lay between them was no text."""
INDENT_CHARS_MAX = 200
"""White space at the start of a line that a passage keeps; beyond this it says nothing."""

_LINE_BREAK = re.compile(r"\n")
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")
_SENTENCE_END = re.compile(r"[.!?;:][\"')\]]*(?=\s)|[\u3002\uff01\uff1f]")
_SPACE = re.compile(r"\s(?=\S)")
_TEXT = re.compile(r"\S")


def pack(page: Page, blocks: Iterable[Block], breaks: Sequence[int] = ()) -> list[Chunk]:
    """Turn the blocks of a page, in their order, into passages.

    ``breaks`` are ascending offsets where the file has something that the page has not.
    """
    chunks = []
    for start, end, path in _groups(page, _pieces(page, blocks)):
        first = page.line_number(start)
        inner = breaks[bisect_right(breaks, start) : bisect_right(breaks, end - 1)]
        chunks.append(
            Chunk(
                start_line=first,
                end_line=page.line_number(end - 1),
                text=page.content[start:end],
                title=title_of(path),
                breaks=tuple(dict.fromkeys(offset - start for offset in inner)),
            )
        )
    return chunks


def _groups(page: Page, pieces: Iterable[Block]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    group: list[Block] = []
    for piece in pieces:
        if group and _is_full(page, group, piece):
            yield _joined(group)
            group = []
        group.append(piece)
    if group:
        yield _joined(group)


def _joined(group: list[Block]) -> tuple[int, int, tuple[str, ...]]:
    common = 0
    for titles in zip(*(piece.path for piece in group), strict=False):
        if len(set(titles)) > 1:
            break
        common += 1
    return group[0].start, group[-1].end, group[0].path[:common]


def _is_full(page: Page, group: list[Block], piece: Block) -> bool:
    length = group[-1].end - group[0].start
    apart = page.line_number(piece.start) - page.line_number(group[-1].end - 1)
    if apart > BLANK_LINES_MAX:
        return True
    if length < CHARS_MIN:
        return False
    return piece.is_heading or piece.end - group[0].start > CHARS_MAX


def _pieces(page: Page, blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        start, end = trimmed(page, block.start, block.end)
        is_heading = block.is_heading
        while end - start > CHARS_MAX:
            cut = _cut(page.content, start, end, is_prose=block.is_prose)
            stop = trimmed(page, start, cut)[1]
            if start < stop:
                yield Block(start, stop, block.path, is_heading, block.is_prose)
                is_heading = False
            # From the cut on, which lies behind the start: `trimmed` never looks back.
            start, end = trimmed(page, cut, end)
        if start < end:
            yield Block(start, end, block.path, is_heading, block.is_prose)


def trimmed(page: Page, start: int, end: int) -> tuple[int, int]:
    """Leave out white space at both ends, but not the indentation where it belongs to it.

    Both ends only move towards each other. Every character is looked at a limited number of times,
    however long a line is: of an indentation that is left out, none is seen again.
    """
    while start < end and page.content[end - 1].isspace():
        end -= 1
    text = _TEXT.search(page.content, start, end)
    if text is None:
        return end, end
    first = text.start()
    line = page.starts[bisect_right(page.starts, first) - 1]
    keeps_indent = page.keeps_indent and start <= line and first - line <= INDENT_CHARS_MAX
    return (line if keeps_indent else first), end


def _cut(content: str, start: int, end: int, *, is_prose: bool) -> int:
    """Return where to cut a run that is too long, leaving no small rest behind."""
    length = end - start
    goal = length / -(-length // CHARS_GOAL)
    low, high = start + int(goal * 0.6), start + min(int(goal * 1.3), CHARS_MAX)
    if is_prose:
        separators = (_BLANK_LINE, _SENTENCE_END, _LINE_BREAK, _SPACE)
    else:
        separators = (_BLANK_LINE, _LINE_BREAK, _SENTENCE_END, _SPACE)
    for separator in separators:
        cuts = [match.end() for match in separator.finditer(content, low, high)]
        if cuts:
            return cuts[-1]
    return high
