"""The task engine: carries a submitted task through plan, steps and answer on a Manager's host.

The Manager agent plans and composes, other agents do the steps; what may start when is
`cluster.kernel.schedule`'s decision. A submission is one turn of the Manager: its progress is the
task's events, its answer the terminal event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import (
    AgentFailed,
    ClusterError,
    DeadlinePassed,
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
)
from cluster.kernel.ids import ANSWER_STEP, NO_STEP, PLAN_STEP, AgentId, StepId, role_of
from cluster.kernel.schedule import Schedule
from cluster.kernel.tasks import (
    Answer,
    Assignment,
    ComposeRequest,
    Plan,
    PlanProposal,
    PlanRequest,
    Role,
    Step,
    StepResult,
    Submission,
)
from cluster.kernel.turn import Turn
from cluster.runtime.turns import Handler, Observed, RunningTurn, Sender
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import Opaque

Reply = TypeVar("Reply")

ATTEMPTS_MAX = 3
PLAN_SHARE = 0.5
"""Of the time left, what the plan may take."""
ANSWER_SHARE = 0.2
"""Of the time left after the plan, what is kept for the answer."""
ROLE_WAIT_S = 15.0
"""How long a role may be without a registered replica: a restart takes a few seconds."""
ROLE_POLL_S = 0.2


class TaskEngine:
    """The handler of a Manager's host: submissions are run here, the rest is the agent's."""

    def __init__(self, manager: Handler, sender: Sender) -> None:
        self._manager = manager
        self._sender = sender
        self._roles: dict[str, Role] = {}
        """Every role ever seen: one whose only replica restarts just now still counts."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Run a submission to its terminal event, or pass another message to the Manager."""
        if not isinstance(message, Submission) or not isinstance(turn, RunningTurn):
            return await self._manager.handle(message, turn)
        roles = await self.roles(role_of(turn.agent))
        return await TaskRun(self._manager, self._sender, message, turn, roles).run()

    async def roles(self, own_role: str) -> tuple[Role, ...]:
        """Return the roles a plan may use."""
        for found in await self._sender.directory.all():
            self._roles[found.role] = Role(found.role, found.purpose, found.handles)
        return tuple(role for name, role in sorted(self._roles.items()) if name != own_role)


