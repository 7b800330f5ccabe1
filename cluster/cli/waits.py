"""What each agent is waited for, and since when, for times in which nothing comes. Pure.

Told every event with the display's own time: those of the events are another process's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.kernel.events import (
    Detail,
    Event,
    FindingReady,
    PlanReady,
    ProgramRan,
    ProgramWritten,
    Spent,
    StepFinished,
    StepPlanned,
    StepStale,
    StepStarted,
    Submitted,
    Thought,
)
from cluster.kernel.ids import AgentId, StepId

QUIET_S = 2.0
"""After so long without anything new of an agent it is said what is waited for."""
_MODEL = "the model"
_FIRST_SIGN = "its first sign"
_RUN = "its program to end"
_RESULT = "its result"
_NOTHING = ""
_AFTER: Mapping[type, str] = {
    Thought: _MODEL,
    StepStarted: _FIRST_SIGN,
    StepStale: _FIRST_SIGN,
    ProgramWritten: _RUN,
    ProgramRan: _RESULT,
    FindingReady: _RESULT,
    PlanReady: _NOTHING,
    StepFinished: _NOTHING,
}


@dataclass(frozen=True, slots=True)
class _Wait:
    what: str
    since_s: float


class Waits:
    """What is waited for, by agent; folded from events."""

    def __init__(self) -> None:
        self._waits: dict[AgentId, _Wait] = {}
        self._planner = AgentId("")
        self._open: set[StepId] = set()
        self._ended: set[StepId] = set()
        self._is_planned = False

    def observe(self, event: Event, now_s: float) -> None:
        """Take in an event of the task."""
        detail = event.detail
        if event.is_terminal:
            self._waits.clear()
            return
        what = _awaited(detail)
        if event.agent and what is not None:
            self._waits[event.agent] = _Wait(what, now_s)
        match detail:
            case Submitted():
                self._planner = event.agent
            case StepPlanned(step):
                self._open.add(step.id)
            case PlanReady(plan):
                self._open = {step.id for step in plan.steps} - self._ended
                self._is_planned = True
                self._planner = event.agent
                self._expect_answer(now_s)
            case StepFinished():
                self._ended.add(event.step)
                self._open.discard(event.step)
                self._expect_answer(now_s)

    def said(self, agent: AgentId, now_s: float) -> str:
        """Return what an agent is waited for; empty where it has said something of late."""
        wait = self._waits.get(agent)
        if wait is None or not wait.what or now_s - wait.since_s < QUIET_S:
            return ""
        return f"waiting for {wait.what}, {int(now_s - wait.since_s)} s"

    def _expect_answer(self, now_s: float) -> None:
        """Note that the Manager has the answer written, where the last step has ended."""
        if self._is_planned and not self._open:
            self._waits[self._planner] = _Wait(_MODEL, now_s)


def _awaited(detail: Detail) -> str | None:
    """Return what follows an event of an agent; None where the event doesn't tell."""
    match detail:
        case Submitted(workflow=workflow):
            return _MODEL if workflow is None else _NOTHING
        case Spent(on="tool"):
            return _MODEL
        case _:
            return _AFTER.get(type(detail))
