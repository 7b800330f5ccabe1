"""A task's events folded into the FIXED object of `--json`, and one event as a FIXED line.

Pure: the driver, the CLI and the HTTP ingress feed it the events they see anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum

from cluster.kernel.events import (
    Answered,
    Clarified,
    Corrected,
    Detail,
    Event,
    Failed,
    FellBack,
    FindingReady,
    Hedged,
    PlanReady,
    ProgramRan,
    Spent,
    StepFinished,
    StepPlanned,
    StepStarted,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.ids import PLAN_STEP, AgentId, StepId, TaskId
from cluster.kernel.tasks.busy_time import BusyTime
from cluster.kernel.tasks.corrections import corrected
from cluster.kernel.tasks.spending import in_all, spent_too
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Answer, Citation, Failure, Finding, Step, StepProgram

JsonObject = dict[str, object]

_ROUND_DIGITS = 6
"""Microseconds: finer than any clock between processes."""
_UNTOLD: Mapping[type, frozenset[str]] = {
    Finding: frozenset({"passages"}),
    Citation: frozenset({"document"}),
    Step: frozenset({"alternatives", "is_pure", "is_broadcast", "allowed_s", "expected_s"}),
    PlanReady: frozenset({"spent"}),
    StepPlanned: frozenset({"degraded"}),
    Answered: frozenset({"spent"}),
}
"""Passages of a finding are long, and whoever reads it has the quotes; the others are none of the
FIXED keys."""


@dataclass(slots=True)
class _StepTimes:
    """What has been seen of one step; grows as events come in."""

    step: Step
    started_s: float | None = None
    finished_s: float | None = None
    outcome: str = ""
    attempts: int = 0
    fell_back: set[AgentId] = field(default_factory=set)
    """Who has fallen back at it; where it has been done, only who has done it counts."""


class TaskReport:
    """Accumulates one task: `observe` its events in order, then `to_json`.

    Events of another task are not checked for; a step that was never planned is passed over.
    """

    __slots__ = (
        "_answered",
        "_busy",
        "_corrections",
        "_degraded",
        "_first_thought_s",
        "_steps",
        "_used",
        "_wall_s",
        "answer",
        "failure",
        "knowledge",
        "status",
        "task",
    )

    def __init__(self, task: TaskId) -> None:
        self.task = task
        self.status = ""  # set by the terminal event, never changed after it
        self.answer: Answer | None = None
        """As far as it is corrected."""
        self.failure: Failure | None = None
        self.knowledge: JsonObject = {"read": 0, "left_out": []}
        """What was read before the task, which no event tells: whoever read it says so."""
        self._answered = Answer("")  # as the terminal event had it
        self._corrections: dict[int, Corrected] = {}
        self._steps: dict[StepId, _StepTimes] = {}
        self._busy = BusyTime()
        self._used = Usage()
        self._first_thought_s: float | None = None
        self._wall_s = 0.0
        self._degraded: list[str] = []

    @property
    def is_finished(self) -> bool:
        """Say whether the terminal event has been seen."""
        return bool(self.status)

    @property
    def used(self) -> Usage:
        """What its calls have used, as far as it was told."""
        return self._used

    def count(self, usage: Usage) -> None:
        """Count what calls have used that no event tells of: an earlier owner has seen those."""
        self._used = in_all((self._used, usage))

    def observe(self, event: Event) -> None:
        """Take in the next event; after the terminal one only corrections and what they took."""
        if self.is_finished:
            self._observe_late(event)
            return
        self._wall_s = max(self._wall_s, event.at_s)
        match event.detail:
            case PlanReady(plan):
                self._steps = {step.id: self._planned(step, event) for step in plan.steps}
                self._busy.ended(PLAN_STEP, event.at_s)
            case StepPlanned(step):
                self._steps[step.id] = self._planned(step, event)
            case Thought() if self._first_thought_s is None:
                self._first_thought_s = event.at_s
            case Spent() as spent:
                self._spend(event, spent)
            case Hedged() as hedged:
                self._used = spent_too(self._used, hedged)
            case StepStarted() | StepFinished() | FellBack() as detail:
                self._progress(event, detail)
            case _ if event.is_terminal:
                self._end(event)
            case _:
                pass

    def _end(self, event: Event) -> None:
        match event.detail:
            case Answered(answer):
                self.status, self.answer, self._answered = "answered", answer, answer
            case Failed(failure):
                self.status, self.failure = "failed", failure
            case Clarified(question):
                self.status, self.failure = "clarify", Failure("clarify", question)
            case WasCancelled(reason):
                self.status = "cancelled"
                self.failure = Failure("cancelled", reason or "the task was cancelled")
            case _:
                raise AssertionError(f"{event.kind} ends no task")

    def _observe_late(self, event: Event) -> None:
        match event.detail:
            case Corrected(claim) as correction if self.answer is not None:
                self._corrections[claim] = correction
                self.answer = corrected(self._answered, self._corrections.values())
            case Spent() as spent:
                self._spend(event, spent)
            case _:
                pass

    def to_json(self) -> JsonObject:
        """Return the FIXED object; before the terminal event its ``status`` is empty."""
        needs = {step: record.step.needs for step, record in self._steps.items()}
        critical_path_s = self._busy.critical_path_s(needs, self._wall_s)
        return {
            "task": self.task,
            "status": self.status,
            **_answer(self.answer or Answer("", degraded=tuple(self._degraded))),
            "plan": {"steps": [_object(record.step) for record in self._steps.values()]},
            "steps": [self._step_record(record) for record in self._steps.values()],
            "knowledge": self.knowledge,
            "usage": {
                "model_calls": self._used.model_calls,
                "prompt_tokens": self._used.prompt_tokens,
                "completion_tokens": self._used.completion_tokens,
                "wasted_tokens": self._used.wasted_tokens,
                "saved_tokens": self._used.saved_tokens,
                "saved_s": _seconds(self._used.saved_s),
                "cost": round(self._used.cost, _ROUND_DIGITS),
                "hedges": self._used.hedges,
                "speculations": 0,
            },
            "timing": {
                "wall_s": _seconds(self._wall_s),
                "first_thought_s": _seconds(self._first_thought_s),
                "critical_path_s": _seconds(critical_path_s),
                "model_s": _seconds(self._busy.model_s),
                "overhead_s": _seconds(self._wall_s - critical_path_s),
            },
            "error": _failure(self.failure),
        }

    def _planned(self, step: Step, event: Event) -> _StepTimes:
        self._busy.planned(step.id, event.at_s)
        record = self._steps.get(step.id) or _StepTimes(step)
        record.step = step
        return record

    def _spend(self, event: Event, spent: Spent) -> None:
        self._busy.spent(event.step, spent, event.at_s)
        self._used = spent_too(self._used, spent)

    def _progress(self, event: Event, detail: StepStarted | StepFinished | FellBack) -> None:
        record = self._steps.get(event.step)
        if isinstance(detail, FellBack):
            self._degraded.append(f"{detail.what}: {detail.reason}")
        if record is None:
            return
        match detail:
            case StepStarted(attempt):
                record.attempts = max(record.attempts, attempt)
                if record.started_s is None:
                    record.started_s = event.at_s
            case StepFinished(outcome, attempts):
                record.finished_s, record.outcome = event.at_s, outcome
                self._busy.ended(event.step, event.at_s)
                record.attempts = max(record.attempts, attempts)
                if outcome == "finished":
                    record.fell_back &= {event.agent}
            case FellBack():
                record.fell_back.add(event.agent)

    def _step_record(self, record: _StepTimes) -> JsonObject:
        unfinished = "not_started" if record.started_s is None else "unfinished"
        return {
            **_object(record.step),
            "started_s": _seconds(record.started_s),
            "finished_s": _seconds(record.finished_s),
            "outcome": record.outcome or unfinished,
            "attempts": record.attempts,
            "speculated": False,
            "fallback": bool(record.fell_back),
        }


def event_to_json(event: Event) -> JsonObject | None:
    """Return one event as the FIXED line of ``--events``; None where it isn't shown to users."""
    if isinstance(event.detail, Spent):
        return None
    return {
        "at_s": _seconds(event.at_s),
        "task": event.task,
        "kind": event.kind,
        "agent": event.agent,
        "step": event.step,
        **_own_fields(event.detail),
    }


