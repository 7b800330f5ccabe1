"""What has come to a namespace since its segment was built: in memory, searched exactly.

Used by `cluster.memory.cache.view`. A small namespace is nothing but this. It only grows: what
died in it is said by its part, and a delta that has too much of that is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.bm25 import LooseWords, WordIndex, WordPart, norms_of
from cluster.memory.cache.filters import Filter
from cluster.memory.cache.puts import Put
from cluster.memory.cache.rows import Allowed, Mask, Origin, rows_of_kind
from cluster.memory.cache.words import Tokens, tokens_of
from cluster.memory.knowledge.records import CODE, Chunk
from cluster.memory.knowledge.vectors import Rows, Scores, Vector, cosines
from cluster.memory.knowledge.wire import passage_of

_ROOM = 64


class _Column:
    """An array that grows at its end; what was taken of it before stays as it was."""

    def __init__(self, kind: Any, *, width: int = 0) -> None:
        self._data = np.empty((_ROOM, width) if width else _ROOM, dtype=kind)
        self._count = 0

    def extend(self, more: Any) -> None:
        """Append to it."""
        end = self._count + len(more)
        if end > len(self._data):
            shape = (max(2 * len(self._data), end), *self._data.shape[1:])
            grown = np.empty(shape, dtype=self._data.dtype)
            grown[: self._count] = self._data[: self._count]
            self._data = grown
        self._data[self._count : end] = more
        self._count = end

    @property
    def array(self) -> Any:
        """What it has, without a copy."""
        return self._data[: self._count]


@dataclass(frozen=True, slots=True)
class DeltaPut:
    """A put in a delta."""

    put: Put
    tokens: tuple[Tokens, ...]
    """The words of each passage."""


@dataclass(frozen=True, slots=True)
class DeltaState:
    """A delta as it is at a moment; what is added later isn't in it."""

    vectors: NDArray[np.float32]
    is_code: NDArray[np.bool_]
    owners: NDArray[np.int64]
    """int64[passages]: the version of the put that each is of."""
    stream: Tokens
    """All words, one passage after the other."""
    lengths: NDArray[np.int64]
    """int64[passages]: how many of them are of each."""
    index: WordIndex

    @property
    def words(self) -> LooseWords:
        """The words, found out in some microseconds a thousand passages."""
        return LooseWords(
            index=self.index,
            stream=self.stream,
            passage_starts=np.concatenate(([0], np.cumsum(self.lengths))),
            norms=norms_of(self.lengths),
        )

    def __len__(self) -> int:
        """Return the number of passages, dead ones included."""
        return len(self.owners)

    def cosines(self, rows: Rows, vector: NDArray[np.float32]) -> Scores:
        """Return the cosines of some rows and a vector: float32[rows]."""
        return cosines(self.vectors[rows], vector)


class DeltaIndex:
    """Puts and their passages, rows counted from 0.

    Args:
        dimensions: of a vector.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.puts: dict[int, DeltaPut] = {}
        """By their versions, dead ones included."""
        self.bytes = 0
        """What is held, about."""
        self._vectors = _Column(np.float32, width=dimensions)
        self._is_code = _Column(np.bool_)
        self._owners = _Column(np.int64)
        self._stream = _Column(np.uint32)
        self._words = WordIndex()
        self._lengths = _Column(np.int64)
        self._names: dict[str, list[int]] = {}
        self._chunks: list[tuple[Put, Chunk]] = []

    def __len__(self) -> int:
        """Return the number of passages, dead ones included."""
        return len(self._chunks)

    def add(self, put: Put, tokens: tuple[Tokens, ...] | None = None) -> None:
        """Take a put; its words are found out, 60 us a passage, unless they are known."""
        if tokens is None:
            tokens = tuple(tokens_of(put.searchable(chunk)) for chunk in put.chunks)
        first = len(self)
        self.puts[put.version] = DeltaPut(put, tokens)
        self._names.setdefault(put.source, []).append(put.version)
        if put.chunks:
            self._vectors.extend(put.vectors)
        self._is_code.extend([chunk.kind == CODE for chunk in put.chunks])
        self._owners.extend(np.full(len(put.chunks), put.version))
        for row, words in enumerate(tokens, first):
            self._stream.extend(words)
            self._words.add(row, words)
        self._lengths.extend([len(words) for words in tokens])
        self._chunks += [(put, chunk) for chunk in put.chunks]
        self.bytes += put.vectors.nbytes + sum(16 * len(words) for words in tokens)
        self.bytes += sum(len(chunk.text) + len(chunk.context) for chunk in put.chunks)

    def state(self) -> DeltaState:
        """Return what it has, as it is now; takes some microseconds."""
        return DeltaState(
            vectors=self._vectors.array,
            is_code=self._is_code.array,
            owners=self._owners.array,
            stream=self._stream.array,
            lengths=self._lengths.array,
            index=self._words,
        )

    def passage(self, row: int) -> tuple[Put, Chunk]:
        """Return a passage and what it is of."""
        return self._chunks[row]

    def versions_named(self, source: str) -> list[int]:
        """Return the versions of the puts whose sources are called so, dead ones included."""
        return self._names.get(source, [])


class DeltaPart:
    """A delta as it is now, without its dead puts."""

    def __init__(self, delta: DeltaIndex, dead: frozenset[int] = frozenset()) -> None:
        self.dead = dead
        """Versions of puts."""
        self.state = delta.state()
        self._delta = delta

    @cached_property
    def words(self) -> WordPart:
        """Its words: found out for the first search, since most versions are never searched."""
        return self.state.words

    def allowed(self, where: Filter) -> Allowed:
        """Return the rows that may be found."""
        mask = rows_of_kind(self._alive, self.state.is_code, where.kind)
        if where.is_of_sources:
            puts = (self._delta.passage(row)[0] for row in range(len(mask)))
            has = np.fromiter((where.has(each.source, each.path) for each in puts), np.bool_)
            mask = mask & has
        return Allowed(mask, np.flatnonzero(mask))

    def near(self, _vector: Vector, _count: int, allowed: Allowed) -> Rows:
        """Return all rows: there are few."""
        assert allowed.rows is not None
        return allowed.rows

    def cosines(self, rows: Rows, vector: Vector) -> Scores:
        """Return the exact cosines of some rows."""
        return self.state.cosines(rows, vector)

    def origin(self, row: int) -> Origin:
        """Return what a passage is of."""
        put, _ = self._delta.passage(row)
        return Origin(put.version, put.source, put.path, put.document)

    def passage(self, row: int, source: str, document: str, score: float) -> Passage:
        """Return a passage as it is cited."""
        _, chunk = self._delta.passage(row)
        return passage_of(chunk, source, document, score)

    def has_later(self, origin: Origin) -> bool:
        """Say whether a later put here, alive, has the same name."""
        named = self._delta.versions_named(origin.source)
        return any(each > origin.version and each not in self.dead for each in named)

    @cached_property
    def _alive(self) -> Mask:
        if not self.dead:
            return np.ones(len(self.state), dtype=np.bool_)
        alive: Mask = ~np.isin(self.state.owners, np.fromiter(self.dead, np.int64))
        return alive
