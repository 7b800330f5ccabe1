"""One task in the hands of its owner: does what its history orders until it has ended.

Every fact is journaled before anything follows from it. A run that loses its task stops quietly:
whoever owns the task now asks for the same steps, and nothing is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import (
    AgentFailed,
    ClusterError,
    DeadlinePassed,
    StaleEpoch,
    Stopped,
    StoreUnavailable,
    UnknownRecipient,
    UsageError,
)
from cluster.kernel.events import (
    Answered,
    Detail,
    Event,
    Failed,
    PlanReady,
    StepFinished,
    StepPlanned,
    StepStarted,
    Submitted,
    WasCancelled,
)
from cluster.kernel.ids import ANSWER_STEP, NO_STEP, PLAN_STEP, AgentId, StepId
from cluster.kernel.tasks.history import Compose, DoStep
from cluster.kernel.time_shares import ANSWER_SHARE, PLAN_SHARE
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Failure,
    PlanProposal,
    PlanRequest,
    Role,
)
from cluster.runtime.messaging.sender import Observed
from cluster.runtime.tasks.task_journal import TaskJournal
from cluster.runtime.turns.handler import Handler
from cluster.runtime.turns.running_turn import RunningTurn
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import Opaque

_log = logging.getLogger(__name__)

Reply = TypeVar("Reply")
View = Callable[[Event], None]

FAILURES_MAX = 3
"""How often a step may fail before its failure is its result."""
ROLE_WAIT_S = 15.0
"""How long a role may be without a registered replica: a restart takes a few seconds."""
ROLE_POLL_S = 0.2


class TaskRun:
    """One term of ownership of a task; `ended` has its terminal event, or why the run stopped."""

    def __init__(
        self,
        manager: Handler,
        turn: RunningTurn,
        journal: TaskJournal,
        roles: tuple[Role, ...],
    ) -> None:
        self.ended: asyncio.Future[Event | ClusterError] = (
            asyncio.get_running_loop().create_future()
        )
        self._manager = manager
        self._turn = turn
        self._journal = journal
        self._roles = roles
        journal.on_recorded = self._show_recorded
        self._started_at = turn.sender.clock.now() - self._age_s()
        self._views: list[View] = []
        self._wish: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to the reason when somebody asks for the task's end."""
        self._is_leaving = False
        self._work: asyncio.Task[None] | None = None

    def _age_s(self) -> float:
        """Return how long ago the task began: by the wall clock, for its owners have no other."""
        history = self._journal.history
        if history.submitted is None:
            return history.at_s
        age_s = self._turn.sender.clock.wall() - history.submitted.submitted_wall_s
        return max(history.at_s, min(age_s, history.submitted.allowed_s))

    # ---- from outside ----------------------------------------------------------------------

    def start(self, submitted: Submitted | None) -> None:
        """Begin, with the submission where the journal does not have it yet."""
        self._work = asyncio.ensure_future(self._run(submitted))

    def attach(self, view: View) -> None:
        """Show somebody what the journal has, and everything from now on; twice is once."""
        if view in self._views:
            return
        for event in self._journal.events:
            view(shown(event))
        self._views.append(view)

    def detach(self, view: View) -> None:
        """Show somebody no more."""
        self._views.remove(view)

    def cancel(self, reason: str) -> None:
        """Ask for the end of the task; what runs is cancelled, and the journal says so."""
        if not self._wish.done():
            self._wish.set_result(reason)

    async def leave(self) -> None:
        """Stop without an end: another Manager, or the next incarnation, goes on."""
        self._is_leaving = True
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        await self._journal.close()
        self._end(Stopped("the Manager is stopping"))

    def _end(self, outcome: Event | ClusterError) -> None:
        if not self.ended.done():
            self.ended.set_result(outcome)

    # ---- the run ---------------------------------------------------------------------------

    async def _run(self, submitted: Submitted | None) -> None:
        try:
            if submitted is not None:
                await self.record(submitted)
            detail = await self._outcome()
            self._end(await self.record(detail))
        except ClusterError as error:
            self._end(Stopped(f"this Manager does not own the task any longer: {error}"))
        except Exception:  # noqa: BLE001 - whoever follows the run must hear of its end
            _log.exception("task %s was given up by its Manager", self._journal.task)
            self._end(AgentFailed("the Manager gave the task up: its log says why"))

    async def _outcome(self) -> Detail:
        """Return what the terminal event is to say, when all that ran for it has ended."""
        work = asyncio.ensure_future(self._answer())
        either: list[asyncio.Future[Any]] = [work, self._wish]
        left_s = self._turn.remaining_s()
        try:
            await asyncio.wait(either, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if work.cancelled():
            if self._wish.done():
                return WasCancelled(self._wish.result())
            return Failed(failure_from_error(DeadlinePassed("the task's deadline has passed")))
        error = work.exception()
        if error is None:
            return Answered(work.result())
        if self._journal.is_lost:
            raise StaleEpoch(str(error))
        if not isinstance(error, ClusterError):
            _log.error("task %s failed in its Manager", self._journal.task, exc_info=error)
        return Failed(failure_from_error(error))

    async def _answer(self) -> Answer:
        history = self._journal.history
        assert history.submitted is not None
        if not history.submitted.goal.strip():
            raise UsageError("the goal is empty")
        if history.plan is None:
            await self._make_plan()
        await self._do_steps()
        [order] = history.orders()
        assert isinstance(order, Compose)
        request = ComposeRequest(history.submitted.goal, order.plan, order.results)
        answer = await self._ask_manager(request, ANSWER_STEP, self._turn.deadline, Answer)
        return replace(answer, degraded=(*order.degraded, *answer.degraded))

    async def _make_plan(self) -> None:
        submitted = self._journal.history.submitted
        assert submitted is not None
        now = self._turn.sender.clock.now()
        deadline = Deadline.after(self._turn.remaining_s() * PLAN_SHARE, now)
        request = PlanRequest(submitted.goal, self._roles, submitted.collection)
        proposal = await self._ask_manager(request, PLAN_STEP, deadline, PlanProposal)
        if not proposal.plan.is_sound:
            raise AgentFailed("the manager's plan has steps that need each other or nobody has")
        for step in proposal.plan.steps:
            self.show(StepPlanned(step), step.id)
        await self.record(PlanReady(proposal.plan, proposal.degraded))

    async def _ask_manager(
        self, request: object, step: StepId, deadline: Deadline, expected: type[Reply]
    ) -> Reply:
        """Have the Manager plan or compose, on this host, as a step of its own.

        Not where another Manager has claimed the task: it may have thought it already.
        """
        await self._journal.confirm()
        turn = self._turn.at_step(
            step, deadline, lambda detail: self._progress(detail, step, self._turn.agent)
        )
        try:
            async with asyncio.timeout(turn.remaining_s()):
                reply = await self._manager.handle(request, turn)
        except TimeoutError as error:
            raise DeadlinePassed(f"the deadline passed while the {step} was written") from error
        if not isinstance(reply, expected):
            raise AgentFailed(
                f"the manager answered a {type(request).__name__} with {type(reply).__name__}"
            )
        return reply

    # ---- steps -----------------------------------------------------------------------------

    async def _do_steps(self) -> None:
        """Run the DAG: a step starts as soon as its needs have ended, whatever else runs."""
        now = self._turn.sender.clock.now()
        deadline = Deadline.after(self._turn.remaining_s() * (1 - ANSWER_SHARE), now)
        under_way: set[StepId] = set()

        def start_ready() -> None:
            for order in self._journal.history.orders():
                if isinstance(order, DoStep) and order.step.id not in under_way:
                    under_way.add(order.step.id)
                    group.create_task(do(order))

        async def do(order: DoStep) -> None:
            await StepRun(self, order, deadline).run()
            start_ready()

        try:
            async with asyncio.TaskGroup() as group:
                start_ready()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def ask_step(self, assignment: Assignment, step: StepRun, deadline: Deadline) -> object:
        """Ask a step's agent and return what it says."""
        turn = self._turn.at_step(assignment.step, deadline, lambda _: None)
        observed = Observed(
            on_progress=lambda agent, detail: self._progress(detail, assignment.step, agent),
            on_restart=step.restarted,
            is_abandoned=lambda: self._is_leaving or self._journal.is_lost,
        )
        return await turn.ask_observed(step.agent, assignment, None, observed, is_replaceable=True)

    async def replica(self, role: str, avoid: frozenset[AgentId], deadline: Deadline) -> AgentId:
        """Return a replica, waiting a while where the only one is being restarted.

        Without the store it waits until the deadline: nothing could be journaled anyway.
        """
        sender = self._turn.sender
        gives_up = deadline.sooner(ROLE_WAIT_S, sender.clock.now())
        while True:
            try:
                return await sender.replica_of(role, avoid)
            except UnknownRecipient:
                if gives_up.is_passed(sender.clock.now()):
                    raise
            except StoreUnavailable:
                if deadline.is_passed(sender.clock.now()):
                    raise
            await asyncio.sleep(ROLE_POLL_S)

    async def is_registered(self, agent: AgentId) -> bool:
        """Say whether an agent is known to hold a lease."""
        try:
            return any(found.agent == agent for found in await self._turn.sender.directory.all())
        except StoreUnavailable:
            return False

    @property
    def is_lost(self) -> bool:
        """The journal takes nothing more from this run."""
        return self._journal.is_lost

    @property
    def submitted(self) -> Submitted:
        """What the task is."""
        submitted = self._journal.history.submitted
        assert submitted is not None
        return submitted

    # ---- events ----------------------------------------------------------------------------

    def _event(self, detail: Detail, step: StepId, agent: AgentId) -> Event:
        at_s = max(self._turn.sender.clock.now() - self._started_at, self._journal.history.at_s)
        return Event(at_s, self._journal.task, agent, step, detail)

    async def record(
        self, detail: Detail, step: StepId = NO_STEP, agent: AgentId | None = None
    ) -> Event:
        """Journal a fact; it is shown when it is durable. Raises what `TaskJournal.record` does."""
        return await self._journal.record(self._event(detail, step, agent or self._turn.agent))

    def _show_recorded(self, event: Event) -> None:
        for view in [] if event.is_terminal else self._views:
            view(shown(event))

    def show(self, detail: Detail, step: StepId, agent: AgentId | None = None) -> None:
        """Show a fact that need not outlive this process."""
        event = self._event(detail, step, agent or self._turn.agent)
        for view in self._views:
            view(event)

    def _progress(self, detail: object, step: StepId, agent: AgentId) -> None:
        if isinstance(detail, Detail):
            self.show(detail, step, agent)


class StepRun:
    """One step under way: how often it was sent, to whom, and why again."""

    def __init__(self, run: TaskRun, order: DoStep, deadline: Deadline) -> None:
        self.agent = order.agent
        self._run = run
        self._order = order
        self._deadline = deadline
        self._attempt = order.attempt
        self._failures = 0
        self._avoid: frozenset[AgentId] = frozenset()
        self._reason = "its Manager was lost; what is done counts" if order.attempt > 1 else ""

    async def run(self) -> None:
        """Do the step to its end, which the journal then has; its failures are results too."""
        while True:
            try:
                value = await self._once()
                failure = None
                break
            except ClusterError as error:
                if self._run.is_lost:
                    raise
                value, failure = None, failure_from_error(error)
                if not self._may_try_again(error):
                    break
        await self._finished(value, failure)

    async def _once(self) -> object:
        step, submitted = self._order.step, self._run.submitted
        if not self.agent or not await self._run.is_registered(self.agent):
            self.agent = await self._run.replica(step.agent, self._avoid, self._deadline)
        started = StepStarted(self._attempt, self._reason)
        await self._run.record(started, step.id, self.agent)
        assignment = Assignment(
            step.id,
            step.instruction,
            submitted.goal,
            self._order.needed,
            submitted.collection,
        )
        return await self._run.ask_step(assignment, self, self._deadline)

    def restarted(self, agent: AgentId, epoch: int) -> None:
        """Show that a new incarnation of the replica got the step again."""
        self._attempt += 1
        reason = f"{agent} was restarted (incarnation {epoch})"
        self._run.show(StepStarted(self._attempt, reason), self._order.step.id, agent)

    def _may_try_again(self, error: ClusterError) -> bool:
        """Say whether one more attempt is allowed, with another replica if there is one."""
        self._failures += 1
        if not error.is_retryable or self._failures >= FAILURES_MAX:
            return False
        self._reason = str(error)
        self._avoid = self._avoid | {self.agent}
        self._attempt += 1
        self.agent = AgentId("")
        return True

    async def _finished(self, value: object, failure: Failure | None) -> None:
        outcome = "finished" if failure is None else "failed"
        result = value.text() if isinstance(value, Opaque) else ""
        finished = StepFinished(outcome, self._attempt, failure, result, value)
        await self._run.record(finished, self._order.step.id, self.agent or None)


def shown(event: Event) -> Event:
    """Return an event as the driver gets it: what a step came to, it has seen already."""
    detail = event.detail
    if isinstance(detail, StepFinished) and detail.value is not None:
        return replace(event, detail=replace(detail, value=None))
    return event
