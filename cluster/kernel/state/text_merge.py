"""A three-way merge of texts by lines. Pure.

The algorithm is diff3 as Khanna, Kunal and Pierce describe it ("A Formal Investigation of Diff3",
FSTTCS 2007), over the differences that `difflib` finds: changes of the two sides that no unchanged
line of the base parts are one chunk; a chunk that one side has changed is taken from it, one that
both have changed in the same way is taken once, and any other is a conflict.

Called by `cluster.kernel.state.policies`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile

PAIRS_MAX = 100_000
"""Pairs of equal lines up to which they are matched; `difflib` takes longer than linear for them.
Beyond (a text of a thousand empty lines has a million), all from the first difference to the last
is one change: it meets more of the other side's changes, and is never wrong."""


@dataclass(frozen=True, slots=True)
class TextMerge:
    """Two changed texts merged; where they are in conflict, the text is theirs."""

    text: str
    is_conflicting: bool = False


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Lines ``start:end`` of the base have become some others."""

    start: int
    end: int
    lines: Sequence[str]
    is_mine: bool


def merged(base: str, mine: str, theirs: str) -> TextMerge:
    """Merge two texts that were made of the same one."""
    if mine in (base, theirs):
        return TextMerge(theirs)
    if theirs == base:
        return TextMerge(mine)
    # Not `splitlines`: it cuts at more than newlines, and forgets how the last line ended. With
    # `split` a final newline is one empty line more, so that it merges as every other line does.
    lines = base.split("\n")
    hunks = [*_hunks(lines, mine.split("\n"), is_mine=True)]
    hunks += _hunks(lines, theirs.split("\n"), is_mine=False)
    result: list[str] = []
    done = 0
    for chunk in _chunks(hunks):
        start, end = chunk[0].start, max(hunk.end for hunk in chunk)
        new = _resolved(lines, chunk, start, end)
        if new is None:
            return TextMerge(theirs, is_conflicting=True)
        result += lines[done:start]
        result += new
        done = end
    return TextMerge("\n".join(result + lines[done:]))


def _hunks(base: list[str], changed: list[str], *, is_mine: bool) -> Iterator[_Hunk]:
    """What differs between the base and a changed text, in order."""
    head = _count_equal(base, changed)
    rest = min(len(base), len(changed)) - head
    tail = min(rest, _count_equal(base[::-1], changed[::-1]))
    old, new = base[head : len(base) - tail], changed[head : len(changed) - tail]
    at, new_at = 0, 0
    for block in _matching(old, new):
        if at < block[0] or new_at < block[1]:
            yield _Hunk(head + at, head + block[0], new[new_at : block[1]], is_mine)
        at, new_at = block[0] + block[2], block[1] + block[2]


def _count_equal(one: list[str], other: list[str]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _matching(old: list[str], new: list[str]) -> Sequence[tuple[int, int, int]]:
    """Equal runs as (start in old, start in new, length); the last is empty, at both ends."""
    counts = Counter(new)
    if sum(counts[line] for line in old) > PAIRS_MAX:
        return [(len(old), len(new), 0)]
    return SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()


def _chunks(hunks: list[_Hunk]) -> Iterator[list[_Hunk]]:
    """Hunks that overlap or touch belong together: no unchanged line says how they are ordered."""
    chunk: list[_Hunk] = []
    end = -1
    for hunk in sorted(hunks, key=lambda hunk: (hunk.start, hunk.end, hunk.is_mine)):
        if chunk and hunk.start > end:
            yield chunk
            chunk, end = [], -1
        chunk.append(hunk)
        end = max(end, hunk.end)
    if chunk:
        yield chunk


def _resolved(base: list[str], chunk: list[_Hunk], start: int, end: int) -> list[str] | None:
    """What becomes of ``start:end`` of the base; None where the sides disagree."""
    sides = {hunk.is_mine for hunk in chunk}
    made = [_side(base, chunk, start, end, is_mine=is_mine) for is_mine in sorted(sides)]
    return made[0] if all(each == made[0] for each in made) else None


def _side(base: list[str], chunk: list[_Hunk], start: int, end: int, *, is_mine: bool) -> list[str]:
    """One side's lines for ``start:end`` of the base."""
    lines: list[str] = []
    for hunk in chunk:
        if hunk.is_mine is is_mine:
            lines += base[start : hunk.start]
            lines += hunk.lines
            start = hunk.end
    return lines + base[start:end]
