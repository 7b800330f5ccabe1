"""Writes an index segment. Runs in `cluster.memory.cache.build_child`, once a node and version.

Everything is first written to a folder beside the others, which then gets its name: a segment is
there as a whole or not at all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from cluster.memory.cache.bm25 import Postings
from cluster.memory.cache.puts import Put
from cluster.memory.cache.segment import SOURCES, VECTORS
from cluster.memory.cache.segment_meta import META, RECORDS, UNFINISHED, SegmentMeta, checked, sync
from cluster.memory.cache.segments import PREFIX, remove_segments
from cluster.memory.cache.words import tokens_of
from cluster.memory.knowledge.records import CODE
from cluster.memory.knowledge.vectors import Vectors
from cluster.memory.knowledge.wire import chunk_to_bytes

LINKS = 32
"""Neighbours of a vector in the HNSW graph (twice as many on its lowest level)."""
EF_CONSTRUCTION = 200
TRAINING_ROWS = 20_000


@dataclass(slots=True)
class _Columns:
    """What is gathered of all puts, in their order."""

    rows: list[Vectors] = field(default_factory=list)
    is_code: list[bool] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    words: list[Any] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    put_rows: list[int] = field(default_factory=lambda: [0])
    keys: list[bytes] = field(default_factory=list)
    sources: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, put: Put) -> None:
        """Take a put."""
        if put.chunks:
            self.rows.append(put.vectors.astype(np.float16))
        for chunk in put.chunks:
            self.is_code.append(chunk.kind == CODE)
            self.records.append(chunk_to_bytes(chunk))
            self.words.append(tokens_of(put.searchable(chunk)))
        self.versions.append(put.version)
        self.put_rows.append(len(self.records))
        self.keys.append(put.key.encode())
        self.sources.append(f"{put.key}\0{put.document}\0{put.source}\0{put.path}".encode())
        self.names.append(put.source)


def write_segment(root: Path, meta: SegmentMeta, puts: Iterable[Put]) -> Path:
    """Write a segment of some puts, ascending by version, and return its folder.

    Args:
        root: the namespace's folder; older segments in it are removed.
        meta: what it is of; ``passages``, ``sources`` and ``checks`` are counted here.
        puts: all that the namespace has.

    Raises:
        OSError: the disk is full, or the folder can't be written to.
    """
    for left in root.glob(f"{UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)  # of a build that was killed: this one has the lock
    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=root))
    try:
        columns = _Columns()
        for put in puts:
            columns.add(put)
        _write(folder, columns, meta.dimensions)
        finished = SegmentMeta(
            meta.namespace, meta.version, meta.digest, meta.embedder, meta.dimensions,
            passages=len(columns.records),
            sources=len(columns.versions),
            checks={path.name: checked(path) for path in sorted(folder.iterdir())},
        )  # fmt: skip
        (folder / META).write_text(finished.to_json(), encoding="utf-8")
        sync([*folder.iterdir(), folder])
        final = root / f"{PREFIX}{meta.version:016d}-{meta.digest:012x}"
        shutil.rmtree(final, ignore_errors=True)
        folder.rename(final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove_segments(root, final)
    return final


def _write(folder: Path, columns: _Columns, dimensions: int) -> None:
    rows = _stacked(columns.rows, np.float16, (0, dimensions))
    _save_vectors(folder / VECTORS, rows, dimensions)
    keys = np.array(columns.keys, dtype="S32")
    order = np.argsort(keys)
    words = Postings.of(_stacked(columns.words, np.uint32, (0,)), _starts(columns.words))
    (folder / RECORDS).write_bytes(b"".join(columns.records))
    (folder / SOURCES).write_bytes(b"".join(columns.sources))
    arrays = {
        "rows": rows,
        "is_code": np.array(columns.is_code, dtype=np.bool_),
        "record_starts": _starts(columns.records),
        "put_versions": np.array(columns.versions, dtype=np.int64),
        "put_rows": np.array(columns.put_rows, dtype=np.int64),
        "row_puts": np.repeat(
            np.arange(len(columns.versions), dtype=np.int32), np.diff(columns.put_rows)
        ),
        "heirs": _heirs(columns.names),
        "keys": keys[order],
        "key_puts": order.astype(np.int32),
        "source_starts": _starts(columns.sources),
        "words": words.words,
        "word_starts": words.starts,
        "word_rows": words.rows,
        "word_worths": words.worths,
        "stream": words.stream,
        "stream_starts": words.passage_starts,
        "norms": words.norms,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def _save_vectors(path: Path, rows: Any, dimensions: int) -> None:
    """Build the graph over codes of one byte a number; takes 0.2 ms a vector on one core."""
    faiss.omp_set_num_threads(1)
    library: Any = faiss  # its stubs miss this constructor
    index = library.IndexHNSWSQ(
        dimensions,
        faiss.ScalarQuantizer.QT_8bit_uniform,
        LINKS,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.hnsw.efConstruction = EF_CONSTRUCTION
    if len(rows):
        floats = rows.astype(np.float32)
        index.train(floats[:: max(1, len(floats) // TRAINING_ROWS)])
        index.add(floats)
    faiss.write_index(index, str(path))


def _stacked(parts: Sequence[Any], kind: Any, empty: tuple[int, ...]) -> Any:
    return np.concatenate(parts) if parts else np.empty(empty, dtype=kind)


def _starts(parts: Sequence[Any]) -> Any:
    """Return where each of some parts begins when they follow each other: int64[parts + 1]."""
    lengths = np.fromiter((len(part) for part in parts), dtype=np.int64, count=len(parts))
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def _heirs(names: Sequence[str]) -> Any:
    """Return for each put the next later one whose source is called the same, else -1."""
    heirs = np.full(len(names), -1, dtype=np.int32)
    later: dict[str, int] = {}
    for put in range(len(names) - 1, -1, -1):
        heirs[put] = later.get(names[put], -1)
        later[names[put]] = put
    return heirs
