"""The Manager and goals that need no team, or that nobody could begin with."""

from __future__ import annotations

import json

import pytest

from agents import Answer, Parts, PlanProposal
from agents.manager import Manager
from agents.models.port import Finish
from agents.prompts import MANAGER_ASIDE, MANAGER_CHAT
from agents.routes import Routes
from cluster.kernel.conversation import ChatMessage
from cluster.kernel.events import FellBack, Routed, StepPlanned
from cluster.kernel.ids import StepId
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.routing import TEAM, Decision, Effort
from cluster.kernel.vocabulary import ComposeRequest, Finding, Plan, PlanRequest, Step, StepResult
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, ScriptedModel
from tests.unit.agents.test_routes import FUNCTIONS, ROLES, Deciding

STEP = {"id": "r1", "agent": "researcher", "instruction": "find out", "needs": []}
PLAN = json.dumps({"steps": [STEP]})


class Desk:
    """A Manager that routes as told, its model and a turn."""

    def __init__(self, decision: Decision, reply: Reply = "Hello to you.") -> None:
        self.model = ScriptedModel({"manager": reply})
        self.turn = RecordingTurn("manager-0", "plan")
        self.agent = Manager(Parts(self.model, FakeKnowledge(), FakeSandbox()))
        self.agent.routes = Routes(Deciding(decision), FUNCTIONS)

    async def plan(
        self,
        goal: str = "Where is it?",
        sealed: tuple[Step, ...] = (),
        *,
        is_aside: bool = False,
    ) -> PlanProposal:
        request = PlanRequest(goal, ROLES, "docs@1", sealed, is_aside=is_aside)
        proposal = await self.agent.handle(request, self.turn)
        assert isinstance(proposal, PlanProposal)
        return proposal

    async def compose(self, request: ComposeRequest) -> Answer:
        answer = await self.agent.handle(request, self.turn)
        assert isinstance(answer, Answer)
        return answer


TO_TEAM = Decision("research", TEAM, 0.99, Effort.DEEP)
TO_RESEARCHER = Decision("lookup", RESEARCHER, 0.97, Effort.QUICK)
TO_CHAT = Decision("chat", "chat", 0.99, Effort.QUICK)


async def test_the_team_plans_what_the_router_leaves_to_it_and_that_is_told() -> None:
    desk = Desk(TO_TEAM, PLAN)

    proposal = await desk.plan()

    assert [step.id for step in proposal.plan.steps] == ["r1"]
    assert desk.turn.emitted[0] == Routed("research", TEAM, 0.99, "deep", 0.0)


async def test_a_lookup_is_planned_without_a_model_and_begins_at_once() -> None:
    desk = Desk(TO_RESEARCHER)

    proposal = await desk.plan()

    [step] = proposal.plan.steps
    assert desk.turn.emitted[1:] == [StepPlanned(step)]
    assert (step.agent, step.instruction) == (RESEARCHER, "Where is it?")
    assert desk.model.requests == []


async def test_a_plan_that_has_begun_is_not_routed_again() -> None:
    sealed = Step(StepId("r1"), RESEARCHER, "find out")
    desk = Desk(TO_CHAT, json.dumps({"steps": []}))

    proposal = await desk.plan(sealed=(sealed,))

    assert sealed in proposal.plan.steps
    assert not any(isinstance(detail, Routed) for detail in desk.turn.emitted)


async def test_a_calculation_asks_no_model_at_all() -> None:
    desk = Desk(TO_TEAM)

    proposal = await desk.plan("what is 17 % of 2,340?")
    asked = ComposeRequest("what is 17 % of 2,340?", proposal.plan, (), "arithmetic", "instant")

    assert await desk.compose(asked) == Answer("397.8")
    assert desk.model.requests == []


async def test_small_talk_is_answered_by_a_plain_model() -> None:
    desk = Desk(TO_CHAT)

    answer = await desk.compose(ComposeRequest("Hello!", Plan(()), (), "chat", "quick"))

    [request] = desk.model.requests
    assert answer == Answer("Hello to you.")
    assert (request.messages[0].text, request.tier) == (MANAGER_CHAT, "fast")


async def test_an_aside_is_planned_by_nobody_whatever_the_router_thinks() -> None:
    desk = Desk(TO_TEAM)

    proposal = await desk.plan("Title it", is_aside=True)

    assert proposal.plan == Plan(())
    assert desk.model.requests == []


async def test_an_aside_is_answered_by_the_quick_model_alone() -> None:
    desk = Desk(TO_TEAM, '{"title": "Caches"}')

    answer = await desk.compose(ComposeRequest("Title it", Plan(()), (), "aside", "quick"))

    [request] = desk.model.requests
    assert answer.text == '{"title": "Caches"}'
    assert (request.messages[0].text, request.tier) == (MANAGER_ASIDE, "fast")


async def test_small_talk_is_answered_in_its_conversation() -> None:
    desk = Desk(TO_CHAT)
    before = (ChatMessage("user", "I am Ada."),)

    await desk.compose(ComposeRequest("Hi!", Plan(()), (), "chat", "quick", conversation=before))

    assert "user: I am Ada." in desk.model.requests[0].messages[1].text


async def test_a_function_answers_its_goals() -> None:
    desk = Desk(TO_TEAM)

    answer = await desk.compose(ComposeRequest("Refund it", Plan(()), (), "refund", "instant"))

    assert answer.text.startswith("Refund it: done as ")


@pytest.mark.parametrize(
    "text", ['{"clarify": "Which  of the\\ntwo?"}', "```json\n{clarify: 'Which of the two?'}\n```"]
)
async def test_a_goal_that_nobody_could_begin_with_is_asked_back(text: str) -> None:
    proposal = await Desk(TO_TEAM, text).plan()

    assert (proposal.plan, proposal.question) == (Plan(()), "Which of the two?")


@pytest.mark.parametrize("text", ['{"clarify": ""}', '{"clarify": 3}', '{"clarify": {"steps": 1}}'])
async def test_a_question_that_is_none_is_no_question(text: str) -> None:
    proposal = await Desk(TO_TEAM, text).plan()

    assert proposal.question == ""
    assert proposal.plan.steps


async def test_a_plan_beside_a_question_is_a_plan() -> None:
    text = json.dumps({"clarify": "Which?", "steps": [STEP]})

    proposal = await Desk(TO_TEAM, text).plan()

    assert ([step.id for step in proposal.plan.steps], proposal.question) == (["r1"], "")


async def test_without_a_budget_left_the_results_are_put_together() -> None:
    desk = Desk(TO_TEAM, (Finish("stop"),))
    step = Step(StepId("r1"), RESEARCHER, "find out")
    result = StepResult(step.id, RESEARCHER, Finding("It is in the north."))

    answer = await desk.compose(
        ComposeRequest("Where is it?", Plan((step,)), (result,), lacks="90 of the 90 tokens")
    )

    assert "It is in the north." in answer.text
    assert any("90 of the 90 tokens" in said for said in answer.degraded)
    assert any(isinstance(detail, FellBack) for detail in desk.turn.emitted)
    assert desk.model.requests == []
