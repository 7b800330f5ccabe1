"""The feed's twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.feed.redis` passes, on a clock that is handed
in. Only `wait` ever waits, in the event loop's time, which may be a simulated one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import TaskId
from cluster.memory.feed.port import (
    ENDED_KEPT_S,
    ENTRIES_MAX,
    SILENT_KEPT_S,
    FeedEntry,
    FeedPage,
    FeedTail,
    checked_append,
    leaves_gap,
    superseded,
)


@dataclass(slots=True)
class _KeptFeed:
    """What is kept of one feed."""

    tail: FeedTail = field(default_factory=FeedTail)
    entries: deque[FeedEntry] = field(default_factory=deque)
    trimmed: Cursor = BEFORE_ALL
    term: int = 0
    """The latest that has begun."""
    expires_at: float = 0.0


class LocalTaskFeed:
    """`cluster.memory.feed.port.TaskFeed` in a dictionary; it never finds no store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._feeds: dict[TaskId, _KeptFeed] = {}
        self._waiting: set[asyncio.Event] = set()
        """One for each call of `wait`; set when anything was appended."""
        self._is_closed = False

    async def tail(self, task: TaskId) -> FeedTail:
        """Return how far a feed has got."""
        return self._kept(task).tail

    async def begin_term(self, task: TaskId, term: int) -> FeedTail:
        """Refuse from now on what older terms append, and return how far the feed has got."""
        kept = self._kept(task)
        if term < kept.term:
            raise superseded(task, Cursor(term, 1))
        kept.term = term
        if not kept.tail.is_final:
            kept.expires_at = self._clock.now() + SILENT_KEPT_S
        self._feeds[task] = kept
        return kept.tail

    async def append(
        self,
        task: TaskId,
        first: Cursor,
        entries: Sequence[bytes],
        *,
        index: int,
        is_final: bool = False,
    ) -> None:
        """Add entries at ``first`` and the following numbers, all or none; a repetition is once."""
        checked_append(task, first, entries)
        kept = self._kept(task)
        tail = kept.tail
        last = Cursor(first.term, first.number + len(entries) - 1)
        if last.term == tail.last.term and last <= tail.last:
            return
        if first.term < kept.term or tail.is_final:
            raise superseded(task, first)
        number = tail.last.number + 1 if first.term == tail.last.term else 1
        if first.number != number:
            raise leaves_gap(task, first)
        for place, event in enumerate(entries, first.number):
            kept.entries.append(FeedEntry(Cursor(first.term, place), event))
        kept.tail = FeedTail(last, max(tail.index, index), is_final)
        kept.term = last.term
        while len(kept.entries) > ENTRIES_MAX:
            kept.trimmed = kept.entries.popleft().cursor
        kept.expires_at = self._clock.now() + (ENDED_KEPT_S if is_final else SILENT_KEPT_S)
        self._forget_expired()
        self._feeds[task] = kept
        self._wake()

    async def read(self, task: TaskId, after: Cursor, entries_max: int) -> FeedPage:
        """Return what follows a cursor; nothing of a task that is not known, or no longer."""
        kept = self._kept(task)
        following = [each for each in kept.entries if each.cursor > after]
        return FeedPage(tuple(following[:entries_max]), kept.trimmed)

    async def wait(self, after: Mapping[TaskId, Cursor], timeout_s: float) -> frozenset[TaskId]:
        """Return those feeds that have more than the cursors, as soon as any has; none in time."""
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := self._with_more(after)):
                    news.clear()
                    await news.wait()
        except TimeoutError:
            return frozenset()
        else:
            return found
        finally:
            self._waiting.discard(news)

    async def forget(self, task: TaskId) -> None:
        """Remove a feed."""
        self._feeds.pop(task, None)

    async def close(self) -> None:
        """End all waiting."""
        self._is_closed = True
        self._wake()

    def _with_more(self, after: Mapping[TaskId, Cursor]) -> frozenset[TaskId]:
        if self._is_closed:
            raise StoreUnavailable("the feed has been closed here")
        return frozenset(
            task for task, cursor in after.items() if self._kept(task).tail.last > cursor
        )

    def _wake(self) -> None:
        for news in self._waiting:
            news.set()

    def _kept(self, task: TaskId) -> _KeptFeed:
        kept = self._feeds.get(task)
        return _KeptFeed() if kept is None or kept.expires_at <= self._clock.now() else kept

    def _forget_expired(self) -> None:
        now = self._clock.now()
        for task in [task for task, kept in self._feeds.items() if kept.expires_at <= now]:
            del self._feeds[task]