def _own_fields(detail: Detail) -> JsonObject:
    match detail:
        case FindingReady(value) | ProgramRan(value):
            return _object(value)
        case Answered(answer):
            return _answer(answer)
        case Failed(failure):
            return {"error": _failure(failure)}
        case Submitted(goal):
            return {"goal": goal}
        case StepFinished(outcome, attempts, failure, result):
            said = {"result": result} if result else {}
            return {"outcome": outcome, "attempts": attempts, "error": _failure(failure), **said}
        case _:
            return _object(detail)


def _object(value: object) -> JsonObject:
    """Return a value of the kernel's vocabulary under its own field names."""
    if not is_dataclass(value):
        return {}
    untold: frozenset[str] = _UNTOLD.get(type(value), frozenset())
    names = [field.name for field in fields(value) if field.name not in untold]
    told = {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Citation) and not value.page:
        del told["page"]  # FIXED: only of sources that have pages
    return told


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return _seconds(value)
    if isinstance(value, StrEnum):
        return value.value
    return _object(value) if is_dataclass(value) else value


def _answer(answer: Answer) -> JsonObject:
    return {
        "answer": answer.text,
        "citations": _plain(answer.citations),
        "programs": [_program(program) for program in answer.programs],
        "degraded": list(answer.degraded),
        "claims": _plain(answer.claims),
    }


def _program(program: StepProgram) -> JsonObject:
    run = program.program.run
    return {
        "step": program.step,
        "language": program.program.language,
        "source": program.program.source,
        "exit_code": run.exit_code if run else None,
        "stdout": run.stdout if run else "",
        "stderr": run.stderr if run else "",
    }


def _failure(failure: Failure | None) -> JsonObject | None:
    return None if failure is None else {"kind": failure.kind, "message": failure.message}


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, _ROUND_DIGITS)
