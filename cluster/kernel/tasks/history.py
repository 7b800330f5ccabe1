"""The fold of a task's journal: events in, what is known and what may be done next out.

Pure: the engine appends an event to the journal, applies it here, and then does what `orders` says.
A task that is adopted by another Manager is folded from its journal to the state it had, and the
orders are the same; that is what the recorded histories in `tests/histories` hold it to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cluster.kernel.errors import WireError
from cluster.kernel.events import (
    Answered,
    Event,
    PlanReady,
    StateConflicted,
    StateMerged,
    StepFinished,
    StepStale,
    StepStarted,
    Submitted,
    UnknownDetail,
)
from cluster.kernel.ids import NO_AGENT, AgentId, StepId
from cluster.kernel.vocabulary import Coherence, Finding, Plan, Step, StepResult


@dataclass(frozen=True, slots=True)
class MakePlan:
    """Order: have the Manager plan the goal."""


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
    degraded: tuple[str, ...] = ()


@dataclass(slots=True)
class TaskHistory:
    """What is known of a task from its journal, so far."""

    submitted: Submitted | None = None
    plan: PlanReady | None = None
    terminal: Event | None = None
    length: int = 0
    """Events in the journal."""
    at_s: float = 0.0
    """When the last of them happened, in seconds since submission."""
    _steps: dict[StepId, _StepRecord] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take in the next event of the journal.

        Raises:
            WireError: it can't follow what went before; nothing was changed.
        """
        self.check(event)
        match event.detail:
            case Submitted() as submitted:
                self.submitted = submitted
            case PlanReady(plan) as ready:
                self.plan = ready
                self._steps = {step.id: _StepRecord(step) for step in plan.steps}
            case StepStarted(attempt):
                record = self._steps[event.step]
                record.attempts, record.agent = attempt, event.agent
            case StepFinished() as finished:
                record = self._steps[event.step]
                value = finished.failure or finished.value
                is_unsourced = not self._is_sourced(record.step, finished)
                record.result = StepResult(event.step, record.step.agent, value, is_unsourced)
                record.degraded = finished.degraded
            case StepStale(redo=redo):
                self._steps[event.step].redo = redo
            case StateMerged() | StateConflicted():
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
            case PlanReady():
                can_follow = self.submitted is not None and self.plan is None
            case StepStarted(attempt):
                record = self._steps.get(event.step)
                can_follow = (
                    record is not None
                    and record.result is None
                    and attempt > record.attempts
                    and self._may_begin(record.step)
                )
            case StepFinished(failure=failure):
                record = self._steps.get(event.step)
                can_follow = (
                    record is not None
                    and record.result is None
                    and self._is_ready(record.step)
                    and (record.attempts > 0 or failure is not None)  # it may find no agent
                )
            case StepStale(redo=redo):
                record = self._steps.get(event.step)
                can_follow = (
                    record is not None
                    and record.result is None
                    and record.attempts > 0
                    and redo > record.redo
                    and self._is_ready(record.step)
                )
            case Answered():
                can_follow = self.plan is not None and self._is_plan_done
            case UnknownDetail() | StateMerged() | StateConflicted():
                can_follow = True
            case _:  # a task that was never accepted can end too
                can_follow = event.is_terminal
        if not can_follow or self.terminal is not None:
            raise WireError(
                f"{event.kind} (step {event.step!r}) can't be event {event.index} of task"
                f" {event.task}: the journal is not one of ours, or we have a bug"
            )

    def orders(self) -> tuple[Order, ...]:
        """Return what is to be done next; of it, the owner leaves out what it is doing already.

        A step that was started and has not finished is among them: with the next attempt, since
        who started it may be gone.
        """
        if self.submitted is None or self.terminal is not None:
            return ()
        if self.plan is None:
            return (MakePlan(),)
        if self._is_plan_done:
            return (self._compose(self.plan),)
        return tuple(
            [
                DoStep(
                    record.step,
                    self.needed(record.step),
                    record.attempts + 1,
                    record.agent,
                    record.redo,
                )
                for record in self._steps.values()
                if record.result is None and self._may_begin(record.step)
            ]
        )

    def needed(self, step: Step) -> tuple[StepResult, ...]:
        """Return what a step builds on, as far as it is there.

        Findings come with their quotes, not with whole passages.
        """
        results = [self._steps[need].result for need in step.needs]
        return tuple([_without_passages(result) for result in results if result is not None])

    @property
    def finished(self) -> tuple[StepId, ...]:
        """The steps that have their results, or have failed."""
        return tuple([step for step, record in self._steps.items() if record.result is not None])

    def missing(self, step: Step) -> tuple[StepId, ...]:
        """Return the steps that a step needs and that have not ended."""
        return tuple([need for need in step.needs if self._steps[need].result is None])

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

    def _may_begin(self, step: Step) -> bool:
        """Say whether a step may be sent to an agent; it ends only after all that it needs."""
        submitted = self.submitted
        is_broadcast = submitted is not None and submitted.coherence is Coherence.BROADCAST
        return is_broadcast or self._is_ready(step)

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


def _without_passages(result: StepResult) -> StepResult:
    if not isinstance(result.value, Finding):
        return result
    return replace(result, value=replace(result.value, passages=()))
