"""What each agent is doing just now, folded from events; both displays are made of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cluster.cli.console import printable
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
    ProgramWritten,
    Routed,
    StateConflicted,
    StateMerged,
    StepFinished,
    StepStale,
    StepStarted,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.ids import AgentId
from cluster.kernel.reads import DocumentChange
from cluster.kernel.routing import TEAM
from cluster.kernel.vocabulary import Basis, Failure, Finding, Plan, Support

TAIL_CHARS_MAX = 400
"""How much of an agent's newest thought is kept to be shown."""


class Thoughts(StrEnum):
    """How much of what models say is shown while they do; the values of ``--thoughts``."""

    NONE = "none"
    SUMMARY = "summary"
    """That they think or write and how much, and sentences that stand in the answer."""
    ALL = "all"
    """Every word, reasoning too."""


@dataclass(slots=True)
class Row:
    """One agent's line; changes with its events."""

    agent: str
    step: str = ""
    doing: str = ""
    thought: str = ""
    """The end of what it thought last, on one line."""
    thought_chars: int = 0
    """How much it has thought in this step."""
    is_thinking: bool = False


class Board:
    """The rows of all agents that have done something in this task."""

    def __init__(self, thoughts: Thoughts = Thoughts.SUMMARY) -> None:
        self._thoughts = thoughts
        self._rows: dict[AgentId, Row] = {}

    def rows(self) -> list[Row]:
        """Return the rows in the order in which the agents first appeared."""
        return list(self._rows.values())

    def observe(self, event: Event) -> Row | None:
        """Take in an event and return the row it changed; None where it changed none."""
        said = describe(event.detail)
        thought = event.detail if isinstance(event.detail, Thought) else None
        is_hidden = thought is not None and self._thoughts is Thoughts.NONE
        if not event.agent or is_hidden or not (said or thought):
            return None
        row = self._rows.setdefault(event.agent, Row(event.agent))
        if event.step and event.step != row.step:
            row.step, row.thought, row.thought_chars = event.step, "", 0
        row.is_thinking = thought is not None
        if thought is not None:
            self._think(row, thought)
        else:
            row.doing = printable(said)
        return row

    def _think(self, row: Row, thought: Thought) -> None:
        """Note what was thought; in a summary only what is final is told."""
        is_all = self._thoughts is Thoughts.ALL
        if thought.is_final:
            # All of it has been seen already where all is shown.
            row.thought = row.thought if is_all else printable(thought.text)[-TAIL_CHARS_MAX:]
            return
        row.thought_chars += len(thought.text)
        row.doing = "thinking"
        if is_all:
            row.thought = printable(row.thought + thought.text)[-TAIL_CHARS_MAX:]
        elif not thought.is_reasoning:
            row.doing = f"writing, {row.thought_chars:,} characters"


def describe(detail: Detail) -> str:  # noqa: PLR0911 - one sentence per kind
    """Return one line about an event; empty for what is not worth one."""
    match detail:
        case Submitted(workflow=workflow):
            return "planning" if workflow is None else "taking the declared steps"
        case PlanReady(Plan(())):
            return "no step is needed"
        case PlanReady(plan):
            return f"planned {'; '.join(_planned(plan))}"
        case StepStarted(attempt, reason):
            return "started" if attempt == 1 else f"started again (attempt {attempt}): {reason}"
        case FindingReady(finding):
            return _found(finding)
        case ProgramWritten(source, attempt, origin):
            lines = _count(len(source.splitlines()), "line")
            return f"program {attempt} of {lines} by {'the model' if origin == 'model' else origin}"
        case ProgramRan(run):
            return f"ran it: exit code {run.exit_code} after {run.duration_s:.1f} s"
        case FellBack() | Hedged() | Routed():
            return _another_way(detail)
        case StepStale() | StateMerged() | StateConflicted():
            return _shared(detail)
        case _:
            return _ending(detail)


def _another_way(detail: FellBack | Hedged | Routed) -> str:
    """Say what goes another way than most; that the team gets a goal is worth no line."""
    match detail:
        case FellBack(what, reason):
            return f"fell back, {what}: {reason}"
        case Hedged(what, after_s, reason):
            why = f": {reason}" if reason else ""
            return f"asked a second time, {what}, after {after_s:.1f} s{why}"
        case Routed(route=route):
            return "" if route == TEAM else f"{route} answers, without a plan"


def _shared(detail: StepStale | StateMerged | StateConflicted) -> str:
    """Say what has become of what agents share."""
    match detail:
        case StepStale(changes, results=results):
            late = [f"the result of {step} came later" for step in results]
            return f"stale: {'; '.join([*late, *map(_changed, changes)])}"
        case StateMerged(changes):
            return f"merged: {'; '.join(map(_changed, changes))}"
        case StateConflicted(document, field, key, sides):
            place = f"{field}[{key}]" if key else field
            said = " or ".join(f"{side.value or 'removed'} ({side.author})" for side in sides)
            return f"conflict in {place} of {document}: {said}"


def _changed(change: DocumentChange) -> str:
    places = f"{', '.join(change.places)} of {change.document}"
    if change.is_gone:
        return f"{places} is gone"
    return f"{places} (version {change.from_version} to {change.to_version})"


def _found(finding: Finding) -> str:
    """Say how many of its sentences have which support, or why there is nothing to count."""
    if finding.basis is Basis.NOTHING:
        return "found nothing"
    if finding.basis is Basis.MODEL:
        return "wrote without documents"
    supports = Counter(claim.support for claim in finding.claims)
    shown = [(supports[each], each.value) for each in Support if supports[each]]
    if not shown:
        return f"found {_count(len(finding.citations), 'citation')}"
    (number, first), *others = shown
    parts = [f"{_count(number, 'sentence')} {first}", *(f"{n} {each}" for n, each in others)]
    return ", ".join(parts)


def _ending(detail: Detail) -> str:
    match detail:
        case StepFinished(outcome, _, failure, result):
            said = failure.message if failure else result
            return f"{outcome}: {said}" if said else outcome
        case Answered():
            return "answered"
        case Corrected(claim, text, support):
            return f"sentence {claim + 1} is {support.value if text else 'contradicted'}"
        case Clarified(said) | Failed(Failure(message=said)):
            return f"{'asks' if isinstance(detail, Clarified) else 'failed'}: {said}"
        case WasCancelled(reason):
            return f"cancelled: {reason}" if reason else "cancelled"
        case _:
            return ""


def _planned(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        after = f" after {', '.join(step.needs)}" if step.needs else ""
        yield f"{step.id} {step.agent}{after}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
