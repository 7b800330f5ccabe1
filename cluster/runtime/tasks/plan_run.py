"""The plan of a task under way: written by the Manager, and carried out while it is being written.

Called by `cluster.runtime.tasks.task_run`. A step begins when it is planned and all that it needs
has ended; the last of these facts and its beginning are journaled by one append before anybody is
asked for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cluster.kernel.errors import AgentFailed
from cluster.kernel.events import PlanReady, Routed, Spent, StepPlanned, is_model_fallback
from cluster.kernel.ids import PLAN_STEP, StepId
from cluster.kernel.tasks.history import DoStep
from cluster.kernel.tasks.spending import spent_too
from cluster.kernel.tasks.workflow import check_staffed, check_workflow
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Coherence, Plan, PlanProposal, PlanRequest, Role, Step
from cluster.runtime.tasks.context import TaskContext
from cluster.runtime.tasks.task_story import TaskStory

_log = logging.getLogger(__name__)

Propose = Callable[[PlanRequest, "PlanRun"], Awaitable[PlanProposal]]
"""Has the Manager plan; the run is told what it says meanwhile."""
DoStepThen = Callable[[DoStep, Callable[[], None]], Awaitable[None]]


class Unclear(Exception):
    """The goal can't be planned as it is, and the user is asked."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


class PlanRun:
    """Has a goal planned and its steps done, as the history orders.

    Args:
        story: of the task.
        context: what its owner works with.
        propose: has the Manager plan.
        do_step: has a step done; the journal then has what it came to. It calls what follows from
            that as soon as the fact is on its way there.
        on_ended: told of each step that has ended, the planning too.
        get_ready: tells of a step that can't begin yet whoever will get it; twice is once.
    """

    def __init__(
        self,
        story: TaskStory,
        context: TaskContext,
        propose: Propose,
        do_step: DoStepThen,
        on_ended: Callable[[StepId], Awaitable[None]],
        *,
        get_ready: Callable[[Step], None],
    ) -> None:
        self._story = story
        self._context = context
        self._propose = propose
        self._do_step = do_step
        self._on_ended = on_ended
        self._get_ready = get_ready
        self._planned: set[StepId] = set()
        self._begun: dict[StepId, Step] = {}
        """What is being done, or was, in this term; the history may not have it yet."""
        self._spent = Usage()
        self._fell_back: list[str] = []
        """What is to be said of models that could not plan."""
        self._group = asyncio.TaskGroup()

    async def run(self, roles: tuple[Role, ...]) -> None:
        """Return when there is a whole plan and all its steps have ended.

        Raises:
            ClusterError: the goal can't be planned, or the task has another owner.
            Unclear: the user has to be asked.
        """
        history = self._story.ahead
        self._planned = {step.id for step in history.sealed}
        try:
            async with self._group:
                if history.plan is None:
                    self._group.create_task(self._make_plan(roles))
                self._start_ready()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    # ---- planning --------------------------------------------------------------------------

    async def _make_plan(self, roles: tuple[Role, ...]) -> None:
        plan = self._story.submitted.workflow
        degraded: tuple[str, ...] = ()
        if plan is None:
            plan, degraded = await self._proposed(roles)
        else:  # it comes from another process
            check_workflow(plan)
            check_staffed(plan, roles)
        for step in plan.steps:
            if step.id not in self._planned:
                self._story.show(StepPlanned(step), step.id)
        await self._story.record(PlanReady(plan, degraded, self._spent), then=self._start_ready)
        for step in plan.steps:
            if step.id not in self._begun:
                self._get_ready(step)
        await self._on_ended(PLAN_STEP)

    async def _proposed(self, roles: tuple[Role, ...]) -> tuple[Plan, tuple[str, ...]]:
        submitted, history = self._story.submitted, self._story.ahead
        request = PlanRequest(
            submitted.goal,
            roles,
            submitted.collection,
            history.sealed,
            is_broadcast=submitted.coherence is Coherence.BROADCAST,
            conversation=submitted.conversation,
            is_aside=submitted.is_aside,
        )
        proposal = await self._propose(request, self)
        if proposal.question and not self._planned:
            raise Unclear(proposal.question)
        begun = {step.id: step for step in history.begun} | self._begun
        plan = proposal.plan.with_begun(begun.values())
        if not plan.is_sound:
            raise AgentFailed("the manager's plan has steps that need each other or nobody has")
        fell_back = dict.fromkeys((*self._story.ahead.said_of_planning, *self._fell_back))
        return plan, (*fell_back, *proposal.degraded)

    def on_planning(self, detail: StepPlanned | Routed) -> None:
        """Journal what the Manager decides while it plans."""
        if isinstance(detail, StepPlanned):
            self._seal(detail.planned)
        elif not self._planned:
            self._story.begin(detail)

    def _seal(self, step: Step) -> None:
        """Journal a step of a plan that is still being written, and begin it where that can be."""
        if step.id in self._planned:
            _log.warning("step %s of %s is planned twice", step.id, self._context.trace.task)
            return
        if not self._context.techniques.streams_plan:
            return  # the whole plan has it
        self._planned.add(step.id)
        history = self._story.ahead
        new = [each for each in self._fell_back if each not in history.said_of_planning]
        planned = StepPlanned(step, tuple(dict.fromkeys(new)))
        self._story.begin(planned, step.id, self._context.agent)
        if history.may_begin(step):
            self._start(DoStep(step, history.needed(step)))
        else:
            self._get_ready(step)

    def on_said(self, detail: object) -> None:
        """Show what the Manager says while it plans."""
        if isinstance(detail, Spent):
            self._spent = spent_too(self._spent, detail)
        elif is_model_fallback(detail):
            self._fell_back.append(f"The plan: {detail.reason}.")
        self._story.progress(detail, PLAN_STEP)

    # ---- steps -----------------------------------------------------------------------------

    def _start_ready(self) -> None:
        """Begin what can begin once all that is being journaled is durable, whatever else runs."""
        for order in self._story.ahead.orders():
            if isinstance(order, DoStep):
                self._start(order)

    def _start(self, order: DoStep) -> None:
        step = order.step
        if step.id not in self._begun:
            self._begun[step.id] = step
            self._group.create_task(self._do(order), name=f"step {step.id}")

    async def _do(self, order: DoStep) -> None:
        await self._do_step(order, self._start_ready)
        await self._on_ended(order.step.id)
