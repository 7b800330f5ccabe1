"""How urgent a model call is: what its turn's message says of it."""

from __future__ import annotations

import math

import pytest

from agents import Agent, Assignment, Parts, Turn, handles
from agents.agent import priority_of
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    Answer,
    ComposeRequest,
    Plan,
    PlanRequest,
    VerifyRequest,
)
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import ScriptedModel

COMPOSE = ComposeRequest("goal", Plan(), ())


def assignment(priority: float) -> Assignment:
    return Assignment(StepId("v1"), "review it", "goal", priority=priority)


class Reviewer(Agent):
    purpose = "Reviews."

    @handles(Assignment)
    async def review(self, assignment: Assignment, turn: Turn) -> str:
        return await self.think(turn, "", assignment.instruction)


async def test_a_model_call_is_as_urgent_as_its_step() -> None:
    model = ScriptedModel({"reviewer": "fine"})
    agent = Reviewer(Parts(model, FakeKnowledge(), FakeSandbox()))

    for priority in (12.5, 3.0):
        await agent.handle(assignment(priority), RecordingTurn("reviewer-0"))

    assert [request.priority for request in model.requests] == [12.5, 3.0]


async def test_a_turn_leaves_nothing_of_its_priority_behind() -> None:
    model = ScriptedModel({"reviewer": "fine"})
    agent = Reviewer(Parts(model, FakeKnowledge(), FakeSandbox()))

    await agent.handle(assignment(12.5), RecordingTurn("reviewer-0"))
    await agent.think(RecordingTurn("reviewer-0"), "", "anything else?")

    assert model.requests[-1].priority == 0.0


@pytest.mark.parametrize("request_", [PlanRequest("goal", ()), COMPOSE])
def test_plans_and_answers_go_before_all_steps(request_: object) -> None:
    assert priority_of(request_) == math.inf


def test_a_second_look_at_an_answer_goes_last() -> None:
    assert priority_of(VerifyRequest(COMPOSE, Answer("text"))) < priority_of(assignment(0.0))
