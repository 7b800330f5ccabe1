"""An index segment: a namespace as it was at a version, in files that all processes of a node map.

Written by `cluster.memory.cache.building` in a process of its own, read by `cluster.memory.cache.
view`. It never changes; what changed since is said by the view. A row is a passage; the rows of a
put follow each other, and puts are in the order of their versions.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self
from weakref import finalize

import faiss
import numpy as np
from numpy.typing import NDArray

from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.bm25 import Postings, WordPart
from cluster.memory.cache.filters import Filter
from cluster.memory.cache.rows import Allowed, Mask, Origin, rows_of_kind
from cluster.memory.cache.segment_meta import META, RECORDS, BrokenSegment, SegmentMeta, checked
from cluster.memory.cache.source_table import SourceTable
from cluster.memory.knowledge.vectors import Rows, Scores, Vector, cosines
from cluster.memory.knowledge.wire import passage_from_bytes

VECTORS: Final = "vectors.faiss"
SOURCES: Final = "sources.bin"
ARRAYS: Final = (
    "rows", "is_code", "record_starts",
    "put_versions", "put_rows", "row_puts", "heirs", "keys", "key_puts", "source_starts",
    "words", "word_starts", "word_rows", "word_worths", "stream", "stream_starts", "norms",
)  # fmt: skip
EF_SEARCH = 160
"""Candidates that HNSW keeps: recall@8 0.992 at 100,000 x 256 (benchmark cache.lookup)."""
RESCORED = 2
"""Candidates for each passage wanted, which are compared again by their exact vectors."""
EXACT_ROWS_MAX = 4_096
"""So few rows of a segment are all compared, where a filter leaves no more: 2 ms."""
FILTERS_MAX = 8
"""Filters that a part keeps the rows of."""


class Segment:
    """The files of a segment, mapped; whoever searches may do so from several threads.

    Args:
        folder: where they are.
        meta: what they are of.
        lease: descriptor of a locked file, which tells others on the node that somebody has it;
            closed with the segment.
    """

    def __init__(self, folder: Path, meta: SegmentMeta, lease: int) -> None:
        finalize(self, os.close, lease)
        self.meta = meta
        self.folder = folder
        arrays = {name: _loaded(folder / f"{name}.npy") for name in ARRAYS}
        self.bytes = sum(size for size, _ in meta.checks.values())
        self.rows: NDArray[np.float16] = arrays["rows"]
        self.is_code: NDArray[np.bool_] = arrays["is_code"]
        self._record_starts: NDArray[np.int64] = arrays["record_starts"]
        self._records = _mapped(folder / RECORDS)
        self.sources = SourceTable(arrays, _mapped(folder / SOURCES))
        self.words = Postings(
            words=arrays["words"],
            starts=arrays["word_starts"],
            rows=arrays["word_rows"],
            worths=arrays["word_worths"],
            stream=arrays["stream"],
            passage_starts=arrays["stream_starts"],
            norms=arrays["norms"],
        )
        self._index: Any = faiss.read_index(str(folder / VECTORS), faiss.IO_FLAG_MMAP_IFC)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map a segment whose files are what was written; reads each once, 1 s a gigabyte.

        Raises:
            BrokenSegment: they aren't.
            OSError: one can't be read.
        """
        with (folder / META).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            meta = SegmentMeta.from_json(file.read())
            for name, check in meta.checks.items():
                if checked(folder / name) != check:
                    raise BrokenSegment(f"the file {name} of an index segment is damaged")
            try:
                # The copy has the lock as well, and keeps it.
                return cls(folder, meta, os.dup(file.fileno()))
            except (ValueError, RuntimeError, KeyError) as error:
                raise BrokenSegment("an index segment can't be read") from error

    def __len__(self) -> int:
        """Return the number of passages, dead ones included."""
        return self.meta.passages

    def record(self, row: int) -> bytes:
        """Return a passage as it is stored."""
        start, end = self._record_starts[row : row + 2].tolist()
        return self._records[start:end].tobytes()

    def text_spans(self, dead: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Return where in the file of texts those of some puts are, by their versions.

        Those whose texts were taken out are left out.
        """
        spans = {}
        for version in dead:
            put = self.sources.put_of_version(version)
            if put is not None:
                first, end = self._record_starts[self.sources.put_rows[put : put + 2]].tolist()
                if self._records[first:end].any():
                    spans[version] = first, end
        return spans

    def cosines(self, rows: Rows, vector: NDArray[np.float32]) -> Scores:
        """Return the exact cosines of some rows and a vector: float32[rows]."""
        return cosines(self.rows[rows].astype(np.float32), vector)

    def nearest(
        self, vector: NDArray[np.float32], count: int, selected: NDArray[np.uint8] | None
    ) -> Rows:
        """Return some more rows than ``count`` that are near a vector, in no certain order.

        Args:
            vector: float32[dimensions], unit L2 norm.
            count: how many are wanted.
            selected: a bit for each row, that says whether it may be among them; None for all.
        """
        wanted = min(len(self), max(RESCORED * count, 16))
        library: Any = faiss  # its stubs know neither
        selector = None if selected is None else library.IDSelectorBitmap(selected)
        # Given here, it is kept as long as the parameters; set later, it would not be.
        search = library.SearchParametersHNSW(efSearch=max(EF_SEARCH, wanted), sel=selector)
        _, found = self._index.search(vector[None, :], wanted, params=search)
        rows: Rows = found[0]
        return rows[rows >= 0]


class SegmentPart:
    """A segment without its dead puts."""

    def __init__(self, segment: Segment, dead: frozenset[int] = frozenset()) -> None:
        self.segment = segment
        self.dead = dead
        """Versions of puts."""
        self.words: WordPart = segment.words
        self._allowed: dict[Filter, Allowed] = {}

    def without(self, dead: frozenset[int]) -> Self:
        """Return it with more dead puts; what isn't a put of it is passed over."""
        mine = {each for each in dead if self.segment.sources.put_of_version(each) is not None}
        return type(self)(self.segment, self.dead | mine) if mine else self

    def allowed(self, where: Filter) -> Allowed:
        """Return the rows that may be found."""
        allowed = self._allowed.get(where)
        if allowed is None:
            if len(self._allowed) >= FILTERS_MAX:
                self._allowed.clear()
            allowed = self._allowed[where] = self._selected(where)
        return allowed

    def near(self, vector: Vector, count: int, allowed: Allowed) -> Rows:
        """Return rows near a vector, by the graph unless few are allowed."""
        if allowed.rows is not None:
            return allowed.rows
        return self.segment.nearest(vector, count, allowed.bits)

    def cosines(self, rows: Rows, vector: Vector) -> Scores:
        """Return the exact cosines of some rows."""
        return self.segment.cosines(rows, vector)

    def origin(self, row: int) -> Origin:
        """Return what a passage is of."""
        put = self.segment.sources.put_of_row(row)
        _, document, source, path = self.segment.sources.source(put)
        return Origin(int(self.segment.sources.versions[put]), source, path, document)

    def passage(self, row: int, source: str, document: str, score: float) -> Passage:
        """Return a passage as it is cited."""
        return passage_from_bytes(self.segment.record(row), source, document, score)

    def has_later(self, origin: Origin) -> bool:
        """Say whether a later put here, alive, has the same name."""
        if not self.segment.sources.has_heirs:
            return False
        put = self.segment.sources.put_of_version(origin.version)
        while put is not None and (put := self.segment.sources.heir(put)) >= 0:
            if int(self.segment.sources.versions[put]) not in self.dead:
                return True
        return False

    @cached_property
    def _alive(self) -> Mask:
        alive = np.ones(len(self.segment), dtype=np.bool_)
        for version in self.dead:
            put = self.segment.sources.put_of_version(version)
            assert put is not None
            start, end = self.segment.sources.put_rows[put : put + 2]
            alive[start:end] = False
        return alive

    def _selected(self, where: Filter) -> Allowed:
        mask = rows_of_kind(self._alive, self.segment.is_code, where.kind)
        if where.is_of_sources:
            puts = (self.segment.sources.source(put) for put in range(self.segment.meta.sources))
            has = np.fromiter((where.has(source, path) for _, _, source, path in puts), np.bool_)
            mask = mask & np.repeat(has, np.diff(self.segment.sources.put_rows))
        count = int(np.count_nonzero(mask))
        if count <= EXACT_ROWS_MAX:
            return Allowed(mask, np.flatnonzero(mask))
        bits = None if count == len(mask) else np.packbits(mask, bitorder="little")
        return Allowed(mask, None, bits)


def _loaded(path: Path) -> NDArray[Any]:
    # A plain view: taking pieces of a memmap is several times slower.
    array: NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    return array


def _mapped(path: Path) -> NDArray[np.uint8]:
    if not path.stat().st_size:
        return np.empty(0, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
