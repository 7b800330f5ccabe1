"""Where nothing comes of an agent for two seconds, it is said what is waited for."""

from __future__ import annotations

import pytest

from cluster.cli.waits import QUIET_S, Waits
from cluster.kernel.events import (
    Answered,
    Detail,
    FellBack,
    PlanReady,
    ProgramRan,
    ProgramWritten,
    Spent,
    StepFinished,
    StepPlanned,
    StepStarted,
    Submitted,
    Thought,
)
from cluster.kernel.ids import AgentId, StepId
from cluster.kernel.vocabulary import Answer, Plan, Run, Step
from tests.support.clock import ManualClock
from tests.support.scripted_link import event

CODER, MANAGER = AgentId("coder-0"), AgentId("manager-0")
STEPS = tuple(Step(StepId(name), "coder", "write") for name in ("c1", "c2"))


class Watched:
    """Waits on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._waits = Waits()

    def see(self, detail: Detail, step: str = "", agent: AgentId = MANAGER) -> None:
        self._waits.observe(event(0.0, detail, step, agent), self.clock.now())

    def said(self, agent: AgentId = MANAGER) -> str:
        return self._waits.said(agent, self.clock.now())


def test_nothing_is_said_before_two_seconds_have_passed_without_news() -> None:
    watched = Watched()
    watched.see(Thought("hm"), "plan")

    watched.clock.advance(QUIET_S - 0.1)
    assert watched.said() == ""
    watched.clock.advance(0.1)
    assert watched.said() == "waiting for the model, 2 s"
    watched.clock.advance(3.5)
    assert watched.said() == "waiting for the model, 5 s"

    watched.see(Thought("aha"), "plan")
    assert watched.said() == ""


@pytest.mark.parametrize(
    ("detail", "what"),
    [
        (StepStarted(), "its first sign"),
        (Spent("tool", 0.1), "the model"),
        (ProgramWritten("x"), "its program to end"),
        (ProgramRan(Run(0, "", "")), "its result"),
    ],
)
def test_what_is_waited_for_follows_from_the_last_event(detail: Detail, what: str) -> None:
    watched = Watched()
    watched.see(detail, "c1", CODER)

    watched.see(FellBack("code", "it does not tell"), "c1", CODER)
    watched.clock.advance(QUIET_S)

    assert watched.said(CODER) == f"waiting for {what}, 2 s"


def test_nobody_waits_for_an_agent_whose_step_has_ended() -> None:
    watched = Watched()
    watched.see(StepStarted(), "c1", CODER)
    watched.see(StepFinished("finished"), "c1", CODER)

    watched.clock.advance(QUIET_S)

    assert watched.said(CODER) == ""


@pytest.mark.parametrize("is_plan_last", [True, False])
def test_the_answer_is_waited_for_when_all_steps_have_ended(
    is_plan_last: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    watched = Watched()
    watched.see(Submitted("why?"))
    for step in STEPS:
        watched.see(StepPlanned(step), step.id)
    if not is_plan_last:
        watched.see(PlanReady(Plan(STEPS)))
    watched.see(StepFinished("finished"), "c1", CODER)
    watched.clock.advance(QUIET_S)
    assert watched.said() == ("waiting for the model, 2 s" if is_plan_last else "")

    watched.see(StepFinished("finished"), "c2", CODER)
    if is_plan_last:
        watched.see(PlanReady(Plan(STEPS)))
    watched.clock.advance(QUIET_S)

    assert watched.said() == "waiting for the model, 2 s"


def test_nothing_is_waited_for_once_the_task_has_ended() -> None:
    watched = Watched()
    watched.see(StepStarted(), "c1", CODER)

    watched.see(Answered(Answer("So.")))
    watched.clock.advance(QUIET_S)

    assert watched.said(CODER) == ""
