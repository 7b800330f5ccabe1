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
from cluster.kernel.decisions import ConflictDecision, ConflictRequest
from cluster.kernel.delivery.reach import FORGET_AFTER_S
from cluster.kernel.errors import (
    AgentFailed,
    BudgetSpent,
    ClusterError,
    DeadlinePassed,
    ModelError,
    StaleEpoch,
    Stopped,
    UsageError,
)
from cluster.kernel.events import (
    Answered,
    Clarified,
    Detail,
    Event,
    Failed,
    FellBack,
    PlanReady,
    Submitted,
    WasCancelled,
    is_model_fallback,
    shown,
)
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, StepId
from cluster.kernel.tasks.history import Compose, DoStep, compose_request
from cluster.kernel.tasks.turn_life import Ending
from cluster.kernel.time_shares import ANSWER_SHARE, PLAN_SHARE
from cluster.kernel.vocabulary import (
    Answer,
    Plan,
    PlanProposal,
    PlanRequest,
    Role,
    Step,
)
from cluster.memory.journal.port import ENDED_KEPT_S
from cluster.runtime.tasks.conflicts import ConflictDesk
from cluster.runtime.tasks.context import OwnTurn, TaskContext
from cluster.runtime.tasks.getting_ready import GettingReady
from cluster.runtime.tasks.plan_run import PlanRun, Unclear
from cluster.runtime.tasks.settling import Settling
from cluster.runtime.tasks.step_run import StepRun
from cluster.runtime.tasks.task_journal import TaskJournal
from cluster.runtime.tasks.task_story import TaskStory
from cluster.runtime.tasks.topics import TopicDesk
from cluster.runtime.turns.handler import Handler
from cluster.wire.failure import failure_from_error

_log = logging.getLogger(__name__)

Reply = TypeVar("Reply")


