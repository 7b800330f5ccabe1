"""What an agent may say of its work, and what only the owner of a task says."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cluster.kernel.envelope import Kind
from cluster.kernel.errors import UsageError
from cluster.kernel.events import (
    Answered,
    Corrected,
    Detail,
    Event,
    Failed,
    PlanReady,
    StepFinished,
    StepPlanned,
    StepStarted,
    Submitted,
    WasCancelled,
)
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer, Assignment, Failure, Finding, Plan, Step
from cluster.runtime.turns.running_turn import RunningTurn
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, events_of, step

OWNERS: tuple[Detail, ...] = (
    Submitted("why?"),
    StepPlanned(Step(StepId("a"), "researcher", "look")),
    PlanReady(Plan()),
    StepStarted(),
    StepFinished("finished"),
    Answered(Answer("mine")),
    Corrected(0, "mine"),
    Failed(Failure("internal", "mine")),
    WasCancelled("mine"),
)
KINDS = [detail.kind for detail in OWNERS]


async def events_with(emit: Any) -> list[Event]:
    """Return the events of a task whose step does what it is told, and then finds something."""

    async def work(message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        emit(turn)
        return Finding("found")

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", work)
        return await events_of(cluster)


@pytest.mark.parametrize("detail", OWNERS, ids=KINDS)
async def test_an_agent_that_states_a_fact_of_its_task_is_told_that_it_may_not(
    detail: Detail,
) -> None:
    said: list[str] = []

    def emit(turn: Any) -> None:
        with pytest.raises(UsageError) as caught:
            turn.emit(detail)
        said.append(str(caught.value))

    events = await events_with(emit)

    assert said[0].startswith(
        f"researcher-0 emitted {type(detail).__name__}, and an agent may only"
    )
    assert events[-1].detail == Answered(Answer("Finding"))


@pytest.mark.parametrize("detail", OWNERS, ids=KINDS)
async def test_the_owner_shows_no_fact_of_its_task_that_an_agent_has_sent(detail: Detail) -> None:
    def send(turn: Any) -> None:
        running = cast("RunningTurn", turn)
        [asked] = running.work.askers
        news = running.sender.envelope(asked.sender, Kind.PROGRESS, detail)
        news.cause = asked.id
        running.sender.exchange.post(news)

    events = await events_with(send)

    assert [event.kind for event in events] == [
        "submitted",
        "step_planned",
        "plan_ready",
        "step_started",
        "step_finished",
        "answered",
    ]
    assert events[-1].detail == Answered(Answer("Finding"))


async def test_an_agent_can_not_emit_an_event_of_the_task_either() -> None:
    def emit(turn: Any) -> None:
        event = Event(0.0, TaskId("t"), turn.agent, StepId("a"), Answered(Answer("mine")))
        with pytest.raises(UsageError):
            turn.emit(event)

    assert (await events_with(emit))[-1].detail == Answered(Answer("Finding"))
