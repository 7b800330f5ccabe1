"""The fold of a task's journal: events in, what is known and what may be done next out.

Pure: the engine appends an event to the journal, applies it here, and then does what `orders` says.
A task that is adopted by another Manager is folded from its journal to the state it had, and the
orders are the same; that is what the recorded histories in `tests/histories` hold it to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cluster.kernel.errors import WireError
from cluster.kernel.events import (
    Adopted,
    Answered,
    Discarded,
    Event,
    PlanReady,
    Routed,
    Speculated,
    StateConflicted,
    StateMerged,
    StepFinished,
    StepPlanned,
    StepStale,
    StepStarted,
    Submitted,
    UnknownDetail,
)
from cluster.kernel.ids import NO_AGENT, AgentId, StepId
from cluster.kernel.vocabulary import (
    Coherence,
    ComposeRequest,
    Finding,
    Plan,
    Step,
    StepResult,
)


@dataclass(frozen=True, slots=True)
class MakePlan:
    """Order: have the Manager plan the goal, or the rest of it."""

    sealed: tuple[Step, ...] = ()
    """What of the plan is journaled already, and may be running."""


@dataclass(frozen=True, slots=True)
class DoStep:
    """Order: have an agent do a step, with the results of the steps it needs.

    Of a broadcast task with those that are there; `TaskHistory.needed` has the ones that follow.
    """

    step: Step
    needed: tuple[StepResult, ...]
    attempt: int = 1
    agent: AgentId = NO_AGENT
    """Who was asked for it last: it may have done the step, or be doing it."""
    redo: int = 0
    """How often it had a result that was stale when it came."""


@dataclass(frozen=True, slots=True)
class Compose:
    """Order: have the Manager compose the answer from the results in the plan's order."""

    plan: Plan
    results: tuple[StepResult, ...]
    degraded: tuple[str, ...] = ()
    """What had to be given up for the plan, and what is to be said of its steps."""


Order = MakePlan | DoStep | Compose


@dataclass(slots=True)
class _StepRecord:
    """What the journal says of one step."""

    step: Step
    attempts: int = 0
    agent: AgentId = NO_AGENT
    redo: int = 0
    result: StepResult | None = None
    handed_on: StepResult | None = None
    """The result as those get it that need it: findings come without whole passages."""
    degraded: tuple[str, ...] = ()


