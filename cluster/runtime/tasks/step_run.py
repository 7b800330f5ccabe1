"""One step of a task under way, from its agent's choice to its result in the journal.

`cluster.kernel.tasks.retries` decides who gets it, and when again; `cluster.kernel.tasks.staleness`
whether its result still stands when it comes. A step of a broadcast task begins with what is there
of what it needs; its result waits for the rest, and is judged then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from cluster.kernel.clock import Deadline
from cluster.kernel.envelope import Envelope, Trust
from cluster.kernel.errors import BudgetSpent, ClusterError, StoreUnavailable
from cluster.kernel.events import (
    StateMerged,
    StepFinished,
    StepStale,
    StepStarted,
)
from cluster.kernel.ids import AgentId, StepId, role_of
from cluster.kernel.reads import Saw
from cluster.kernel.tasks.accounts import StepAccounts
from cluster.kernel.tasks.history import DoStep
from cluster.kernel.tasks.retries import (
    ROLE_POLL_S,
    Retry,
    RoleWait,
    agent_restarted,
    first_try,
    role_missing,
    step_failed,
    step_stale,
)
from cluster.kernel.tasks.schedule import allowed_s, urgencies
from cluster.kernel.tasks.staleness import NO_NEWS, Accepted, Redo, Verdict, is_fresh, verdict
from cluster.kernel.tasks.step_hedging import other_replicas
from cluster.kernel.vocabulary import Assignment, Failure, Finding
from cluster.runtime.messaging.sender import Unobserved
from cluster.runtime.tasks.context import TaskContext
from cluster.runtime.tasks.hedged_ask import HedgedAsk
from cluster.runtime.tasks.task_story import TaskStory
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import Opaque


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to, and what that was made from where its agent says so."""

    value: object
    saw: Saw | None
    failure: Failure | None = None
    """Why it came to nothing."""


def _trust(assignment: Assignment) -> Trust:
    """Say whether an assignment has text from documents, which nobody here has written."""
    findings = [each.value for each in assignment.results if isinstance(each.value, Finding)]
    return Trust.RETRIEVED if any(each.citations for each in findings) else Trust.AGENT


def _class_name(value: object) -> str:
    return value.class_name if isinstance(value, Opaque) else type(value).__name__


