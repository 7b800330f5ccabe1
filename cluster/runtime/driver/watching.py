"""Tasks that are watched from their feeds: any number of them, by any number of followers.

One loop of a process waits for news of all feeds that are followed in it, and reads them once for
all who follow the same one. A follower that is behind that reads the store by itself, a page at a
time, so a slow one keeps nobody, and nothing is kept for it. Called by
`cluster.runtime.driver.driver`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from enum import Enum
from typing import TypeVar

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError, Stopped, StoreUnavailable, WireError
from cluster.kernel.events import Event, UnknownDetail
from cluster.kernel.feed import BEFORE_ALL, Cursor, Gap
from cluster.kernel.ids import NO_AGENT, NO_STEP, TaskId
from cluster.memory.feed.port import FeedEntry, FeedPage, TaskFeed
from cluster.runtime.driver.detached import TaskStores, unknown_task
from cluster.runtime.tasks.task_journal import EVENT
from cluster.wire.messages import MessageCodec

PAGE_MAX = 256
"""Entries that are read at once, and those that are kept for all who follow a feed."""
LOOK_S = 30.0
"""After so long without news, the store is looked at again: a feed may have gone."""
RETRY_S = 0.5
STORE_AWAY_S = 15.0
"""How long the store may be away before a follower is told: a restart takes a few seconds."""

Shown = tuple[Cursor, Event]
Outcome = TypeVar("Outcome")


class _Prospect(Enum):
    """What follows a place after which a feed has nothing now."""

    MORE = "more"
    NOTHING = "nothing"
    GONE = "gone"
    """Nothing, and what there was before is no longer kept."""


class _FollowedFeed:
    """What is read of one feed for all in this process that follow it."""

    def __init__(self, after: Cursor) -> None:
        self.reached = after
        """The last entry that was read."""
        self.followers = 0
        self.failure: ClusterError | None = None
        """Why nothing is read any more."""
        self._since = after
        """What follows this one has been kept, up to the one that is reached."""
        self._recent: deque[Shown] = deque()
        self._news = asyncio.Event()

    def has_all_after(self, cursor: Cursor) -> bool:
        """Say whether nothing that follows a cursor has to be read from the store."""
        return self._since <= cursor

    def following(self, cursor: Cursor) -> list[Shown]:
        """Return what is kept that follows a cursor."""
        return [each for each in self._recent if each[0] > cursor]

    def take(self, page: FeedPage, events: Sequence[Shown]) -> None:
        """Keep the page that follows what was reached, and wake the followers."""
        if not page.entries:
            return  # the feed went between the news and the page: followers look at the store
        if page.trimmed > self.reached:
            self._recent.clear()
            self._since = page.trimmed
        self._recent.extend(events)
        self.reached = page.entries[-1].cursor
        while len(self._recent) > PAGE_MAX:
            self._since, _ = self._recent.popleft()
        self._wake()

    def fail(self, error: ClusterError) -> None:
        """Tell all followers that nothing more comes."""
        self.failure = error
        self._wake()

    async def has_news(self, timeout_s: float) -> bool:
        """Wait for news; False where none has come in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class Watching:
    """All that this process follows.

    Args:
        feed: where the events are; it stays its owner's.
        stores: what says whether a task is known that has no feed.
        codec: for the events.
        clock: for how long the store is away.
    """

    def __init__(
        self, feed: TaskFeed, stores: TaskStores, codec: MessageCodec, clock: Clock
    ) -> None:
        self._feed = feed
        self._stores = stores
        self._codec = codec
        self._clock = clock
        self._followed: dict[TaskId, _FollowedFeed] = {}
        self._loop: asyncio.Task[None] | None = None
        """Waits for news; there while anything is followed."""
        self._wait: asyncio.Task[frozenset[TaskId]] | None = None
        """The loop's wait; cancelled for it to begin anew with another feed."""
        self._is_closed = False

    async def events(self, task: TaskId, after: Cursor) -> AsyncGenerator[Shown]:
        """Yield what follows a cursor as it comes, to the terminal event; a gap is an event too.

        Close it where it is left before its end.

        Raises:
            UsageError: there is no such task.
            StoreUnavailable: the store was away for too long; go on after the last cursor.
            Stopped: this was closed.
        """
        follower = _Follower(task, after, self)
        try:
            while not follower.has_ended:
                for shown in await follower.more():
                    yield shown
        finally:
            follower.leave()

    async def close(self) -> None:
        """Follow nothing any longer."""
        self._is_closed = True
        self._fail_all(Stopped("the driver that follows the task was closed"))
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    # ---- for followers ---------------------------------------------------------------------

    def follow(self, task: TaskId, after: Cursor) -> _FollowedFeed:
        """Have a feed read from a cursor on, or from where it is read already."""
        if self._is_closed:
            raise Stopped("the driver that follows the task was closed")
        followed = self._followed.get(task)
        if followed is None:
            followed = self._followed[task] = _FollowedFeed(after)
            if self._wait is not None:
                self._wait.cancel()
        followed.followers += 1
        if self._loop is None or self._loop.done():
            self._loop = asyncio.ensure_future(self._follow_all())
        return followed

    def unfollow(self, task: TaskId, followed: _FollowedFeed) -> None:
        """Let a follower of a feed go."""
        followed.followers -= 1
        if followed.followers == 0 and self._followed.get(task) is followed:
            del self._followed[task]
            if not self._followed and self._wait is not None:
                self._wait.cancel()

    async def read(self, task: TaskId, after: Cursor) -> tuple[FeedPage, list[Shown]]:
        """Return a page of a feed, and its events."""
        page = await self._patiently(lambda: self._feed.read(task, after, PAGE_MAX))
        return page, [(each.cursor, self._event(each)) for each in page.entries]

    async def prospect(self, task: TaskId, after: Cursor) -> _Prospect:
        """Say what will follow a cursor after which there is nothing now.

        Raises:
            UsageError: there is no such task.
        """
        return await self._patiently(lambda: self._prospect(task, after))

    async def _prospect(self, task: TaskId, after: Cursor) -> _Prospect:
        tail = await self._feed.tail(task)
        if tail.last > BEFORE_ALL:
            has_ended = tail.is_final and tail.last <= after
            return _Prospect.NOTHING if has_ended else _Prospect.MORE
        records, journal = self._stores.records, self._stores.journal
        record = None if records is None else await records.record(task)
        if record is not None:
            return _Prospect.GONE if record.summary.ended_wall_s else _Prospect.MORE
        if journal is not None and task not in await journal.open_tasks():
            raise unknown_task(task)
        return _Prospect.MORE

    # ---- the loop --------------------------------------------------------------------------

    async def _follow_all(self) -> None:
        """Read whatever comes of what is followed, until nothing is."""
        try:
            while self._followed:
                await self._read_all(await self._with_news())
        except ClusterError as error:
            self._fail_all(error)

    async def _read_all(self, tasks: Iterable[TaskId]) -> None:
        """Read at once: of two hundred feeds, the last would wait for as many round trips."""
        reads = [self._read_news(task) for task in tasks]
        for failure in await asyncio.gather(*reads, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _with_news(self) -> frozenset[TaskId]:
        """Wait for news of anything followed; none where the wait has to begin anew."""
        after = {task: followed.reached for task, followed in self._followed.items()}
        wait = self._wait = asyncio.ensure_future(
            self._patiently(lambda: self._feed.wait(after, LOOK_S))
        )
        try:
            await asyncio.wait([wait])
        finally:
            self._wait = None
            wait.cancel()
            await asyncio.gather(wait, return_exceptions=True)
        return frozenset() if wait.cancelled() else wait.result()

    async def _read_news(self, task: TaskId) -> None:
        followed = self._followed.get(task)
        if followed is None:
            return
        try:
            page, events = await self.read(task, followed.reached)
        except WireError as error:
            followed.fail(error)
            del self._followed[task]
        else:
            followed.take(page, events)

    def _fail_all(self, error: ClusterError) -> None:
        for followed in self._followed.values():
            followed.fail(error)
        self._followed.clear()

    async def _patiently(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do something with the store, which may be away for a while."""
        gives_up_at = self._clock.now() + STORE_AWAY_S
        while True:
            try:
                return await work()
            except StoreUnavailable:
                if self._is_closed or self._clock.now() >= gives_up_at:
                    raise
            await asyncio.sleep(RETRY_S)

    def _event(self, entry: FeedEntry) -> Event:
        event = self._codec.decode(EVENT, entry.event)
        if not isinstance(event, Event):
            raise WireError(f"entry {entry.cursor} of a feed is not an event")
        return event


class _Follower:
    """One who follows a feed, at a place of its own."""

    def __init__(self, task: TaskId, after: Cursor, watching: Watching) -> None:
        self._task = task
        self._after = after
        self._watching = watching
        self._followed: _FollowedFeed | None = None
        """Once it has read all that there was."""
        self.has_ended = False
        """Nothing follows what was returned."""

    async def more(self) -> list[Shown]:
        """Return what follows, as soon as anything does; nothing where nothing will."""
        known: list[Shown] = []
        while not known and not self.has_ended:
            shown = await self._next()
            if shown:
                self._after, last = shown[-1]
                self.has_ended |= last.is_terminal
            known = [each for each in shown if not isinstance(each[1].detail, UnknownDetail)]
        return known

    async def _next(self) -> list[Shown]:
        """Return what follows, if it is there already, or wait for it a while."""
        followed = self._followed
        if followed is None or not followed.has_all_after(self._after):
            return await self._from_store()
        if shown := followed.following(self._after):
            return shown
        if followed.failure is not None:
            raise followed.failure
        return [] if await followed.has_news(LOOK_S) else await self._from_store()

    async def _from_store(self) -> list[Shown]:
        """Return what the store has; where it has nothing, have the feed followed, or end."""
        page, shown = await self._watching.read(self._task, self._after)
        if shown and page.trimmed > self._after:
            return [self._gap(page.trimmed, str(shown[0][0])), *shown]
        if shown:
            return shown
        prospect = await self._watching.prospect(self._task, self._after)
        self.has_ended = prospect is not _Prospect.MORE
        if prospect is _Prospect.GONE:
            return [self._gap(self._after, "")]
        if prospect is _Prospect.MORE and self._followed is None:
            self._followed = self._watching.follow(self._task, self._after)
        return []

    def _gap(self, cursor: Cursor, before: str) -> Shown:
        """Return an event of our own, with the cursor of the last one that is missing."""
        gap = Gap(str(self._after), before)
        return cursor, Event(0.0, self._task, NO_AGENT, NO_STEP, gap)

    def leave(self) -> None:
        """Follow it no longer."""
        if self._followed is not None:
            self._watching.unfollow(self._task, self._followed)
