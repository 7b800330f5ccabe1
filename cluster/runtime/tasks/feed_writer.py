"""Writes a task's feed and its record while its owner works: beside the task, never before it.

Nobody waits for this. What can't be written for long is left to whoever adopts the task, or, where
it has ended, to `cluster.runtime.tasks.task_feeds`: the journal has every fact.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError, StaleEpoch, StoreUnavailable, UsageError, WireError
from cluster.kernel.events import Event, Spent, Thought, shown
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.feed_batches import FeedBatch, FeedBatches
from cluster.kernel.tasks.spending import in_all, journaled
from cluster.memory.feed.port import FeedTail, TaskFeed
from cluster.memory.task_records.port import TaskRecords
from cluster.runtime.tasks.record_draft import RecordDraft
from cluster.runtime.tasks.task_journal import EVENT, RETRY_S_MAX, RETRY_S_MIN, TaskJournal
from cluster.wire.messages import MessageCodec

EARLY_MAX = 10_000
"""Events that wait until the feed's end is known; beyond, thoughts are dropped."""
PAGE = 500
"""Entries of an earlier owner that are read at once."""

Value = TypeVar("Value")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeedStores:
    """Where feeds and records are kept, and what it takes to write there."""

    feed: TaskFeed
    records: TaskRecords
    codec: MessageCodec
    clock: Clock
    patience_s: float
    """How long the store may be away before thoughts are dropped, or a task that has ended is left
    to others."""

    async def append(self, task: TaskId, batch: FeedBatch) -> None:
        """Append a batch. Raises what `TaskFeed.append` does."""
        entries = [self.codec.encode(event)[1] for event in batch.events]
        await self.feed.append(
            task, batch.first, entries, index=batch.index, is_final=batch.is_final
        )

    async def replay(self, draft: RecordDraft, journal: Sequence[Event], tail: FeedTail) -> None:
        """Fold into a record what a feed has, and what the journal has of what the feed lost."""
        kept = [event async for event in self._entries(draft.task, tail.last)]
        indexes = {event.index for event in kept}
        lost = [e for e in journal if e.index <= tail.index and e.index not in indexes]
        for event in (*map(shown, lost), *kept):
            draft.replay(event)

    async def _entries(self, task: TaskId, last: Cursor) -> AsyncIterator[Event]:
        """Yield the events of a feed up to a cursor; what can't be read is passed over."""
        after = BEFORE_ALL
        while after < last:
            page = await self.feed.read(task, after, PAGE)
            for entry in page.entries:
                try:
                    event = self.codec.decode(EVENT, entry.event)
                except WireError as error:
                    _log.warning("entry %s of task %s can't be read: %s", entry.cursor, task, error)
                    continue
                if isinstance(event, Event):
                    yield event
            after = page.entries[-1].cursor if page.entries else last


