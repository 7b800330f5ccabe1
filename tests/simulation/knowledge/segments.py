"""The simulated disk of a node: segments that are kept in memory, and outlive their processes.

What `cluster.memory.cache.node_segments` does with files, processes and faiss is done here with the
puts themselves, searched as a delta is. When one is built, taken, rejected or cleared is decided by
the real code. The hosts of a node share its segments and the lock of who builds one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from cluster.memory.cache import copy, node_segments, shelf
from cluster.memory.cache.builder import BuildFailed
from cluster.memory.cache.delta import DeltaIndex, DeltaPart
from cluster.memory.cache.puts import Put
from cluster.memory.cache.segment_meta import BrokenSegment, SegmentMeta
from cluster.memory.cache.segments import PREFIX
from cluster.memory.namespaces.port import Namespaces, SourceEntry
from tests.simulation.faults import Faults
from tests.simulation.loop import PROCESS, Process
from tests.simulation.run import Scale

BUILD_S = (0.01, 0.4)
DOCUMENTS_PER_READ = 3


class SimSegment:
    """`cluster.memory.cache.segment.Segment` in memory; also what its puts are by their keys."""

    def __init__(self, folder: Path, meta: SegmentMeta, puts: Sequence[Put]) -> None:
        self.folder = folder
        self.delta = DeltaIndex(meta.dimensions)
        for put in puts:
            self.delta.add(put)
        self.meta = replace(meta, passages=len(self.delta), sources=len(puts))
        self.bytes = self.delta.bytes
        self._known = {put.key: (put.version, put.document) for put in puts}

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self.delta)

    @property
    def sources(self) -> Self:
        """What was put, by its keys."""
        return self

    def find(self, key: str) -> tuple[int, str] | None:
        """Return version and document of a source, as they were."""
        return self._known.get(key)


class SimSegmentPart(DeltaPart):
    """`cluster.memory.cache.segment.SegmentPart` of a `SimSegment`."""

    def __init__(self, segment: SimSegment, dead: frozenset[int] = frozenset()) -> None:
        super().__init__(segment.delta, dead)
        self.segment = segment

    def without(self, dead: frozenset[int]) -> Self:
        """Return it with more dead puts; what isn't a put of it is passed over."""
        mine = dead & self.segment.delta.puts.keys()
        return type(self)(self.segment, self.dead | mine) if mine else self


class Disks:
    """The folders of all nodes of a run."""

    def __init__(self, rng: random.Random, faults: Faults) -> None:
        self.built = 0
        self._random = rng
        self._faults = faults
        self._roots: dict[Path, dict[Path, SimSegment]] = {}
        self._locks: dict[Path, Process | None] = {}

    def scales(self) -> tuple[Scale, ...]:
        """Return what stands in for what, during a run."""
        return (
            (shelf, "Segment", SimSegment),
            (copy, "SegmentPart", SimSegmentPart),
            (node_segments, "Segment", self),
            (node_segments, "newest_segment", self.newest),
            (node_segments, "remove_segments", self.remove_all),
            (node_segments, "build_lock", self.lock),
            (node_segments, "build_segment", self.build),
            (node_segments, "_remove", self.remove),
        )

    def newest(self, root: Path) -> Path | None:
        """Return the segment of the highest version in a namespace's folder."""
        return max(self._roots.get(root, {}), default=None, key=lambda path: path.name)

    def open(self, path: Path) -> SimSegment:
        """Map a segment."""
        segment = self._roots.get(path.parent, {}).get(path)
        if segment is None:
            raise FileNotFoundError(path)
        if self._faults.happens("segment damaged"):
            raise BrokenSegment("an index segment is damaged")
        return segment

    def remove(self, path: Path) -> None:
        """Remove a segment; who has mapped it keeps it."""
        self._roots.get(path.parent, {}).pop(path, None)

    def remove_all(self, root: Path, kept: Path | None = None) -> None:
        """Remove segments but one."""
        for path in list(self._roots.get(root, {})):
            if path != kept:
                self.remove(path)

    @contextmanager
    def lock(self, root: Path) -> Iterator[bool]:
        """Hold a namespace's lock; a dead process holds none."""
        holder = self._locks.get(root)
        if holder is not None and holder.is_alive:
            yield False
            return
        if self._faults.happens("disk full"):
            raise OSError("no space is left on the simulated device")
        mine = self._locks[root] = PROCESS.get()
        try:
            yield True
        finally:
            if self._locks[root] is mine:
                self._locks[root] = None

    async def build(
        self, root: Path, meta: SegmentMeta, entries: Sequence[SourceEntry], namespaces: Namespaces
    ) -> None:
        """Build a segment, as the child process does."""
        puts = []
        for at in range(0, len(entries), DOCUMENTS_PER_READ):
            some = entries[at : at + DOCUMENTS_PER_READ]
            stored = await namespaces.documents([each.document for each in some])
            for entry, data in zip(some, stored, strict=True):
                if data is None:
                    raise BuildFailed("a document was replaced while an index was built of it")
                puts.append(Put.of(entry, data))
        await asyncio.sleep(self._random.uniform(*BUILD_S))
        if self._faults.happens("build failed"):
            raise BuildFailed("the simulated process was killed")
        path = root / f"{PREFIX}{meta.version:016d}-{meta.digest:012x}"
        self._roots.setdefault(root, {})[path] = SimSegment(path, meta, puts)
        self.remove_all(root, path)
        self.built += 1
