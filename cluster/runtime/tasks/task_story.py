"""What is journaled of a task and shown to those who follow it, under one owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cluster.kernel.clock import Clock
from cluster.kernel.events import (
    AgentDetail,
    Detail,
    Event,
    Hedged,
    Spent,
    StepFinished,
    Submitted,
    shown,
)
from cluster.kernel.ids import NO_STEP, AgentId, StepId
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.tasks.history import TaskHistory
from cluster.kernel.tasks.spending import in_all, journaled, spent_too
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Step
from cluster.runtime.tasks.task_journal import TaskJournal

_log = logging.getLogger(__name__)

View = Callable[[Event], None]


class TaskStory:
    """Stamps the facts of a task: those that must outlive this process are journaled first."""

    def __init__(self, journal: TaskJournal, clock: Clock, owner: AgentId) -> None:
        self.journal = journal
        self.has_driver = False
        """Whoever submitted the task has followed it under this owner."""
        self._clock = clock
        self._owner = owner
        self._views: list[View] = []
        self._started_at = clock.now() - self._age_s()
        self._is_left = False
        self._step_ended = asyncio.Event()
        """Set when the next step has ended; replaced then."""
        self._spent = journaled(journal.events)
        """Of what earlier owners have journaled, and of each call since."""
        journal.on_recorded = self._show_recorded

    def _age_s(self) -> float:
        """Return how long ago the task began: by the wall clock, for its owners have no other."""
        history = self.journal.history
        if history.submitted is None:
            return history.at_s
        age_s = self._clock.wall() - history.submitted.submitted_wall_s
        return max(history.at_s, min(age_s, history.submitted.allowed_s))

    @property
    def submitted(self) -> Submitted:
        """What the task is."""
        submitted = self.journal.ahead.submitted
        assert submitted is not None
        return submitted

    @property
    def history(self) -> TaskHistory:
        """What is known of the task."""
        return self.journal.history

    @property
    def ahead(self) -> TaskHistory:
        """What will be known of it once all that is being journaled is durable."""
        return self.journal.ahead

    @property
    def is_over(self) -> bool:
        """Somebody else goes on with the task: nothing that runs for it is to be ended."""
        return self._is_left or self.journal.is_lost

    def leave(self) -> None:
        """Leave the task to the next owner."""
        self._is_left = True

    # ---- its budget ------------------------------------------------------------------------

    def lacks(self, *, for_answer: bool = False) -> str:
        """Return what of its budget the task has used up; empty where there is something left."""
        budget = Budget(self.submitted.tokens_max, self.submitted.cost_max)
        return budget.lacks(self._spent, for_answer=for_answer)

    @property
    def spent(self) -> Usage:
        """What the task has used so far, of all its owners, as far as is known here."""
        return in_all(self._spent)

    # ---- followers -------------------------------------------------------------------------

    def attach(self, view: View) -> None:
        """Show somebody what the journal has, and everything from now on; twice is once."""
        if view in self._views:
            return
        for event in self.journal.events:
            view(shown(event))
        self._views.append(view)

    def detach(self, view: View) -> None:
        """Show somebody no more."""
        self._views.remove(view)

    # ---- facts -----------------------------------------------------------------------------

    async def record(
        self,
        detail: Detail,
        step: StepId = NO_STEP,
        agent: AgentId | None = None,
        *,
        then: Callable[[], None] | None = None,
    ) -> Event:
        """Journal a fact; it is shown when it is durable. Raises what `TaskJournal.record` does.

        Args:
            detail: what it says.
            step: of which step.
            agent: who it is said of; the owner where it is nobody else.
            then: begins what follows from it, so that one append has the facts of that as well.
                Called before it is durable: nothing may leave this process but by way of those.
        """
        written = self.begin(detail, step, agent)
        if then is not None and not written.done():
            then()
        return await written

    def begin(
        self, detail: Detail, step: StepId = NO_STEP, agent: AgentId | None = None
    ) -> asyncio.Future[Event]:
        """Have a fact journaled before all that is recorded later; it is shown when it is."""
        return self.journal.begin(self._event(detail, step, agent))

    async def until_needs_ended(self, step: Step) -> None:
        """Wait until all has ended that a step needs: of a broadcast task that may come later."""
        while self.journal.history.missing(step):
            await self._step_ended.wait()

    def _show_recorded(self, event: Event) -> None:
        if isinstance(event.detail, StepFinished):
            self._step_ended.set()
            self._step_ended = asyncio.Event()
        for view in [] if event.is_terminal else self._views:
            view(shown(event))

    def show(self, detail: Detail, step: StepId, agent: AgentId | None = None) -> None:
        """Show a fact that need not outlive this process."""
        event = self._event(detail, step, agent)
        for view in self._views:
            view(event)

    def progress(self, detail: object, step: StepId, agent: AgentId | None = None) -> None:
        """Show what an agent says of its work; what is for the owner to say, it may not."""
        if isinstance(detail, Spent | Hedged):
            self._spent.append(spent_too(Usage(), detail))
        if isinstance(detail, AgentDetail):
            self.show(detail, step, agent)
        else:
            kind, task = type(detail).__name__, self.journal.task
            _log.warning("%s said %s of task %s: not shown", agent or self._owner, kind, task)

    def _event(self, detail: Detail, step: StepId, agent: AgentId | None) -> Event:
        at_s = max(self._clock.now() - self._started_at, self.journal.history.at_s)
        return Event(at_s, self.journal.task, agent or self._owner, step, detail)
