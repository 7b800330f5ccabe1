"""The feeds and records of a Manager's tasks, and the ends that others have left unwritten.

Owned by the task engine. A Manager that dies, or can't reach the store, just after the journal has
a task's end leaves a feed and a record without one: the journal tells of which tasks nobody has
said that both are written, and any Manager writes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress

from cluster.kernel.errors import ClusterError, WireError
from cluster.kernel.events import Answered, Event, shown
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.feed_batches import FeedBatches
from cluster.kernel.tasks.spending import in_all, journaled
from cluster.kernel.usage import Usage
from cluster.runtime.tasks.claimant import Claimant
from cluster.runtime.tasks.feed_writer import FeedStores, FeedWriter
from cluster.runtime.tasks.following import FollowedRun
from cluster.runtime.tasks.record_draft import RecordDraft
from cluster.runtime.tasks.task_journal import EVENT, TaskJournal

FLUSH_S = 1.0
"""How long a Manager that stops writes on."""

_log = logging.getLogger(__name__)


class TaskFeeds:
    """Writes one feed and one record for each task that is run here; without stores none."""

    def __init__(self, stores: FeedStores | None, claimant: Claimant) -> None:
        self._stores = stores
        self._claimant = claimant
        self._writers: list[FeedWriter] = []
        """Those of tasks that run here, or have ended a moment ago."""
        self._recorded: dict[TaskId, None] = {}
        """Tasks whose ends have been written, and the journal was not told so yet."""
        self._unrecorded: frozenset[TaskId] = frozenset()
        """What had ended when last looked, and its end had not been written."""

    def attach(self, run: FollowedRun, journal: TaskJournal) -> None:
        """Have all written that happens in a run; its term has just begun."""
        if self._stores is None:
            return
        writer = FeedWriter(self._stores, journal, self._on_recorded)
        self._writers = [*self._open_writers(), writer]
        run.story.attach(writer.view)
        run.ended.add_done_callback(lambda outcome: writer.finish(outcome.result()))

    def _open_writers(self) -> list[FeedWriter]:
        return [each for each in self._writers if not each.is_closed]

    async def listed(self, accepted: Event) -> Event:
        """Return what says that a task was accepted once others find the task, if that is soon."""
        for writer in self._writers:
            if writer.task == accepted.task and self._stores is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._stores.patience_s):
                        await writer.listed.wait()
        return accepted

    def _on_recorded(self, task: TaskId) -> None:
        self._recorded[task] = None

    async def close(self) -> None:
        """Write what can be written in a moment; the runs have ended."""
        await asyncio.gather(*[writer.close(FLUSH_S) for writer in self._writers])
        try:
            await self._tell()
        except ClusterError as error:
            _log.info("the next Manager looks again at what has ended: %s", error)

    async def _tell(self) -> None:
        """Tell the journal of ends that have been written: of many at once, for nobody waits."""
        if told := list(self._recorded):
            await self._claimant.journal.recorded(told)
            for task in told:
                self._recorded.pop(task, None)

    # ---- what others have left -------------------------------------------------------------

    async def sweep(self) -> None:
        """Write the ends of tasks that have ended, and of which nobody has written it.

        One that has only just ended is left to its own Manager until the next sweep.

        Raises:
            StoreUnavailable: it can't be said now.
        """
        if self._stores is None:
            return
        await self._tell()
        self._writers = self._open_writers()  # of an ended task it holds the journal
        unrecorded = await self._claimant.journal.unrecorded()
        unrecorded -= {each.task for each in self._open_writers()}
        for task in sorted(unrecorded & self._unrecorded):
            try:
                await self._complete(self._stores, task)
                self._on_recorded(task)
            except ClusterError as error:
                _log.warning("the end of task %s was not written: %s", task, error)
            except Exception:  # noqa: BLE001 - one task's trouble must not end the search for others
                _log.exception("the end of task %s could not be written", task)
                self._on_recorded(task)  # nor come again at each sweep
        self._unrecorded = unrecorded

    async def _complete(self, stores: FeedStores, task: TaskId) -> None:
        """Add to a feed what the journal has and it has not, and write the record."""
        owner, journal = self._claimant.owner, self._claimant.journal
        if not await journal.read(task):
            _log.warning("how task %s has ended is no longer kept", task)
            return
        claim = await journal.claim(task, owner)
        assert claim is not None  # it was not asked for on a condition
        events = _readable(stores, claim.entries)
        tail = await stores.feed.begin_term(task, claim.term)
        draft, batches = RecordDraft(task), FeedBatches(claim.term, tail.index)
        draft.count(_used(events))
        await stores.replay(draft, events, tail)
        for event in () if tail.is_final else map(shown, events):
            if event.index > tail.index:
                draft.replay(event)
                batches.add(event, 0.0)
        while (batch := batches.take(0.0)) is not None:
            await stores.append(task, batch)
        if draft.is_accepted:
            await stores.records.ended(draft.record(), tokens=draft.tokens)


def _readable(stores: FeedStores, entries: Collection[bytes]) -> list[Event]:
    """Return the events of a journal, of which one that broke may have been ended for that."""
    events = []
    for entry in entries:
        try:
            event = stores.codec.decode(EVENT, entry)
        except WireError:
            continue
        if isinstance(event, Event):
            events.append(event)
    return events


def _used(events: Collection[Event]) -> Usage:
    """Return what a task that has ended has used, as its journal has it."""
    for event in events:
        if isinstance(event.detail, Answered) and event.detail.spent is not None:
            return event.detail.spent
    return in_all(journaled(events))