class StepRun(Unobserved):
    """Has one step done, by one agent after another where one fails."""

    def __init__(
        self,
        story: TaskStory,
        context: TaskContext,
        order: DoStep,
        deadline: Deadline,
        *,
        ready: AgentId | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        self._story = story
        self._context = context
        self._order = order
        self._deadline = deadline
        self._ready = ready
        """Who was told that it will get the step."""
        self._then = then
        """Begins what follows from its end."""
        roles = (order.step.agent, *order.step.alternatives)
        self._tries = first_try(order.attempt, order.agent, roles)
        self._redo = order.redo
        self._saw: Saw | None = None
        """What the latest answer was made from."""
        self._missing: tuple[StepId, ...] = ()
        """What the latest attempt was begun without."""
        self._accounts = StepAccounts(order.step.id)
        """Of all attempts under this owner."""
        self._stale: Outcome | None = None
        """What the step came to before it was done again, should that fail."""

    async def run(self) -> None:
        """Do the step to its end, which the journal then has; its failures are results too."""
        while True:
            began_at = self._context.clock.now()
            try:
                value = await self._once()
                result = Outcome(value, self._saw or self._without())
            except ClusterError as error:
                if self._story.journal.is_lost:
                    raise
                self._tries, retry = step_failed(self._tries, error)
                if retry is Retry.AGAIN:
                    continue
                result = Outcome(None, self._without(), failure_from_error(error))
            # Not what it then waits for: in a broadcast task that is what other steps take.
            took_s = self._context.clock.now() - began_at
            judged = await self._judged(result, took_s)
            if isinstance(judged, Accepted):
                if result.failure is None:
                    self._context.experience.learn(self._tries.roles[0], took_s)
                await self._end(result, judged)
                return
            await self._begin_redo(result, judged)

    async def _judged(self, result: Outcome, took_s: float) -> Verdict:
        """Return whether a result stands: what it was made from may have changed meanwhile."""
        await self._story.until_needs_ended(self._order.step)
        saw, context, step = result.saw, self._context, self._order.step.id
        if saw is None or is_fresh(saw):
            return Accepted()
        news = NO_NEWS
        if context.freshness is not None:
            news = await context.freshness.news(saw, context.trace.task, step)
        news = replace(news, results=saw.missing)
        has_time = self._deadline.remaining_s(context.clock.now()) > took_s
        return verdict(step, saw, news, self._redo, has_time=has_time)

    async def _begin_redo(self, result: Outcome, redo: Redo) -> None:
        if result.failure is None:
            self._stale = result
        self._redo += 1
        self._tries = step_stale(self._tries, redo.reason)
        stale = StepStale(redo.changes, self._redo, redo.results)
        await self._story.record(stale, self._order.step.id, self._tries.agent or None)

    async def _once(self) -> object:
        step, submitted, history = self._order.step, self._story.submitted, self._story.history
        self._saw, self._missing = None, ()
        self._check_budget()
        agent = self._tries.agent
        if not agent or not await self._is_registered(agent):
            agent = await self._replica()
            self._tries = replace(self._tries, agent=agent)
        self._check_budget()  # other steps may have used it up meanwhile
        started = StepStarted(self._tries.attempt, self._tries.reason)
        await self._story.record(started, step.id, agent)
        durations = self._context.experience.durations
        assignment = Assignment(
            step.id,
            step.instruction,
            submitted.goal,
            history.needed(step),
            submitted.collection,
            self._redo,
            history.missing(step),
            urgencies(history.sealed, durations, self._context.calls_max).get(step.id, 0.0),
            history.routed.effort if history.routed is not None else "",
            step.is_pure,
            submitted.conversation,
        )
        self._missing = assignment.missing
        now = self._context.clock.now()
        left_s = self._deadline.remaining_s(now)
        may_take_s = allowed_s(step, history.sealed, durations, left_s, set(history.finished))
        deadline = self._deadline.sooner(may_take_s, now)
        ask = self._context.envelope(
            agent, assignment, assignment.turn_step, deadline, trust=_trust(assignment)
        )
        # An earlier attempt may have edited: whoever begins next then voids the other's record. Or
        # it has left one, and how soon that is handed over is no step's time.
        if self._tries.attempt > 1 or self._other(assignment) is None:
            return await self._context.asker.ask_replaceable(ask, self)
        return await self._ask_hedged(ask, assignment)

    async def _ask_hedged(self, ask: Envelope, assignment: Assignment) -> object:
        """Ask a replica, and another one where that takes long; the step is pure."""
        context = self._context
        hedger = context.experience.hedger(self._tries.roles[0])
        hedged = HedgedAsk(context.asker, hedger, ask, self, lambda: self._other(assignment))
        try:
            value = await hedged.answer()
        except ClusterError:
            self._tries = replace(self._tries, avoid=self._tries.avoid | hedged.asked)
            raise
        self._tries = replace(self._tries, agent=hedged.agent)
        return value

    def _other(self, assignment: Assignment) -> AgentId | None:
        """Return another replica that may do a step as well; None where there is none just now."""
        context, tries = self._context, self._tries
        if not context.techniques.hedges_steps:
            return None
        known = context.directory.known(tries.roles[0])
        results = [_class_name(each.value) for each in assignment.results]
        others = other_replicas(assignment, results, tries.agent, known)
        if not others or self._story.lacks():
            return None
        return context.asker.least_busy(r for r in others if r.agent not in tries.avoid)

    def _check_budget(self) -> None:
        if lacking := self._story.lacks():
            step = self._order.step.id
            raise BudgetSpent(f"step {step} was not begun: the task has used {lacking}")

    async def _is_registered(self, agent: AgentId) -> bool:
        """Say whether an agent is known to hold a lease."""
        try:
            return any(found.agent == agent for found in await self._context.directory.all())
        except StoreUnavailable:
            return False

    async def _replica(self) -> AgentId:
        """Return a replica, waiting a while where the only one is being restarted."""
        context = self._context
        has_other = len(self._tries.roles) > 1
        wait = RoleWait.begin(self._deadline.at, context.clock.now(), has_other=has_other)
        while True:
            try:
                role, avoid = self._tries.roles[0], self._tries.avoid
                return await context.asker.replica_of(role, avoid, self._ready)
            except ClusterError as error:
                if role_missing(wait, error, context.clock.now()) is Retry.NEVER:
                    raise
            await asyncio.sleep(ROLE_POLL_S)

    # ---- on its way ------------------------------------------------------------------------

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        """Show what the agent says of its work, and count what it has used."""
        self._accounts.hear(agent, detail, self._redo)
        self._story.progress(detail, self._order.step.id, agent)

    def on_restart(self, agent: AgentId, epoch: int, /) -> None:
        """Journal that a new incarnation of the replica got the step again."""
        self._tries = agent_restarted(self._tries, agent, epoch)
        started = StepStarted(self._tries.attempt, self._tries.reason)
        self._story.begin(started, self._order.step.id, agent)

    def on_saw(self, saw: Saw, /) -> None:
        """Note what the answer was made from, and what of its making was not heard on the way.

        It may be a record of before: of a turn that another owner has asked for, or whose agent
        could not be reached any longer.
        """
        self._saw = replace(saw, spent=None, fell_back=())  # the journal has them beside it
        for detail in self._accounts.unheard(saw, self._redo):
            self.on_progress(AgentId(saw.made_by), detail)

    def _without(self) -> Saw | None:
        """Return what an attempt saw, of which nobody else says it: all but what was not there."""
        return Saw(missing=self._missing) if self._missing else None

    @property
    def is_abandoned(self) -> bool:
        """The next owner of the task asks for the same step."""
        return self._story.is_over

    # ---- its end ---------------------------------------------------------------------------

    async def _end(self, result: Outcome, accepted: Accepted) -> None:
        if result.failure is None:
            await self._finished(result, accepted)
        else:
            await self._failed(result.failure)

    async def _failed(self, failure: Failure) -> None:
        """Let the failure be the result; that of a redo leaves what there was before."""
        if self._stale is None:
            failed = StepFinished("failed", self._tries.attempt, failure, spent=self._accounts.used)
            await self._record(failed, self._tries.agent)
            return
        said = (
            f"What step {self._order.step.id} was made from has changed since, and it could not"
            f" be done again: {failure.message}. What it had written to shared state may be"
            " taken back."
        )
        await self._finished(self._stale, Accepted(degraded=(said,)))

    async def _finished(self, result: Outcome, accepted: Accepted) -> None:
        step, value, saw = self._order.step.id, result.value, result.saw
        # Who has answered may have found another one's record in the store.
        agent = AgentId(saw.made_by) if saw is not None and saw.made_by else self._tries.agent
        if accepted.merged:
            self._story.begin(StateMerged(accepted.merged), step, agent)
        text = value.text() if isinstance(value, Opaque) else ""
        await self._record(
            StepFinished(
                "finished",
                self._tries.attempt,
                None,
                text,
                value,
                saw,
                (*self._instead(agent), *self._accounts.degraded(agent), *accepted.degraded),
                self._accounts.used,
            ),
            agent,
        )

    def _instead(self, agent: AgentId) -> tuple[str, ...]:
        """Say that another role has done the step than was planned."""
        step, role = self._order.step, role_of(agent) or self._tries.roles[0]
        if role == step.agent:
            return ()
        return (f"Step {step.id} was done by the {role}: the {step.agent} could not do it.",)

    async def _record(self, finished: StepFinished, agent: AgentId) -> None:
        await self._story.record(finished, self._order.step.id, agent or None, then=self._then)
