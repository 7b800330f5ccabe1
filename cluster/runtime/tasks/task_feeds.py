"""The feeds and records of a Manager's tasks, and the ends that others have left unwritten.

Owned by the task engine. A Manager that dies, or can't reach the store, just after the journal has
a task's end leaves a feed without one, and a record that says the task runs: any Manager finds
that, and writes both from the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace

from cluster.kernel.errors import AgentFailed, ClusterError, WireError
from cluster.kernel.events import Answered, Event, Failed, shown
from cluster.kernel.feed import TaskSummary
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.tasks.feed_batches import FeedBatches
from cluster.kernel.tasks.record_draft import RUNNING, RecordDraft
from cluster.kernel.tasks.spending import in_all, journaled
from cluster.kernel.usage import Usage
from cluster.memory.task_records.port import TaskFilter
from cluster.runtime.tasks.claimant import Claimant
from cluster.runtime.tasks.feed_writer import FeedStores, FeedWriter
from cluster.runtime.tasks.task_journal import EVENT, TaskJournal
from cluster.runtime.tasks.task_run import TaskRun
from cluster.wire.failure import failure_from_error

FLUSH_S = 1.0
"""How long a Manager that stops writes on."""
LISTED_MAX = 500
"""Of the list of running tasks, read at once."""

_log = logging.getLogger(__name__)


class TaskFeeds:
    """Writes one feed and one record for each task that is run here; without stores none."""

    def __init__(self, stores: FeedStores | None, claimant: Claimant) -> None:
        self._stores = stores
        self._claimant = claimant
        self._writers: list[FeedWriter] = []
        """Those of tasks that run here, or have ended a moment ago."""
        self._unended: frozenset[TaskId] = frozenset()
        """Listed as running when last looked, though their journals were not open."""

    def attach(self, run: TaskRun, journal: TaskJournal) -> None:
        """Have all written that happens in a run; its term has just begun."""
        if self._stores is None:
            return
        writer = FeedWriter(self._stores, journal)
        self._writers = [*(each for each in self._writers if not each.is_closed), writer]
        run.story.attach(writer.view)
        run.ended.add_done_callback(lambda outcome: writer.finish(outcome.result()))

    async def close(self) -> None:
        """Write what can be written in a moment; the runs have ended."""
        await asyncio.gather(*[writer.close(FLUSH_S) for writer in self._writers])

    # ---- what others have left -------------------------------------------------------------

    async def sweep(self, going_on: Collection[TaskId]) -> None:
        """Write the ends of tasks that have ended, and of which nobody has written it.

        One that has only just ended is left to its own Manager until the next sweep.

        Args:
            going_on: those tasks that were open when last asked.

        Raises:
            StoreUnavailable: it can't be said now.
        """
        if self._stores is None:
            return
        listed = await _listed(self._stores)
        unended = listed.keys() - set(going_on) - {each.task for each in self._writers}
        for task in sorted(unended & self._unended):
            try:
                await self._complete(self._stores, listed[task])
            except ClusterError as error:
                _log.warning("the end of task %s was not written: %s", task, error)
        self._unended = frozenset(unended)

    async def _complete(self, stores: FeedStores, listed: TaskSummary) -> None:
        """Add to a feed what the journal has and it has not, and write the record."""
        task, owner, journal = TaskId(listed.task), self._claimant.owner, self._claimant.journal
        if await journal.read(task):
            claim = await journal.claim(task, owner)
            assert claim is not None  # it was not asked for on a condition
            term, events = claim.term, _readable(stores, claim.entries)
        else:
            term, events = (await stores.feed.tail(task)).last.term + 1, []
        tail = await stores.feed.begin_term(task, term)
        if not events or not events[-1].is_terminal:
            events.append(_lost(task, owner.agent, max(len(events), tail.index) + 1))
        draft, batches = RecordDraft(task), FeedBatches(term, tail.index)
        draft.count(_used(events))
        await stores.replay(draft, events, tail)
        for event in () if tail.is_final else map(shown, events):
            if event.index > tail.index:
                draft.replay(event)
                batches.add(event, 0.0)
        while (batch := batches.take(0.0)) is not None:
            await stores.append(task, batch)
        made = draft.record()
        summary = replace(
            listed, status=made.summary.status, ended_wall_s=made.summary.ended_wall_s
        )
        await stores.records.ended(replace(made, summary=summary), tokens=draft.tokens)


async def _listed(stores: FeedStores) -> dict[TaskId, TaskSummary]:
    """Return the tasks that are listed as running."""
    found: dict[TaskId, TaskSummary] = {}
    after = TaskId("")
    while True:
        which = TaskFilter(status=RUNNING, after=after, tasks_max=LISTED_MAX)
        page = await stores.records.tasks(which)
        found |= {TaskId(each.task): each for each in page}
        if len(page) < LISTED_MAX:
            return found
        after = TaskId(page[-1].task)


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


def _lost(task: TaskId, agent: AgentId, index: int) -> Event:
    """Return the end of a task whose journal is no longer kept."""
    failure = failure_from_error(AgentFailed("how the task has ended is no longer kept"))
    return Event(0.0, task, agent, NO_STEP, Failed(failure), index)
