"""Which words a sentence denies, and whether its sources deny others.

Pure; used by `agents.evidence.verdict` where a sentence is far from the words of its source, and by
`agents.evidence.data.row_values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agents.evidence.words import Word

_REACH = 2
"""Words with content that a negation may deny."""
_SHARED_MIN = 3
"""So many words must a unit share with a sentence for its negation to be missed there."""


class _Denials(NamedTuple):
    """Words with content by how they stand to the negations of their sentence."""

    plain: set[str]
    denied: set[str]
    """Right behind a negation, little words between them aside."""
    reach: set[str]
    """Those, and the next ones: 'not even begun'."""


def is_denied_otherwise(
    claim: Sequence[Word],
    window: Sequence[Sequence[Word]],
    known: frozenset[str],
    *,
    shared_min: int = _SHARED_MIN,
) -> bool:
    """Say whether a word is denied in a sentence and never in its window, or the reverse.

    Args:
        claim: the sentence's words.
        window: those of each unit that may back it.
        known: keys that the question has too: what is asked about may be denied.
        shared_min: words that a unit must share with the sentence to be about the same.
    """
    said = _denials(claim)
    there = [_denials(unit) for unit in window]
    plain = {key for each in there for key in each.plain}
    never = {key for each in there for key in each.reach}
    must = {
        key
        for each in there
        if len((each.plain | each.reach) & (said.plain | said.reach)) >= shared_min
        for key in each.denied
    }
    is_denied_here = said.denied & (plain - never - known)
    return bool(is_denied_here or (said.plain - said.reach) & (must - plain))


def _denials(said: Sequence[Word]) -> _Denials:
    found = _Denials(set(), set(), set())
    since = _REACH
    for word in said:
        if word.guard == "not":
            since = 0
        elif word.has_content and not word.guard:
            if since == 0:
                found.denied.add(word.key)
            (found.reach if since < _REACH else found.plain).add(word.key)
            since += 1
    return found
