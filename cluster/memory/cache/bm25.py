"""BM25 over passages that lie in several parts, with the statistics of all of them.

Used by `cluster.memory.cache.view`. A part is either `Postings`, sorted once and mapped from a
file, or `LooseWords`, which is counted word by word as it is asked; both know passages by their
rows. The formula is that of Robertson and Zaragoza (2009) as Lucene and tantivy have it.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from cluster.memory.knowledge.vectors import Rows, Scores

WORDS_MAX = 64
"""Words of a question that are looked up."""
PAIR_WEIGHT = 0.2
"""Weight of two neighbouring words of the question beside that of each (on COVID-QA's 3,190
chunks, recall@5 rises from 0.733 to 0.751 with it; nothing changes on XQuAD)."""
PAIR_GAP_MAX = 2
"""The second word of a pair stands right behind the first, or one word further."""
K1 = 1.2
B = 0.75

Tokens = NDArray[np.uint32]
"""uint32[words], in their order, as `cluster.memory.cache.words` numbers them."""


Found = tuple[NDArray[np.uint32], Scores]
"""The passages that have a word, and what one of weight 1 adds to each of them."""


class WordPart(Protocol):
    """Passages whose words can be asked for; rows count them from 0."""

    @property
    def stream(self) -> Tokens:
        """All words, one passage after the other."""
        ...

    @property
    def passage_starts(self) -> NDArray[np.int64]:
        """int64[passages + 1]: where each passage begins there."""
        ...

    @property
    def norms(self) -> Scores:
        """What the length of each passage takes off the worth of a word in it."""
        ...

    def find(self, word: int) -> Found:
        """Return the passages that have a word; dead ones included, as in all statistics."""
        ...


@dataclass(frozen=True, slots=True)
class WantedWords:
    """A question's words, what each is worth among some passages, and where it is."""

    weights: dict[int, float]
    """Inverse document frequencies of the words that say something, and are there."""
    pairs: dict[tuple[int, int], float]
    """The same of neighbours, of which either may say nothing by itself."""
    full: float
    """What a passage with all the words, often, would reach: words that are nowhere count too."""
    found: Sequence[dict[int, Found]]
    """Of each part: where its words are."""

    @classmethod
    def of(
        cls, asked: Tokens, parts: Sequence[WordPart], linking: frozenset[int] = frozenset()
    ) -> Self:
        """Weigh a question's words.

        Args:
            asked: the question.
            parts: what is searched.
            linking: words that say nothing, unless there are no others, or beside another.
        """
        words = asked[:WORDS_MAX].tolist()
        found = [{word: part.find(word) for word in set(words)} for part in parts]
        count = sum(len(part.norms) for part in parts)
        often = {word: sum(len(each[word][0]) for each in found) for word in words}
        rarities = {word: _rarity(count, frequency) for word, frequency in often.items()}
        telling = [word for word in rarities if word not in linking] or list(rarities)
        return cls(
            weights={word: rarities[word] for word in telling if often[word]},
            pairs={
                (one, two): rarities[one] + rarities[two]
                for one, two in pairwise(words)
                if often[one] and often[two] and not {one, two} <= linking
            },
            full=(K1 + 1) * sum(rarities[word] for word in telling),
            found=found,
        )

    def scores(self, part: int, passages: int) -> Scores:
        """Return what each passage of a part has of the question's words, of 1: float32[n]."""
        scores = np.zeros(passages, dtype=np.float32)
        for word, weight in self.weights.items():
            rows, worths = self.found[part][word]
            scores[rows] += worths * np.float32(weight / self.full)
        return scores

    def pair_scores(self, part: WordPart, rows: Rows) -> Scores:
        """Return what some passages have of the question's pairs besides: float32[rows]."""
        scores = np.zeros(len(rows), dtype=np.float32)
        if not self.pairs or not len(rows):
            return scores
        stream, starts = _apart(part, rows)
        norms = part.norms[rows]
        for (one, two), weight in self.pairs.items():
            is_pair, follows = stream == one, stream == two
            is_pair[:-PAIR_GAP_MAX] &= follows[1:-1] | follows[PAIR_GAP_MAX:]
            often = np.add.reduceat(is_pair, starts, dtype=np.float32)
            scores += np.float32(weight * (K1 + 1)) * often / (often + norms)
        return scores * np.float32(PAIR_WEIGHT / self.full)


