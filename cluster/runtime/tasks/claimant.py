"""Claims tasks for their owner: new ones, those that are asked for again, and abandoned ones.

`cluster.kernel.tasks.ownership` decides which may be claimed; the task engine runs what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.kernel.errors import AgentFailed, Stopped, UsageError, WireError
from cluster.kernel.events import Event, Failed
from cluster.kernel.ids import NO_STEP, TaskId
from cluster.kernel.submission import Submission
from cluster.kernel.tasks.ownership import Owner, is_abandoned, may_adopt
from cluster.kernel.vocabulary import Failure
from cluster.memory.journal.port import Journal, OpenTask, Ownership
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.tasks.task_journal import TaskJournal, events_of
from cluster.wire.failure import failure_from_error


@dataclass(slots=True)
class EngineStatistics:
    """Counters since the start of the host."""

    accepted: int = 0
    adopted: int = 0
    fenced: int = 0
    """Runs that ended because another Manager owns the task, or the store was gone for long."""
    refused: int = 0


class Claimant:
    """An incarnation of a Manager that claims tasks in their journals.

    What a claim comes to is the journal of a term that has begun, the events of a task that has
    ended, or None: somebody else has it.
    """

    def __init__(self, sender: Sender, journal: Journal, statistics: EngineStatistics) -> None:
        self.owner = Owner(sender.exchange.agent, 0)
        """Its epoch is known once the host has started."""
        self._sender = sender
        self.journal = journal
        self._statistics = statistics

    def new(self, task: TaskId) -> TaskJournal:
        """Return the journal of a task that nobody can have claimed: its first append does.

        Where somebody has claimed it nevertheless, that append fails, and its driver asks again.
        """
        journal = self._journal_of(task)
        journal.open_new(self.owner)
        return journal

    async def take(self, submission: Submission) -> TaskJournal | list[Event] | None:
        """Claim a task that its driver hands over, for the first time or again."""
        task = submission.task
        claim = await self.journal.claim(task, self.owner, expected_term=0)
        if claim is None:
            known = (await self.journal.open_tasks()).get(task)
            if known is None:
                return await self.events_of(task)
            if not (submission.is_again or await self.abandoned({task: known})):
                return None
            claim = await self.journal.claim(task, self.owner, expected_term=known.term)
            if claim is None:
                return None
            self._statistics.adopted += 1
        journal = await self._opened(task, claim)
        if journal.history.terminal is not None:  # it ended just before it was claimed
            return journal.events
        return journal

    async def take_abandoned(
        self, task: TaskId, known: OpenTask
    ) -> TaskJournal | list[Event] | None:
        """Claim one of the `abandoned`; what was never accepted is ended after a while."""
        is_accepted = bool(await self.journal.read(task))
        if not may_adopt(task, self._sender.clock.wall(), is_accepted=is_accepted):
            return None
        claim = await self.journal.claim(task, self.owner, expected_term=known.term)
        if claim is None:
            return None
        journal = await self._opened(task, claim)
        if journal.history.terminal is not None:
            return journal.events
        if journal.history.submitted is None:
            failure = Failure("stopped", "the task was never accepted, and nobody asked again")
            await journal.record(Event(0.0, task, self.owner.agent, NO_STEP, Failed(failure)))
            return None
        return journal

    async def abandoned(self, open_tasks: Mapping[TaskId, OpenTask]) -> list[TaskId]:
        """Return those whose owner is gone; the leases are read once, after the tasks were."""
        leased: set[Owner] = set()
        if any(known.owner.agent != self.owner.agent for known in open_tasks.values()):
            registered = await self._sender.directory.all(is_fresh=True)
            leased = {Owner(each.agent, each.epoch) for each in registered}
        owners = ((task, known.owner) for task, known in open_tasks.items())
        return [task for task, owner in owners if is_abandoned(owner, self.owner, leased)]

    async def accepted(self, task: TaskId) -> Event | None:
        """Return the first event of a task's journal; None where nobody has accepted it yet."""
        entries = await self.journal.read(task)
        return events_of(entries[:1], self._sender.codec)[0] if entries else None

    async def ended(self, task: TaskId) -> list[Event]:
        """Return the journal of a task that has ended.

        Raises:
            UsageError: there is no such task.
            Stopped: it goes on, elsewhere.
        """
        events = events_of(await self.journal.read(task), self._sender.codec)
        if not events:
            raise UsageError(f"there is no task {task}, or it ended long ago")
        if not events[-1].is_terminal:
            raise Stopped(f"another Manager runs task {task}")
        return events

    async def events_of(self, task: TaskId) -> list[Event]:
        """Return the journal of a task that has ended."""
        events = events_of(await self.journal.read(task), self._sender.codec)
        if not events or not events[-1].is_terminal:
            raise AgentFailed(f"task {task} has ended, and its journal is no longer kept")
        return events

    async def _opened(self, task: TaskId, claim: Ownership) -> TaskJournal:
        """Return the journal of a task that we have claimed; one that can't be read is ended."""
        journal = self._journal_of(task)
        try:
            journal.open(claim.term, claim.entries)
        except WireError as error:
            await journal.end_unread(failure_from_error(error), self.owner.agent)
            raise
        return journal

    def _journal_of(self, task: TaskId) -> TaskJournal:
        return TaskJournal(
            self.journal,
            self._sender.codec,
            self._sender.clock,
            task,
            patience_s=self._sender.directory.lease_s,
        )