class TaskRun:
    """One term of ownership of a task; `ended` has its terminal event, or why the run stopped."""

    def __init__(
        self,
        manager: Handler,
        context: TaskContext,
        journal: TaskJournal,
        roles: tuple[Role, ...],
        settling: Settling,
    ) -> None:
        self.ended: asyncio.Future[Event | ClusterError] = (
            asyncio.get_running_loop().create_future()
        )
        self._manager = manager
        self._context = context
        self._journal = journal
        self.story = TaskStory(journal, context.clock, context.agent)
        self._roles = roles
        self._settling = settling
        self._conflicts = ConflictDesk(self.story, context, self._decide)
        self._topics = TopicDesk(self.story, context, settling)
        self._getting_ready = GettingReady(context)
        self._fell_back: list[str] = []
        """What is to be said of models that could not write the answer."""
        self._is_plain = False
        """Whether the answer is only put together from the results."""
        self._wish: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to the reason when somebody asks for the task's end."""
        self._work: asyncio.Task[None] | None = None
        self._steps_deadline = context.deadline
        """When all steps must have ended, so that there is time for an answer."""

    # ---- from outside ----------------------------------------------------------------------

    def start(self, submitted: Submitted | None) -> None:
        """Begin, with the submission where the journal does not have it yet."""
        self._work = asyncio.ensure_future(self._run(submitted))

    def cancel(self, reason: str) -> None:
        """Ask for the end of the task; what runs is cancelled, and the journal says so."""
        if not self._wish.done():
            self._wish.set_result(reason)

    def await_driver(self) -> None:
        """End the task in time, unless whoever submitted it asks for it: they have gone as well."""

        def end() -> None:
            if not self.story.has_driver:
                self.cancel(Ending.ASKER_GONE.value)

        timer = asyncio.get_running_loop().call_later(FORGET_AFTER_S, end)
        self.ended.add_done_callback(lambda _: timer.cancel())

    async def leave(self) -> None:
        """Stop without an end: another Manager, or the next incarnation, goes on."""
        self.story.leave()
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
                await self._accept(submitted)
            detail = await self._outcome()
            ended = await self.story.record(detail)
            self._settling.task_ended(self._journal.task, ENDED_KEPT_S)
            self._end(shown(ended))
            await self._keep(detail)
        except ClusterError as error:
            self._end(Stopped(f"this Manager does not own the task any longer: {error}"))
        except Exception:  # noqa: BLE001 - whoever follows the run must hear of its end
            _log.exception("task %s was given up by its Manager", self._journal.task)
            self._end(AgentFailed("the Manager gave the task up: its log says why"))

    async def _accept(self, submitted: Submitted) -> None:
        """Journal the submission; a declared plan and its first steps come by the same append."""
        written = self.story.begin(submitted)
        if submitted.workflow is None:
            await written

    async def _outcome(self) -> Detail:
        """Return what the terminal event is to say, when all that ran for it has ended."""
        work = asyncio.ensure_future(self._answer())
        either: list[asyncio.Future[Any]] = [work, self._wish]
        left_s = self._context.remaining_s()
        try:
            await asyncio.wait(either, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self._conflicts.close()
            await self._topics.close()
            await self._getting_ready.close()
        if work.cancelled():
            if self._wish.done():
                return WasCancelled(self._wish.result())
            return await self._failed(DeadlinePassed("the task's deadline has passed"))
        error = work.exception()
        if error is None:
            return Answered(work.result(), self.story.spent)
        if self._journal.is_lost:
            raise StaleEpoch(str(error))
        if isinstance(error, Unclear):
            return Clarified(error.question)
        if not isinstance(error, ClusterError):
            _log.error("task %s failed in its Manager", self._journal.task, exc_info=error)
        return await self._failed(error)

    async def _failed(self, error: BaseException) -> Detail:
        """Return the failure, or the answer of before where only the means are lacking now."""
        if isinstance(error, ModelError | DeadlinePassed | BudgetSpent):
            history = self._journal.ahead  # what is on its way there can't be taken back
            before = await self._of_before(str(error)) if history.may_be_answered else None
            if before is not None:
                if history.plan is None:
                    await self.story.record(PlanReady(Plan(()), ()))
                return Answered(before, self.story.spent)
        return Failed(failure_from_error(error))

    async def _of_before(self, why: str) -> Answer | None:
        answers, now_wall_s = self._context.answers, self._context.clock.wall()
        submitted = self._journal.history.submitted
        if answers is None or submitted is None:
            return None
        return await answers.find(submitted, why, now_wall_s)

    async def _keep(self, detail: Detail) -> None:
        answers = self._context.answers
        if answers is not None and isinstance(detail, Answered):
            now_wall_s = self._context.clock.wall()
            await answers.keep(self.story.submitted, detail.answer, now_wall_s)

    async def _answer(self) -> Answer:
        history, goal = self._journal.history, self.story.submitted.goal
        if not goal.strip():
            raise UsageError("the goal is empty")
        for step in history.finished:  # an earlier owner may not have come to it
            self._settling.step_ended(self._journal.task, step)
        self._topics.begin()
        self._steps_deadline = self._context.share(1 - ANSWER_SHARE)
        plan_run = PlanRun(
            self.story,
            self._context,
            self._plan,
            self._do_step,
            self._step_ended,
            get_ready=self._get_ready,
        )
        await plan_run.run(self._roles)
        [order] = history.orders()
        assert isinstance(order, Compose)
        said = (*await self._topics.finish(), *await self._conflicts.undecided())
        request = compose_request(history, order, self.story.lacks(for_answer=True))
        answer = await self._ask_manager(request, ANSWER_STEP, self._context.deadline, Answer)
        if self._is_plain and (before := await self._of_before("it could not be written anew")):
            return before
        said = (*said, *dict.fromkeys(self._fell_back))
        return replace(answer, degraded=(*order.degraded, *said, *answer.degraded))

    def _on_said(self, detail: object, step: StepId) -> None:
        """Show what the Manager says of its own work."""
        if is_model_fallback(detail):
            self._fell_back.append(f"The {step}: {detail.reason}.")
        self._is_plain |= isinstance(detail, FellBack) and detail.what == ANSWER_STEP
        self.story.progress(detail, step)

    async def _plan(self, request: PlanRequest, plan_run: PlanRun) -> PlanProposal:
        deadline = self._context.share(PLAN_SHARE)
        return await self._ask_manager(request, PLAN_STEP, deadline, PlanProposal, plan_run)

    def _get_ready(self, step: Step) -> None:
        if self._context.techniques.prepares:
            self._getting_ready.begin(step, self.story.submitted)

    async def _do_step(self, order: DoStep, then: Callable[[], None]) -> None:
        ready = self._getting_ready.take(order.step.id)
        deadline = self._steps_deadline
        await StepRun(self.story, self._context, order, deadline, ready=ready, then=then).run()

    async def _step_ended(self, step: StepId) -> None:
        self._settling.step_ended(self._journal.task, step)
        await self._conflicts.look()

    async def _ask_manager(
        self,
        request: object,
        step: StepId,
        deadline: Deadline,
        expected: type[Reply],
        plan_run: PlanRun | None = None,
    ) -> Reply:
        """Have the Manager plan or compose, on this host, as a step of its own.

        Not where another Manager has claimed the task: it may have thought it already.
        """
        await self._journal.confirm()
        context = self._context
        turn = OwnTurn(
            context,
            step,
            deadline,
            plan_run.on_said if plan_run else lambda detail: self._on_said(detail, step),
            plan_run.on_planning if plan_run else None,
            documents=context.documents,
        )
        try:
            async with asyncio.timeout(turn.remaining_s()):
                if self._journal.is_adopted:
                    await turn.begin()  # nothing stays of what an earlier owner has edited
                reply = await self._manager.handle(request, turn)
                await turn.flush()
        except TimeoutError as error:
            raise DeadlinePassed(f"the deadline passed while the {step} was written") from error
        finally:
            turn.close()
        if not isinstance(reply, expected):
            raise AgentFailed(
                f"the manager answered a {type(request).__name__} with {type(reply).__name__}"
            )
        return reply

    async def _decide(
        self, request: ConflictRequest, step: StepId, deadline: Deadline
    ) -> ConflictDecision:
        return await self._ask_manager(request, step, deadline, ConflictDecision)