class FeedWriter:
    """The feed and the record of one task under one owner.

    Args:
        stores: where they are.
        journal: of the term that has just begun.
        on_recorded: called once both have the end of the task.
    """

    def __init__(
        self,
        stores: FeedStores,
        journal: TaskJournal,
        on_recorded: Callable[[TaskId], object],
    ) -> None:
        self.task = journal.task
        self._stores = stores
        self._journal = journal
        self._on_recorded = on_recorded
        self._draft = RecordDraft(journal.task)
        self._before = tuple(journal.events)
        self._early: deque[Event] = deque()
        """What came before the first durable fact, or before it was known what the feed has."""
        self._batches: FeedBatches | None = None if journal.is_adopted else FeedBatches(1)
        """None until that is known."""
        self._ended_at: float | None = None
        """When the run ended: what waits is all that comes."""
        self.listed = asyncio.Event()
        """Set once the list of tasks has this one, or nothing more is written."""
        self._news = asyncio.Event()
        self.work: asyncio.Task[None] | None = None
        """Runs from the first durable fact on: before that, the task may be somebody else's, who
        would number the same entries."""
        self.is_closed = False

    def view(self, event: Event) -> None:
        """Take an event of the task's story; never waits."""
        if self.is_closed or self._ended_at is not None:
            return
        if self.work is not None:
            self._put(event)
        elif not event.index:
            self._hold(event)
        else:
            self.work = asyncio.create_task(self._write_on(), name=f"feed {self.task}")
            self._put(event)
            if self._batches is not None:
                self._put_early()

    def finish(self, outcome: Event | ClusterError) -> None:
        """The run has ended: with the terminal event, or because somebody else has the task."""
        if self._ended_at is None:
            if isinstance(outcome, Event):
                self.view(outcome)
            self._ended_at = self._stores.clock.now()
            self._news.set()
            if self.work is None:  # no fact was durable under this owner
                self._be_closed()

    async def close(self, timeout_s: float) -> None:
        """Write what can be written within a bound, and end."""
        if self.work is not None:
            await asyncio.wait([self.work], timeout=timeout_s)
            self.work.cancel()
            await asyncio.gather(self.work, return_exceptions=True)
        self._be_closed()

    def _be_closed(self) -> None:
        self.is_closed = True
        self.listed.set()

    def _hold(self, event: Event) -> None:
        if len(self._early) < EARLY_MAX or not isinstance(event.detail, Thought):
            self._early.append(event)

    def _put_early(self) -> None:
        while self._early:
            self._put(self._early.popleft())

    def _put(self, event: Event) -> None:
        if self._batches is None:
            self._hold(event)
            return
        if 0 < event.index <= self._batches.index:
            return
        self._draft.observe(event)
        if isinstance(event.detail, Spent):
            return  # the record counts them, and nobody is shown them
        was_due_at = self._batches.due_at()
        self._batches.add(event, self._stores.clock.now())
        if self._batches.due_at() != was_due_at:
            self._news.set()

    async def _write_on(self) -> None:
        try:
            await self._take_over()
            batch = None if self._draft.is_detached else await self._next()
            if batch is None or not batch.is_final:  # of what is over by now, the end is listed
                summary = self._draft.summary()
                await self._patiently(partial(self._stores.records.began, summary))
            self.listed.set()
            while (batch := batch or await self._next()) is not None:
                await self._patiently(partial(self._stores.append, self.task, batch))
                batch = None
            if self._draft.is_ended:
                record, tokens = self._draft.record(), self._draft.tokens
                await self._patiently(partial(self._stores.records.ended, record, tokens=tokens))
                self._on_recorded(self.task)
        except StaleEpoch as error:
            _log.info("the feed of task %s is somebody else's: %s", self.task, error)
        except (StoreUnavailable, UsageError) as error:
            _log.warning("the feed of task %s is left as it is: %s", self.task, error)
        except Exception:  # noqa: BLE001 - the task itself must go on
            _log.exception("the feed of task %s could not be written", self.task)
        finally:
            self._be_closed()

    async def _take_over(self) -> None:
        """Find out what an earlier owner has written, if there was one."""
        if self._batches is not None:
            return
        term, feed = self._journal.term, self._stores.feed
        tail = await self._patiently(partial(feed.begin_term, self.task, term))
        self._draft.count(in_all(journaled(self._before)))
        await self._patiently(partial(self._stores.replay, self._draft, self._before, tail))
        self._batches = FeedBatches(term, tail.index)
        self._put_early()

    async def _next(self) -> FeedBatch | None:
        """Wait for the next batch; return None where the run has ended and all of it is out."""
        batches, now = self._batches, self._stores.clock.now()
        assert batches is not None
        while True:
            due_at = batches.due_at()
            if self._ended_at is not None:
                return None if due_at is None else batches.take(max(now, due_at))
            if (batch := batches.take(now)) is not None:
                return batch
            self._news.clear()
            try:
                async with asyncio.timeout(None if due_at is None else due_at - now):
                    await self._news.wait()
                now = self._stores.clock.now()
            except TimeoutError:  # by the loop's clock, which may be a hair behind
                now = max(self._stores.clock.now(), due_at or 0.0)

    async def _patiently(self, call: Callable[[], Awaitable[Value]]) -> Value:
        """Call the store until it answers; for a run that has ended, for a while.

        What was sent may have arrived, and is sent again as it was; what waits may be thinned out.
        """
        clock, patience_s = self._stores.clock, self._stores.patience_s
        away_at, wait_s = clock.now(), RETRY_S_MIN
        while True:
            try:
                return await call()
            except StoreUnavailable:
                now = clock.now()
                if self._ended_at is not None and now > self._ended_at + patience_s:
                    raise
                if self._batches is not None and now > away_at + patience_s:
                    self._batches.drop_thoughts()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)