def _apart(part: WordPart, rows: Rows) -> tuple[Tokens, NDArray[np.int64]]:
    """Return the words of some passages, with room between them, and where each begins.

    No word of one follows a word of another.
    """
    firsts, ends = part.passage_starts[rows], part.passage_starts[rows + 1]
    lengths = ends - firsts
    starts = np.zeros(len(rows), dtype=np.int64)
    np.cumsum(lengths[:-1] + PAIR_GAP_MAX, out=starts[1:])
    places = np.repeat(firsts - starts, lengths + PAIR_GAP_MAX)
    places += np.arange(len(places))
    stream = part.stream[np.minimum(places, len(part.stream) - 1)]
    for gap in range(PAIR_GAP_MAX):
        stream[starts + lengths + gap] = 0
    return stream, starts


def _rarity(count: int, frequency: int) -> float:
    """Return a word's inverse document frequency."""
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))


def norms_of(lengths: NDArray[np.int64]) -> Scores:
    """Return what lengths take off, for passages of so many words: float32[n]."""
    mean = float(lengths.mean()) if len(lengths) else 0.0
    relative = lengths / mean if mean else np.zeros(len(lengths))
    return (K1 * (1 - B + B * relative)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Postings:
    """In which passages each word is, for a part that doesn't change.

    All arrays may be mapped from files.
    """

    words: Tokens
    """uint32[different words], sorted."""
    starts: NDArray[np.int64]
    """int64[words + 1]: where in ``rows`` each word's passages begin."""
    rows: NDArray[np.uint32]
    """The passages that have it, in their order."""
    worths: NDArray[np.float32]
    """What a word of weight 1 adds to each of them."""
    stream: Tokens
    """uint32[all words], one passage after the other."""
    passage_starts: NDArray[np.int64]
    """int64[passages + 1]: where each begins there."""
    norms: Scores

    @classmethod
    def of(cls, stream: Tokens, passage_starts: NDArray[np.int64]) -> Self:
        """Sort the words of passages; takes 0.2 us a word."""
        lengths = np.diff(passage_starts)
        norms = norms_of(lengths)
        numbers = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)
        keys = (stream.astype(np.uint64) << np.uint64(32)) | numbers
        keys.sort()
        firsts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - np.uint64(1)))
        often = np.diff(np.append(firsts, len(keys))).astype(np.float32)
        rows = (keys[firsts] & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        words, starts = np.unique(
            (keys[firsts] >> np.uint64(32)).astype(np.uint32), return_index=True
        )
        return cls(
            words=words,
            starts=np.append(starts, len(rows)).astype(np.int64),
            rows=rows,
            worths=(often * (K1 + 1) / (often + norms[rows])).astype(np.float32),
            stream=stream,
            passage_starts=passage_starts,
            norms=norms,
        )

    def find(self, word: int) -> Found:
        """Return the passages that have a word."""
        at = int(np.searchsorted(self.words, np.uint32(word)))
        if at == len(self.words) or self.words[at] != word:
            return self.rows[:0], self.norms[:0]
        start, end = self.starts[at : at + 2].tolist()
        return self.rows[start:end], self.worths[start:end]


class WordIndex:
    """In which passages each word is, for a part that grows: twelve bytes for each of them."""

    def __init__(self) -> None:
        self._entries: dict[int, array[int]] = {}
        """By word: row, how often, row, how often, and so on."""

    def add(self, row: int, tokens: Tokens) -> None:
        """Take a passage; rows ascend."""
        # Not `np.unique`: of a few words it takes six times as long.
        for word, count in Counter(tokens.tolist()).items():
            self._entries.setdefault(word, array("I")).extend((row, count))

    def find(self, word: int) -> NDArray[np.uint32]:
        """Return the passages that have a word, and how often: uint32[passages, 2]."""
        # A copy in one step: an array that somebody looks into, in whatever thread, can't grow.
        copied = self._entries.get(word, _NOWHERE).tobytes()
        return np.frombuffer(copied, dtype=np.uint32).reshape(-1, 2)


_NOWHERE: array[int] = array("I")


@dataclass(frozen=True, slots=True)
class LooseWords:
    """The words of a part that grows, as it is at a moment."""

    index: WordIndex
    """Has what came later as well."""
    stream: Tokens
    passage_starts: NDArray[np.int64]
    norms: Scores

    def find(self, word: int) -> Found:
        """Return the passages that have a word."""
        found = self.index.find(word)
        rows, often = found[found[:, 0] < len(self.norms)].T
        return rows, (often * np.float32(K1 + 1) / (often + self.norms[rows])).astype(np.float32)
