"""How much of a sentence the sources say: the numbers that its score is made of.

Pure. Passages are laid out once for all sentences of a text (an inverted index of words, and of
pairs of words that stand near each other); a look-up touches only its own words.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import LCSseq

from agents.evidence.languages import language_among, language_of
from agents.evidence.sentences import Span, is_code, sentences
from agents.evidence.words import Word, words

WINDOW = 3
"""Sentences in a row that may back one sentence together."""
NAMES = ("in_pair", "near", "in_order")
"""The features in the order of `Measured.features`, shares from 0 to 1: of the words with content,
those in one pair of neighbouring sentences; of pairs of such words next to each other, those that
stand near each other somewhere; of all words, those that one window has in the same order."""
_DIGITS = re.compile(r"(?:(?<![^\W\d_])|(?<=\bv))\d+(?:[.:/]\d+)*")
"""A number in a word; one behind letters, as in `ResNet50`, is a part of a name."""
_REACH = 3
"""Words with content that two of a pair may lie apart."""
_NEAR_MAX = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence, row or line of code of a source."""

    source: int
    """Index of its passage."""
    span: Span
    words: tuple[Word, ...]
    keys: tuple[str, ...]
    there: frozenset[str]
    """The same keys, for looking them up."""

    @classmethod
    def of(cls, source: int, span: Span, said: tuple[Word, ...]) -> Unit:
        """Return the unit with these words."""
        keys = tuple(word.key for word in said)
        return cls(source, span, said, keys, frozenset(keys))


@dataclass(frozen=True, slots=True)
class Measured:
    """What the sources say of one sentence."""

    features: tuple[float, ...]
    """float[3], each from 0 to 1, in the order of `NAMES`."""
    near: tuple[int, ...]
    """Units with most of its weight in them, the best first."""
    window: tuple[int, ...]
    """Units that back it best together, in their order."""


