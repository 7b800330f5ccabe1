"""The place of a namespace in a host's cache: its copy, kept current, and the segments under it.

Used by `cluster.memory.cache.knowledge_cache`. Reading, opening and building each happen in a task
of their own, never in a look-up's, unless it has to wait for what it was promised.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError, Stopped, StoreUnavailable
from cluster.memory.cache.builder import BuildFailed
from cluster.memory.cache.care import Care, Searched
from cluster.memory.cache.copy import Copy, Torn
from cluster.memory.cache.node_segments import NodeSegments
from cluster.memory.cache.segment import Segment
from cluster.memory.cache.view import KnowledgeView
from cluster.memory.knowledge.embedder import Embedder
from cluster.memory.knowledge.side_thread import Aside
from cluster.memory.namespaces.port import Namespaces

BEGINNINGS_MAX = 3
"""So often a copy is begun anew, of a store that loses entries while they are read."""
OTHERS_BUILD_S = 0.2
"""Between two looks whether another process has built the segment that this one waits for."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Upkeep:
    """What decides when a namespace is tended again."""

    built_at: float = -math.inf
    died_at: float = math.inf
    """When the first of what is dead in its segment died."""
    is_failing: bool = False


class Shelf:
    """A namespace on a host.

    Args:
        name: of the namespace.
        namespaces: the central store.
        embedder: whose vectors are compared.
        aside: where is computed.
        clock: tells when segments are due.
        root: the folder of its segments on this node; None where everything stays in memory.
    """

    def __init__(
        self,
        name: str,
        namespaces: Namespaces,
        embedder: Embedder,
        aside: Aside,
        *,
        clock: Clock,
        root: Path | None,
    ) -> None:
        self.name = name
        self.trouble = ""
        """Why there is no segment where there should be one; empty if all is well."""
        self._namespaces = namespaces
        self._embedder = embedder
        self._aside = aside
        self._clock = clock
        self.segments = (
            NodeSegments(name, root, namespaces, embedder, aside, say=self._say)
            if root is not None
            else None
        )
        self.copy: Copy | None = None
        """What is there of it; None until it was read for the first time."""
        self.behind_since = math.inf
        """Since when it isn't known to be what the store has; infinite while it is."""
        self._upkeep = _Upkeep()
        self._refreshing: asyncio.Task[None] | None = None
        self._waiting = 0
        """How many wait for what is being read."""
        self._is_again = False
        self._tending: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody may be waiting for it."""
        return self.copy is None or self._refreshing is not None or self._waiting > 0

    @property
    def view(self) -> KnowledgeView | None:
        """What can be searched."""
        return self.copy.view if self.copy is not None else None

    def is_behind(self, version: int, digest: int | None) -> bool:
        """Say whether the store has something else than what can be searched."""
        view = self.view
        return view is not None and (view.version != version or digest not in {None, view.digest})

    def hear(self) -> None:
        """Read what is new, in the background; once more, where that is under way."""
        if self.copy is not None or self._refreshing is not None:
            self._is_again = self._refreshing is not None
            self._start_refresh()

    async def refresh(self) -> None:
        """Wait until what the store has now can be searched, together with all who wait for it.

        Raises:
            StoreUnavailable: the store does not answer, or has lost documents.
            UsageError: the vectors are of another embedder.
        """
        reading = self._start_refresh()
        self._waiting += 1
        try:
            # One who stops waiting must not stop the others' reading.
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if reading.cancelled() and waiter is not None and not waiter.cancelling():
                raise Stopped("the knowledge base is shutting down") from None
            raise
        finally:
            self._waiting -= 1

    def _start_refresh(self) -> asyncio.Task[None]:
        if self._refreshing is None:
            self._refreshing = self._started(self._refresh(), self._refreshed)
        return self._refreshing

    def tend(self) -> None:
        """Take the newest segment, or build one that is due, in the background.

        Called every second or so.
        """
        copy, now = self.copy, self._clock.now()
        if copy is None or self._tending is not None:
            return
        self._upkeep.died_at = min(self._upkeep.died_at, now) if copy.dead else math.inf
        care = self._searched(copy).care(now)
        if care is not Care.NOTHING:
            self._tending = self._started(self._tend(care, copy), self._tended)

    async def close(self) -> None:
        """Stop what is under way, and forget what was read."""
        self._is_again = False
        under_way = [each for each in (self._refreshing, self._tending) if each is not None]
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        self.copy = None

    def _started(
        self, work: Coroutine[Any, Any, None], ended: Callable[[asyncio.Task[None]], None]
    ) -> asyncio.Task[None]:
        started = asyncio.create_task(work, name=f"knowledge {self.name}")
        started.add_done_callback(ended)
        return started

    def _refreshed(self, reading: asyncio.Task[None]) -> None:
        self._refreshing = None
        if self._is_again and not reading.cancelled():
            self._is_again = False
            self._start_refresh()
        if not reading.cancelled():
            reading.exception()  # whoever waits has it; where nobody does, the next look-up will

    def _tended(self, tending: asyncio.Task[None]) -> None:
        self._tending = None
        if not tending.cancelled() and (error := tending.exception()) is not None:
            self._upkeep.is_failing = True
            is_known = isinstance(error, ClusterError | BuildFailed | OSError)
            self._say(f"the index of {self.name}: {error if is_known else repr(error)}")

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            _log.warning("%s", trouble)
        self.trouble = trouble

    async def _refresh(self) -> None:
        copy, is_new = self.copy, False
        if copy is None:
            copy, is_new = await self._begun(), True
        for _ in range(BEGINNINGS_MAX):
            try:
                await copy.advance()
            except Torn:
                if copy.segment is not None and self.segments is not None:
                    await self.segments.reject(copy.segment.folder)
                copy, is_new = self._new_copy(None), True
            else:
                if is_new:
                    self.copy = copy
                self.behind_since = math.inf
                return
        raise StoreUnavailable(f"the store loses entries of the knowledge {self.name} all the time")

    async def _begun(self) -> Copy:
        """Begin with a segment, which is built first where there is so much that it needs one."""
        while self.segments is not None:
            try:
                segment = await self.segments.newest()
                if segment is not None:
                    return self._new_copy(segment)
                if not await self.segments.is_needed():
                    break
                if not await self.segments.build():
                    await asyncio.sleep(OTHERS_BUILD_S)
            except (BuildFailed, OSError) as error:
                self._upkeep.built_at, self._upkeep.is_failing = self._clock.now(), True
                self._say(f"the knowledge {self.name} is searched without an index: {error}")
                break
        return self._new_copy(None)

    def _searched(self, copy: Copy) -> Searched:
        segment, segments = copy.segment, self.segments
        return Searched(
            segment_passages=len(segment) if segment is not None else 0,
            delta_passages=copy.delta_passages,
            dead_passages=copy.dead_passages,
            has_newer=segments is not None and segments.has_newer(segment),
            died_at=self._upkeep.died_at,
            built_at=self._upkeep.built_at,
            is_failing=self._upkeep.is_failing,
            can_build=segments is not None,
        )

    async def _tend(self, care: Care, copy: Copy) -> None:
        if care is Care.TIDY or self.segments is None:
            await copy.tidy()
        elif care is Care.BUILD:
            await self._rebuild(self.segments, copy)
        else:
            await self._replace(copy, await self.segments.newest())

    async def _rebuild(self, segments: NodeSegments, copy: Copy) -> None:
        """Build another segment, or do without where little is left."""
        try:
            if not await segments.is_needed():
                await segments.clear()
                await self._replace(copy, None)
                return
            segment = copy.segment
            if segment is not None and await segments.scrub(segment, copy.dead):
                await self._replace(copy, await segments.newest())
            if await segments.build():
                await self._replace(self.copy or copy, await segments.newest())
        finally:
            self._upkeep.built_at = self._clock.now()

    async def _replace(self, before: Copy, segment: Segment | None) -> None:
        """Search a copy that begins with another segment, and has none of the dead."""
        copy = self._new_copy(segment, before)
        try:
            await copy.advance()
            # Where the store has gone back to before that, the next look begins another copy.
            while copy.version < before.version and self.copy is before:
                await copy.advance()
        except Torn:
            if segment is not None and self.segments is not None:
                await self.segments.reject(segment.folder)
            return  # the next look finds out whether the store has lost something
        if self.copy is before:
            self.copy = copy
            self.trouble, self._upkeep.is_failing = "", False
            # What is being read goes to the copy before, and may be newer than what this one has.
            self._is_again = self._is_again or self._refreshing is not None

    def _new_copy(self, segment: Segment | None, before: Copy | None = None) -> Copy:
        known = before.alive if before is not None else None
        return Copy(
            self.name,
            self._namespaces,
            self._embedder,
            self._aside,
            segment=segment,
            known=known,
        )