@dataclass(slots=True)
class TaskHistory:
    """What is known of a task from its journal, so far."""

    submitted: Submitted | None = None
    plan: PlanReady | None = None
    routed: Routed | None = None
    """Who was to work on the goal, the last time that this was decided."""
    said_of_planning: tuple[str, ...] = ()
    """What is to be said of who planned the steps that there are, until the plan says it."""
    terminal: Event | None = None
    length: int = 0
    """Events in the journal."""
    at_s: float = 0.0
    """When the last of them happened, in seconds since submission."""
    _steps: dict[StepId, _StepRecord] = field(default_factory=dict)

    def copy(self) -> TaskHistory:
        """Return one that goes its own way from here."""
        steps = {step: replace(record) for step, record in self._steps.items()}
        return replace(self, _steps=steps)

    def apply(self, event: Event) -> None:
        """Take in the next event of the journal.

        Raises:
            WireError: it can't follow what went before; nothing was changed.
        """
        self.check(event)
        match event.detail:
            case Submitted() as submitted:
                self.submitted = submitted
            case StepPlanned(step, degraded):
                self._steps[step.id] = _StepRecord(step)
                self.said_of_planning += degraded
            case PlanReady(plan) as ready:
                self.plan = ready
                self._close_plan(plan)
            case StepStarted(attempt):
                record = self._steps[event.step]
                record.attempts, record.agent = attempt, event.agent
            case StepFinished() as finished:
                record = self._steps[event.step]
                value = finished.failure or finished.value
                is_unsourced = not self._is_sourced(record.step, finished)
                result = StepResult(event.step, record.step.agent, value, is_unsourced)
                record.result, record.handed_on = result, _without_passages(result)
                record.degraded = finished.degraded
            case StepStale(redo=redo):
                self._steps[event.step].redo = redo
            case Routed() as routed:
                self.routed = routed
            case StateMerged() | StateConflicted() | Speculated() | Adopted() | Discarded():
                pass  # nothing follows from it here
            case UnknownDetail():
                pass  # whoever wrote it does what follows from it
            case _:
                self.terminal = event
        self.length = event.index
        self.at_s = max(self.at_s, event.at_s)

    def check(self, event: Event) -> None:
        """Look whether an event can be the next one of the journal.

        Raises:
            WireError: it can't follow what went before.
        """
        if event.index != self.length + 1:
            raise WireError(f"event {event.index} of task {event.task} follows {self.length}")
        match event.detail:
            case Submitted():
                can_follow = self.submitted is None
            case StepPlanned() | PlanReady() | Routed() as detail:
                is_planning = self.submitted is not None and self.plan is None
                can_follow = is_planning and self._fits_plan(detail)
            case StepStarted() | StepFinished() | StepStale() as detail:
                record = self._steps.get(event.step)
                is_open = record is not None and record.result is None
                can_follow = record is not None and is_open and self._fits_step(detail, record)
            case Answered():
                can_follow = self.plan is not None and self._is_plan_done
            case UnknownDetail() | StateMerged() | StateConflicted():
                can_follow = True
            case Speculated() | Adopted() | Discarded():
                can_follow = self.submitted is not None
            case _:  # a task that was never accepted can end too
                can_follow = event.is_terminal
        if not can_follow or self.terminal is not None:
            raise WireError(
                f"{event.kind} (step {event.step!r}) can't be event {event.index} of task"
                f" {event.task}: the journal is not one of ours, or we have a bug"
            )

    def _fits_plan(self, detail: StepPlanned | PlanReady | Routed) -> bool:
        """Say whether this may be said of a plan: it keeps all that runs or has ended as it is."""
        match detail:
            case StepPlanned(step):
                return step.id not in self._steps
            case PlanReady(plan):
                return set(self.begun) <= set(plan.steps)
            case Routed():
                return not self._steps

    def _fits_step(
        self, detail: StepStarted | StepFinished | StepStale, record: _StepRecord
    ) -> bool:
        """Say whether this may come next of a step that has no result."""
        match detail:
            case StepStarted(attempt):
                return attempt > record.attempts and self.may_begin(record.step)
            case StepFinished(failure=failure):  # it may find no agent
                has_begun = record.attempts > 0 or failure is not None
                return self._is_ready(record.step) and has_begun
            case StepStale(redo=redo):
                has_begun = record.attempts > 0 and redo > record.redo
                return has_begun and self._is_ready(record.step)

    def orders(self) -> tuple[Order, ...]:
        """Return what is to be done next; of it, the owner leaves out what it is doing already.

        A step that was started and has not finished is among them: with the next attempt, since
        who started it may be gone.
        """
        if self.submitted is None or self.terminal is not None:
            return ()
        if self.plan is not None and self._is_plan_done:
            return (self._compose(self.plan),)
        steps = [
            DoStep(
                record.step,
                self.needed(record.step),
                record.attempts + 1,
                record.agent,
                record.redo,
            )
            for record in self._steps.values()
            if record.result is None and self.may_begin(record.step)
        ]
        return tuple(steps) if self.plan is not None else (MakePlan(self.sealed), *steps)

    @property
    def sealed(self) -> tuple[Step, ...]:
        """The steps that are planned, those of a plan that is still being written too."""
        return tuple([record.step for record in self._steps.values()])

    def needed(self, step: Step) -> tuple[StepResult, ...]:
        """Return what a step builds on, as far as it is there.

        Findings come with their quotes, not with whole passages.
        """
        results = [self._steps[need].handed_on for need in step.needs if need in self._steps]
        return tuple([result for result in results if result is not None])

    @property
    def finished(self) -> tuple[StepId, ...]:
        """The steps that have their results, or have failed."""
        return tuple([step for step, record in self._steps.items() if record.result is not None])

    @property
    def begun(self) -> tuple[Step, ...]:
        """The steps that somebody was asked for, or that have ended: no plan may change them."""
        records = self._steps.values()
        return tuple([each.step for each in records if each.attempts or each.result is not None])

    @property
    def may_be_answered(self) -> bool:
        """Say whether nothing is left to be done before an answer, or nothing was ever begun."""
        return self._is_plan_done if self.plan is not None else not self._steps

    def missing(self, step: Step) -> tuple[StepId, ...]:
        """Return the steps that a step needs and that have not ended."""
        return tuple([need for need in step.needs if not self._has_ended(need)])

    def _has_ended(self, step: StepId) -> bool:
        """Say whether a step has its result; one that is still to be planned has none."""
        record = self._steps.get(step)
        return record is not None and record.result is not None

    def _close_plan(self, plan: Plan) -> None:
        """Take the whole plan: what has not begun yet may be another than it was, or be gone."""
        before, self._steps = self._steps, {}
        for step in plan.steps:
            record = before.get(step.id)
            if record is None or record.step != step:
                record = _StepRecord(step)
            self._steps[step.id] = record

    def _compose(self, ready: PlanReady) -> Compose:
        records = self._steps.values()
        results = [record.result for record in records if record.result is not None]
        degraded = [text for record in records for text in record.degraded]
        return Compose(ready.plan, tuple(results), (*ready.degraded, *degraded))

    @property
    def _is_plan_done(self) -> bool:
        return all(record.result is not None for record in self._steps.values())

    def _is_ready(self, step: Step) -> bool:
        return not self.missing(step)

    def may_begin(self, step: Step) -> bool:
        """Say whether a step may be sent to an agent; it ends only after all that it needs."""
        submitted = self.submitted
        is_broadcast = submitted is not None and submitted.coherence is Coherence.BROADCAST
        return is_broadcast or step.is_broadcast or self._is_ready(step)

    def _is_sourced(self, step: Step, finished: StepFinished) -> bool:
        """Say whether what a step cites can stand in documents, as far as is known.

        Its agent has searched some, or it only passes on what others have cited that have. What an
        agent wrote is no evidence, whatever it calls it.
        """
        finding, saw = finished.value, finished.saw
        if not isinstance(finding, Finding) or saw is None or saw.namespaces:
            return True
        known = {
            (citation.source, citation.quote)
            for result in self.needed(step)
            if isinstance(result.value, Finding) and not result.is_unsourced
            for citation in result.value.citations
        }
        said = [
            *((citation.source, citation.quote) for citation in finding.citations),
            *((passage.source, passage.text) for passage in finding.passages),
        ]
        return all(
            any(source == cited and text in quote for cited, quote in known)
            for source, text in said
        )


def compose_request(history: TaskHistory, order: Compose, lacks: str) -> ComposeRequest:
    """Return what the Manager is asked for the answer; ``lacks`` as there."""
    submitted, routed = history.submitted, history.routed
    assert submitted is not None
    return ComposeRequest(
        submitted.goal,
        order.plan,
        order.results,
        route=routed.route if routed is not None else "",
        effort=routed.effort if routed is not None else "",
        lacks=lacks,
        conversation=submitted.conversation,
    )


def _without_passages(result: StepResult) -> StepResult:
    if not isinstance(result.value, Finding) or not result.value.passages:
        return result
    return replace(result, value=replace(result.value, passages=()))