class Sources:
    """Passages laid out for looking sentences up in them."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        """Take the passages, each with its title."""
        self.language = language_of("\n".join(text for text, _ in texts))
        self.languages = [language_among(_prose(text), self.language) for text, _ in texts]
        """Of each passage; of one that has hardly any little words, that of them all."""
        self.units: list[Unit] = []
        self.titles: list[tuple[Word, ...]] = []
        for source, (text, title) in enumerate(texts):
            language = self.languages[source]
            self.titles.append(words(title.replace(" > ", ". "), language))
            for span in sentences(text, language):
                found = words(text[span.start : span.end], language)
                if found:
                    self.units.append(Unit.of(source, span, found))
        self._lay_out()

    def masks(self) -> dict[str, int]:
        """Return the passages of each language, as a bit mask."""
        found: dict[str, int] = {}
        for source, language in enumerate(self.languages):
            found[language] = found.get(language, 0) | 1 << source
        return found

    def _lay_out(self) -> None:
        """Fill the inverted index; units and passages are known by their positions, from 0.

        `_source_of` is int64[units], the passage of each unit. `_places` has for each word
        int64[k], the units that it is in, ascending; `_rarity` its weight log(1 + units / k). A
        bit mask has bit n set for passage n.
        """
        places: defaultdict[str, set[int]] = defaultdict(set)
        self._in_sources: defaultdict[str, int] = defaultdict(int)
        self._pairs: defaultdict[tuple[str, str], int] = defaultdict(int)
        for at, unit in enumerate(self.units):
            bit = 1 << unit.source
            for key in unit.keys:
                places[key].add(at)
                self._in_sources[key] |= bit
            said = [word.key for word in unit.words if word.has_content]
            for first, key in enumerate(said):
                for other in said[first + 1 : first + 1 + _REACH]:
                    self._pairs[_pair(key, other)] |= bit
        self._digits: set[str] | None = None
        count = len(self.units)
        self._source_of = np.array([unit.source for unit in self.units], dtype=np.int64)
        self._places = {key: np.array(sorted(at), dtype=np.int64) for key, at in places.items()}
        self._rarity = {key: math.log(1 + count / len(at)) for key, at in places.items()}
        firsts: dict[int, int] = {}
        self._first_of = [firsts.setdefault(unit.source, at) for at, unit in enumerate(self.units)]
        self._starts: dict[tuple[str, int], npt.NDArray[np.int64]] = {}

    def _windows(self, key: str, width: int) -> npt.NDArray[np.int64]:
        """Return the runs of ``width`` units, by their first, that have a word.

        Returns:
            int64[k], ascending, each once; none begins before the passage of its word.
        """
        found = self._starts.get((key, width))
        if found is None:
            starts: list[int] = []
            free = 0
            for place in self._places[key].tolist():
                starts += range(max(free, self._first_of[place], place - width + 1), place + 1)
                free = place + 1
            found = self._starts[key, width] = np.array(starts, dtype=np.int64)
        return found

    def has_digits(self, number: str) -> bool:
        """Say whether a number stands in a passage, alone or within a word such as `30s`."""
        if self._digits is None:
            raws = {word.raw for unit in self.units for word in unit.words}
            raws |= {
                word.key for unit in self.units for word in unit.words if word.kind == "number"
            }
            self._digits = {run for raw in raws for run in _DIGITS.findall(raw)}
        return number in self._digits

    def has(self, key: str, mask: int) -> bool:
        """Say whether a word is in one of the passages of a bit mask."""
        return bool(self._in_sources.get(key, 0) & mask)

    def measure(self, claim: Sequence[Word], mask: int) -> Measured:
        """Return what the passages of a bit mask say of a sentence.

        Args:
            claim: its words.
            mask: bit n stands for passage n.
        """
        said = {word.key: word for word in claim if word.has_content}
        there = [key for key in said if key in self._places]
        count = len(self.units)
        if not count:
            return Measured((0.0,) * len(NAMES), (), ())
        joined = self._hits([self._windows(key, WINDOW) for key in there], mask)
        start = int(np.argmax(joined))
        paired = self._hits([self._windows(key, 2) for key in there], mask).max()
        ranks = self._hits([self._places[key] for key in there], mask, self._weights(there))
        near = [int(at) for at in np.argsort(-ranks, kind="stable")[:_NEAR_MAX] if ranks[at] > 0]
        window = tuple(
            at
            for at in range(start, min(start + WINDOW, count))
            if self.units[at].source == self.units[start].source and ranks[at] > 0
        )
        features = (
            float(paired) / max(1, len(said)),
            self._paired(claim, mask),
            self._in_order(claim, start),
        )
        return Measured(features, tuple(near), window)

    def _weights(self, keys: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return the rarity of each place of each word, word by word: float64[places]."""
        places = [len(self._places[key]) for key in keys]
        return np.repeat([self._rarity[key] for key in keys], places)

    def _hits(
        self,
        places: Sequence[npt.NDArray[np.int64]],
        mask: int,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> npt.NDArray[np.float64]:
        """Return for each unit how many of the places are in it, or the sum of their weights.

        Args:
            places: of each word int64[k], positions of units.
            mask: passages whose units count; those of others get 0.
            weights: float64[all places], word by word; 1 each without it.

        Returns:
            float64[units].
        """
        count = len(self.units)
        if not places:
            return np.zeros(count)
        hits = np.bincount(np.concatenate(places), weights, minlength=count).astype(np.float64)
        if mask != (1 << len(self.titles)) - 1:
            hits *= (mask >> self._source_of) & 1
        return hits

    def _in_order(self, claim: Sequence[Word], start: int) -> float:
        source = self.units[start].source
        window = [unit for unit in self.units[start : start + WINDOW] if unit.source == source]
        there = [key for unit in window for key in unit.keys]
        return LCSseq.similarity([word.key for word in claim], there) / len(claim)

    def _paired(self, claim: Sequence[Word], mask: int) -> float:
        """Return the share of a sentence's neighbours that are near each other in the passages."""
        said = [word.key for word in claim if word.has_content]
        pairs = [_pair(a, b) for a, b in pairwise(said)]
        return sum(bool(self._pairs.get(pair, 0) & mask) for pair in pairs) / max(1, len(pairs))


def _pair(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _prose(text: str) -> str:
    """Return the lines of a passage that are no code: 'os' of Python is no Portuguese."""
    lines = (line for line in text.splitlines() if not is_code(line))
    return "\n".join(lines) or text
