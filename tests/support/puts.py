"""Puts for tests of the knowledge cache: texts as sources of one passage each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cluster.memory.cache.building import write_segment
from cluster.memory.cache.delta import DeltaIndex, DeltaPart
from cluster.memory.cache.puts import Put
from cluster.memory.cache.segment import Segment, SegmentPart
from cluster.memory.cache.segment_meta import SegmentMeta
from cluster.memory.cache.view import IndexPart, KnowledgeView
from cluster.memory.knowledge.records import Chunk
from cluster.memory.knowledge.vectors import Vectors

EAST, NORTH = np.eye(2, dtype=np.float32)
NOWHERE = np.zeros(2, dtype=np.float32)


def put(version: int, *chunks: Chunk, source: str = "", vectors: Vectors | None = None) -> Put:
    """Return a put whose passages point east if it is the first, and else north."""
    if vectors is None:
        vectors = np.array([EAST if version == 1 else NORTH] * len(chunks))
    source = source or f"docs/{version - 1}.md"
    key, document = f"{version:032x}", f"{version + 1_000:032x}"
    return Put(version, key, document, source, f"/srv/{version}/{source}", "e", chunks, vectors)


def text_put(version: int, text: str) -> Put:
    """Return a put of one passage."""
    return put(version, Chunk(1, 1, text))


def delta_part(puts: Sequence[Put], dead: frozenset[int] = frozenset()) -> DeltaPart:
    """Return puts as a part in memory."""
    delta = DeltaIndex(puts[0].vectors.shape[1] if puts else 2)
    for each in puts:
        delta.add(each)
    return DeltaPart(delta, dead)


def segment_of(root: Path, puts: Sequence[Put]) -> Segment:
    """Return puts as a segment, written to a folder."""
    root.mkdir(parents=True, exist_ok=True)
    version = puts[-1].version if puts else 0
    dimensions = puts[0].vectors.shape[1] if puts else 2
    meta = SegmentMeta("n", version, 0, "e", dimensions, 0, 0, {})
    return Segment.open(write_segment(root, meta, puts))


def part_of(kind: str, root: Path, puts: Sequence[Put]) -> IndexPart:
    """Return puts as a part of either kind."""
    return delta_part(puts) if kind == "delta" else SegmentPart(segment_of(root, puts))


def view_of(*parts: IndexPart) -> KnowledgeView:
    """Return a view of parts."""
    return KnowledgeView(1, 0, parts)
