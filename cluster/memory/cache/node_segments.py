"""The segments of one namespace on this node: the newest one opened, another one built.

Used by `cluster.memory.cache.shelf`, one call at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.memory.cache.builder import BuildFailed, build_segment
from cluster.memory.cache.care import SEGMENT_PASSAGES_MIN
from cluster.memory.cache.scrubbing import scrub
from cluster.memory.cache.segment import Segment
from cluster.memory.cache.segment_meta import BrokenSegment, SegmentMeta
from cluster.memory.cache.segments import build_lock, newest_segment, remove_segments
from cluster.memory.knowledge.embedder import Embedder
from cluster.memory.knowledge.side_thread import Aside
from cluster.memory.knowledge.wire import record_from_bytes
from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import Namespaces, SourceEntry


class NodeSegments:
    """A folder of segments.

    Args:
        name: of the namespace.
        root: its folder, which other processes of the node use as well.
        namespaces: the central store.
        embedder: whose vectors are compared.
        aside: where is computed.
        say: takes a sentence on what is wrong.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        namespaces: Namespaces,
        embedder: Embedder,
        aside: Aside,
        *,
        say: Callable[[str], None],
    ) -> None:
        self.builds = 0
        """Segments that this process has had built."""
        self._name = name
        self._root = root
        self._namespaces = namespaces
        self._embedder = embedder
        self._aside = aside
        self._say = say

    def has_newer(self, segment: Segment | None) -> bool:
        """Say whether there is one that should be searched instead of this one."""
        newest = newest_segment(self._root)
        return newest is not None and (segment is None or newest != segment.folder)

    async def newest(self) -> Segment | None:
        """Map the newest segment; what is damaged is removed, and said.

        Raises:
            OSError: it can't be read for another reason.
        """
        while (path := newest_segment(self._root)) is not None:
            try:
                segment: Segment = await self._aside(Segment.open, path)
            except (FileNotFoundError, BlockingIOError):
                continue  # a newer one takes its place, or it is being removed
            except BrokenSegment as error:
                self._say(f"{error}: it is built anew ({path})")
                await self.reject(path)
            else:
                return segment
        return None

    async def reject(self, path: Path) -> None:
        """Remove a segment that can't be read, or is not of this store's log."""
        await self._aside(_remove, path)

    async def is_needed(self) -> bool:
        """Say whether the namespace has so much that it needs a segment."""
        log = await self._namespaces.entries(self._name)
        passages: int = await self._aside(_passages_of, log.entries)
        return passages >= SEGMENT_PASSAGES_MIN

    async def build(self) -> bool:
        """Build a segment of what the store has now; False where another process does.

        Raises:
            BuildFailed: it can't be built.
            StoreUnavailable: the store does not answer.
            OSError: the folder can't be written to.
        """
        with build_lock(self._root) as is_ours:
            if not is_ours:
                return False
            log = await self._namespaces.entries(self._name)
            live = [each for each in log.entries if each.document]
            digest = await self._aside(_digest_of, live)
            if log.digest not in {None, digest}:
                raise BuildFailed(f"the store lost entries of {self._name} while they were read")
            embedder = self._embedder
            meta = SegmentMeta(
                self._name, log.version, digest, embedder.name, embedder.dimensions, 0, 0, {}
            )
            await build_segment(self._root, meta, live, self._namespaces)
            self.builds += 1
        return True

    async def scrub(self, segment: Segment, dead: frozenset[int]) -> bool:
        """Take the texts of what is dead out of a segment; say whether another takes its place.

        Raises:
            OSError: the folder can't be written to.
        """
        with build_lock(self._root) as is_ours:
            if not is_ours or self.has_newer(segment):
                return False
            spans = await self._aside(segment.text_spans, dead)
            if spans:
                kept = await self._aside(scrub, segment.folder, segment.meta, spans)
                await self._aside(remove_segments, self._root, kept)
            return bool(spans)

    async def clear(self) -> None:
        """Remove all, unless another process is building one.

        Raises:
            OSError: the folder can't be written to.
        """
        with build_lock(self._root) as is_ours:
            if is_ours:
                await self._aside(remove_segments, self._root)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _passages_of(entries: Sequence[SourceEntry]) -> int:
    return sum(record_from_bytes(each.record).passages for each in entries if each.document)


def _digest_of(entries: Sequence[SourceEntry]) -> int:
    digests = (entry_digest(each.key, each.version, each.document) for each in entries)
    return sum(digests) % DIGEST_MODULUS