class TaskRun:
    """One task on its way from submission to terminal event."""

    def __init__(
        self,
        manager: Handler,
        sender: Sender,
        submission: Submission,
        turn: RunningTurn,
        roles: tuple[Role, ...],
    ) -> None:
        self._manager = manager
        self._sender = sender
        self._submission = submission
        self._turn = turn
        self._roles = roles
        self._started_at = sender.clock.now()

    async def run(self) -> Event:
        """Return the terminal event; cancellation passes through after all asks were cancelled."""
        self._emit(Submitted(self._submission.goal), step=NO_STEP)
        try:
            if not self._submission.goal.strip():
                raise UsageError("the goal is empty")
            return self._event(Answered(await self._answer()), NO_STEP, self._turn.agent)
        except ClusterError as error:
            return self._event(Failed(failure_from_error(error)), NO_STEP, self._turn.agent)

    async def _answer(self) -> Answer:
        now = self._sender.clock.now()
        plan_deadline = Deadline.after(self._turn.remaining_s() * PLAN_SHARE, now)
        request = PlanRequest(self._submission.goal, self._roles, self._submission.collection)
        proposal = await self._ask_manager(request, PLAN_STEP, plan_deadline, PlanProposal)
        for step in proposal.plan.steps:
            self._emit(StepPlanned(step), step=step.id)
        self._emit(PlanReady(proposal.plan), step=NO_STEP)
        results = await self._run_plan(proposal.plan)
        compose = ComposeRequest(self._submission.goal, proposal.plan, results)
        answer = await self._ask_manager(compose, ANSWER_STEP, self._turn.deadline, Answer)
        degraded = (*proposal.degraded, *answer.degraded)
        return Answer(answer.text, answer.citations, answer.programs, degraded)

    async def _ask_manager(
        self, request: object, step: StepId, deadline: Deadline, expected: type[Reply]
    ) -> Reply:
        """Have the Manager plan or compose, on this host, as a step of its own."""

        def on_emit(detail: object) -> None:
            self._progress(detail, step, self._turn.agent)

        turn = self._turn.at_step(step, deadline, on_emit)
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

    async def _run_plan(self, plan: Plan) -> tuple[StepResult, ...]:
        """Run the DAG: a step starts as soon as its needs have ended, whatever else runs."""
        schedule = Schedule(plan)
        now = self._sender.clock.now()
        deadline = Deadline.after(self._turn.remaining_s() * (1 - ANSWER_SHARE), now)
        running: set[asyncio.Task[StepResult]] = set()
        try:
            while not schedule.is_finished:
                for step in schedule.start_ready():
                    work = self._run_step(step, schedule.needed_by(step), deadline)
                    running.add(asyncio.ensure_future(work))
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    schedule.finish(task.result())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return schedule.results()

    async def _run_step(
        self, step: Step, needed: tuple[StepResult, ...], deadline: Deadline
    ) -> StepResult:
        """Return what a step came to; its failures are results too."""
        attempts = StepAttempts(step, self._emit)
        assignment = Assignment(
            step.id,
            step.instruction,
            self._submission.goal,
            needed,
            self._submission.collection,
        )
        value: object
        while True:
            try:
                value = await self._attempt(attempts, assignment, deadline)
                failure = None
            except ClusterError as error:
                value = failure = failure_from_error(error)
                if error.is_retryable and attempts.again(str(error)):
                    continue
            break
        outcome = "finished" if failure is None else "failed"
        result = value.text() if isinstance(value, Opaque) else ""
        finished = StepFinished(outcome, attempts.count, failure, result)
        self._emit(finished, step=step.id, agent=attempts.agent)
        return StepResult(step.id, step.agent, value)

    async def _attempt(
        self, attempts: StepAttempts, assignment: Assignment, deadline: Deadline
    ) -> object:
        attempts.start(await self._replica(attempts.step.agent, attempts.avoid, deadline))
        turn = self._turn.at_step(attempts.step.id, deadline, self._ignore)
        observed = Observed(
            on_progress=lambda agent, detail: self._progress(detail, attempts.step.id, agent),
            on_restart=attempts.restarted,
        )
        return await turn.ask_observed(attempts.agent, assignment, None, observed)

    async def _replica(self, role: str, avoid: frozenset[AgentId], deadline: Deadline) -> AgentId:
        """Return a replica, waiting a while where the only one is being restarted."""
        gives_up = deadline.sooner(ROLE_WAIT_S, self._sender.clock.now())
        while True:
            try:
                return await self._sender.replica_of(role, avoid)
            except UnknownRecipient:
                if gives_up.is_passed(self._sender.clock.now()):
                    raise
                await asyncio.sleep(ROLE_POLL_S)

    # ---- events ----------------------------------------------------------------------------

    def _event(self, detail: Detail, step: StepId, agent: AgentId) -> Event:
        at_s = self._sender.clock.now() - self._started_at
        return Event(at_s, self._turn.task, agent, step, detail)

    def _emit(self, detail: Detail, *, step: StepId, agent: AgentId | None = None) -> None:
        self._turn.emit(self._event(detail, step, agent or self._turn.agent))

    def _progress(self, detail: object, step: StepId, agent: AgentId) -> None:
        if isinstance(detail, Detail):
            self._emit(detail, step=step, agent=agent)

    def _ignore(self, detail: object) -> None:
        """A step's turn on this host only asks; it emits nothing itself."""


class StepAttempts:
    """How often a step was sent, to whom, and why again."""

    def __init__(self, step: Step, emit: Callable[..., None]) -> None:
        self.step = step
        self.count = 0
        self.agent = AgentId("")
        self.avoid: frozenset[AgentId] = frozenset()
        self._reason = ""
        self._emit = emit

    def start(self, agent: AgentId) -> None:
        """Note that the step is being sent to a replica."""
        self.agent = agent
        self.count += 1
        self._emit(StepStarted(self.count, self._reason), step=self.step.id, agent=agent)

    def restarted(self, agent: AgentId, epoch: int) -> None:
        """Note that a new incarnation of the replica got the step again."""
        self._reason = f"{agent} was restarted (incarnation {epoch})"
        self.start(agent)

    def again(self, reason: str) -> bool:
        """Say whether one more attempt is allowed, with another replica if there is one."""
        self._reason = reason
        self.avoid = self.avoid | {self.agent}
        return self.count < ATTEMPTS_MAX
