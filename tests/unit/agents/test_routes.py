"""Easy goals: where they go, what is planned for them, and what is answered at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from agents.routes import ARITHMETIC, CHAT, NOBODY, Routes, routed
from agents.routing.functions import RouteCall, RoutedFunction
from cluster.kernel.conversation import ChatMessage
from cluster.kernel.errors import AgentFailed, DeadlinePassed
from cluster.kernel.events import Routed
from cluster.kernel.ids import StepId
from cluster.kernel.roles import CODER, RESEARCHER
from cluster.kernel.routing import TEAM, Decision, Effort
from cluster.kernel.vocabulary import Answer, PlanRequest, Role
from tests.support.recording_turn import RecordingTurn

ROLES = (Role(RESEARCHER, "Looks up."), Role(CODER, "Writes programs."))
LOOKED_UP = Decision("lookup", RESEARCHER, 0.97, Effort.QUICK, 0.0002)


class Deciding:
    """Says what it was told to say."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.asked: list[str] = []

    def decide(self, text: str) -> Decision:
        self.asked.append(text)
        return self.decision

    def warm(self) -> Future[None]:
        done: Future[None] = Future()
        done.set_result(None)
        return done


async def refund(goal: str, call: RouteCall) -> str:
    return f"{goal}: done as {call.idempotency_key}"


async def fail(_: str, __: RouteCall) -> str:
    raise ValueError("secret")


async def hang(_: str, __: RouteCall) -> str:
    await asyncio.Event().wait()
    return ""


FUNCTIONS = {
    name: RoutedFunction(name, (), function)
    for name, function in {"refund": refund, "fail": fail, "hang": hang}.items()
}


def routes(decision: Decision = Decision("", TEAM)) -> Routes:  # noqa: B008 - it is immutable
    return Routes(Deciding(decision), FUNCTIONS)


def request(goal: str = "Where is it?", collection: str = "docs@1") -> PlanRequest:
    return PlanRequest(goal, ROLES, collection)


def test_a_calculation_needs_no_classifier() -> None:
    deciding = Deciding(LOOKED_UP)
    made = Routes(deciding, {})

    decision = made.decide(request("what is 17 % of 2,340?"))

    assert (decision.route, decision.effort, decision.confidence) == (ARITHMETIC, "instant", 1.0)
    assert made.plan(decision, request()) is NOBODY
    assert deciding.asked == []


def test_a_lookup_is_one_step_of_the_researcher() -> None:
    made = routes(LOOKED_UP)

    plan = made.plan(made.decide(request()), request())

    assert plan is not None
    assert [(step.id, step.agent, step.instruction) for step in plan.steps] == [
        (StepId("r1"), RESEARCHER, "Where is it?")
    ]


@pytest.mark.parametrize(
    ("decision", "asked"),
    [
        (LOOKED_UP, request(collection="")),
        (LOOKED_UP, PlanRequest("Where?", (*ROLES, Role("reviewer", "Reviews.")), "docs@1")),
        (LOOKED_UP, PlanRequest("Where is it?", ROLES[1:], "docs@1")),
        (Decision("gone", "gone", 0.99), request()),
        (Decision("research", TEAM, 0.99), request()),
        (Decision("lookup", TEAM, 0.5), request()),
    ],
)
def test_the_team_gets_what_nobody_else_can_do(decision: Decision, asked: PlanRequest) -> None:
    made = routes(decision)

    found = made.decide(asked)

    assert (found.route, found.intent, found.effort) == (TEAM, decision.intent, Effort.DEEP)
    assert made.plan(found, asked) is None


@pytest.mark.parametrize("route", [CHAT, "refund"])
def test_what_needs_no_agent_has_no_steps(route: str) -> None:
    made = routes(Decision("an intent", route, 0.9, Effort.QUICK))

    assert made.plan(made.decide(request()), request()) is NOBODY


async def test_a_calculation_is_answered_with_its_result() -> None:
    answer = await routes().answer(ARITHMETIC, "what is 17 % of 2,340?", RecordingTurn("manager-0"))

    assert answer == Answer("397.8")


async def test_a_function_answers_and_is_told_a_key_that_stays_the_same() -> None:
    turn = RecordingTurn("manager-0")

    first = await routes().answer("refund", "Refund it", turn)
    again = await routes().answer("refund", "Refund it", turn)

    assert first == again == Answer(f"Refund it: done as {turn.task}")


async def test_a_model_answers_what_no_function_does() -> None:
    assert await routes().answer(CHAT, "Hello", RecordingTurn("manager-0")) is None
    assert await routes().answer("", "Hello", RecordingTurn("manager-0")) is None


async def test_a_function_that_fails_is_named_and_quotes_nothing() -> None:
    with pytest.raises(AgentFailed, match=r"the function fail failed: ValueError$"):
        await routes().answer("fail", "Do it", RecordingTurn("manager-0"))


async def test_a_function_that_hangs_ends_with_its_turn() -> None:
    with pytest.raises(DeadlinePassed, match="the function hang took too long"):
        await routes().answer("hang", "Do it", RecordingTurn("manager-0", remaining_s=0.01))


def test_a_decision_is_a_fact() -> None:
    assert routed(LOOKED_UP) == Routed("lookup", RESEARCHER, 0.97, "quick", 0.0002)


def test_what_continues_a_conversation_is_looked_up_only_where_the_team_has_understood_it() -> None:
    before = (ChatMessage("user", "Tell me about the cache."),)

    decision = routes(LOOKED_UP).decide(
        PlanRequest("How large is it?", ROLES, "docs@1", conversation=before)
    )

    assert decision.route == TEAM
