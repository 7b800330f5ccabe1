"""What a classifier sees of an utterance: its vector, and its hashed words and pieces of words.

Used by `agents.routing.classifier`. The vector tells the topic, the words and their order how it is
asked, the pieces forgive typos and know the endings of languages without blanks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cluster.memory.knowledge.vectors import Vectors

Embed = Callable[[Sequence[str]], Vectors]
"""Makes vectors on the caller's thread, in 0.1 ms an utterance."""
Matrix = NDArray[np.float32]
"""float32[examples, features], or float32[features, intents]."""
Columns = NDArray[np.intp]
Values = NDArray[np.float32]

BUCKETS = 4096
"""Columns that all n-grams share by their hashes."""
CHARS_MAX = 600
"""What is read of a goal: how it is asked shows at its beginning, and time is bounded."""
_GRAMS_WEIGHT = 2.0
"""Norm of the words, and of the pieces, beside a vector of norm `_VECTOR_WEIGHT`."""
_VECTOR_WEIGHT = 3.0
_PIECE_CHARS = (3, 4, 5)
_OPENING_WORDS = (2, 3)
_LONG_WORDS = (3, 8, 20)
_TOKEN = re.compile(
    r"\d+(?:[.,:]\d+)*"  # a number
    r"|[\u3040-\u30ff\u3400-\u9fff]"  # Japanese and Chinese, which have no blanks
    r"|(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_])+"  # a word
    r"|[^\w\s]"
)
_NUMBER = "0"
_SIGN_BIT = 31


def tokens(text: str) -> list[str]:
    """Return the words, numbers and signs of the beginning of a text; all numbers are alike."""
    found = _TOKEN.findall(text[:CHARS_MAX].lower())
    return [_NUMBER if token[0].isdigit() else token for token in found]


class Features:
    """Turns utterances into rows, weighted by how rare an n-gram is in what was trained on."""

    def __init__(self, embed: Embed, rarity: Matrix) -> None:
        self._embed = embed
        self.rarity = rarity
        """float32[words or pieces, BUCKETS]: the inverse document frequency of each bucket."""

    @classmethod
    def of(cls, embed: Embed, utterances: Sequence[str]) -> Self:
        """Return those of what is trained on."""
        seen = np.zeros((2, BUCKETS), dtype=np.float32)
        for text in utterances:
            for block, hashes in enumerate(_grams(text)):
                seen[block, list(_counts(hashes))] += 1
        return cls(embed, np.log((1 + len(utterances)) / (1 + seen)) + np.float32(1))

    def matrix(self, utterances: Sequence[str]) -> Matrix:
        """Return float32[utterances, features]: the n-grams, the vector, and a constant 1."""
        vectors = _VECTOR_WEIGHT * self._vectors(utterances)
        rows = np.ones((len(utterances), BUCKETS + vectors.shape[1] + 1), dtype=np.float32)
        rows[:, :BUCKETS] = 0
        rows[:, BUCKETS:-1] = vectors
        for row, text in zip(rows, utterances, strict=True):
            for columns, values in self._blocks(text):
                row[columns] += values
        return rows

    def scores(self, text: str, weights: Matrix) -> Values:
        """Return what an utterance's row and the weights make: float32[intents].

        Only those rows of the weights are read that the utterance has something of.
        """
        # Not `@`: the threads of BLAS wait for each other on a busy machine (see `cosines`).
        vector = _VECTOR_WEIGHT * self._vectors([text])[0]
        result: Values = np.einsum("i,ij->j", vector, weights[BUCKETS:-1]) + weights[-1]
        for columns, values in self._blocks(text):
            result += np.einsum("i,ij->j", values, weights[columns])
        return result

    def _vectors(self, utterances: Sequence[str]) -> Vectors:
        return self._embed([text[:CHARS_MAX] for text in utterances])

    def _blocks(self, text: str) -> Iterator[tuple[Columns, Values]]:
        for hashes, rarity in zip(_grams(text), self.rarity, strict=True):
            counts = _counts(hashes)
            columns = np.fromiter(counts.keys(), dtype=np.intp, count=len(counts))
            values = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
            values = np.sign(values) * np.log1p(np.abs(values)) * rarity[columns]
            norm = math.sqrt(float(np.einsum("i,i->", values, values)))
            yield columns, values * np.float32(_GRAMS_WEIGHT / (norm or 1))


def _counts(hashes: Iterable[int]) -> dict[int, int]:
    """Return how often each bucket is hit; half of the n-grams count backwards.

    Those that fall into one bucket by chance then rather cancel out than add up.
    """
    counts: dict[int, int] = {}
    for each in hashes:
        bucket = each % BUCKETS
        counts[bucket] = counts.get(bucket, 0) + (1 if each >> _SIGN_BIT else -1)
    return counts


def _grams(text: str) -> tuple[list[int], list[int]]:
    """Return the hashes of the words, and of all that is made of them."""
    found = tokens(text)
    words = [_hashed(f"w{word}") for word in found]
    made = [_hashed(f"b{one} {other}") for one, other in pairwise(["^", *found, "$"])]
    made += [_hashed(f"o{' '.join(found[:count])}") for count in _OPENING_WORDS]
    words += [_hashed(f"l{sum(len(found) > length for length in _LONG_WORDS)}")]
    for word in found:
        made += _pieces(word)
    return words, made


@lru_cache(maxsize=16_384)
def _pieces(word: str) -> tuple[int, ...]:
    """Return the hashes of a word's pieces; most words come again."""
    edged = f"<{word}>"
    return tuple(
        _hashed(f"c{edged[at : at + size]}")
        for size in _PIECE_CHARS
        for at in range(len(edged) - size + 1)
    )


def _hashed(gram: str) -> int:
    """Return the same number in every process, as `hash` doesn't."""
    return crc32(gram.encode())
