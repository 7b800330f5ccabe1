"""The Manager tells each step of a plan as it is sealed, and never plans anew what may run."""

from __future__ import annotations

import json

import pytest

from agents import Parts
from agents.manager import Manager
from agents.models.port import Delta, Finish, Request, Restarted
from agents.planning.plan_reader import BROKEN_OFF
from agents.planning.schema import rest_schema
from agents.prompts import MANAGER_PLAN, MANAGER_PLAN_REST, rest_prompt
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import PlanProposal, PlanRequest, Role, Step
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, Said, ScriptedModel

ROLES = (Role("coder", "programs"), Role("researcher", "finds"))
GOAL = "How do pipes and sockets differ in what they can send to another machine?"
CUT = ModelError("cut off")
LATE = DeadlinePassed("too late")
WITHDRAWN = ModelError("taken back")
WITHDRAWN.is_withdrawal = True
NOTHING = '{"steps": []}'


def step(step_id: str, *needs: str, do: str = "") -> dict[str, object]:
    return {"id": step_id, "agent": "coder", "instruction": do or f"do {step_id}", "needs": needs}


def plan(*steps: dict[str, object]) -> str:
    return json.dumps({"steps": steps})


A_AND_B = plan(step("a"), step("b", "a"))
A_OF_TWO = A_AND_B[: A_AND_B.index("}") + 3]
"""A plan that breaks off after its first step."""
A = Step(StepId("a"), "coder", "do a")


class Bench:
    """A Manager with its model and a turn; tells how much had been said when a step was planned."""

    def __init__(self, *replies: Reply) -> None:
        self.model = ScriptedModel({"manager": list(replies)})
        self.turn = RecordingTurn("manager-0", "plan")
        self.agent = Manager(Parts(self.model, FakeKnowledge(), FakeSandbox()))

    async def plan(self, *sealed: Step, goal: str = GOAL) -> PlanProposal:
        request = PlanRequest(goal, ROLES, "c", sealed)
        proposal = await self.agent.handle(request, self.turn)
        assert isinstance(proposal, PlanProposal)
        assert set(self.planned()) <= {each.id for each in proposal.plan.steps}
        assert set(sealed) <= set(proposal.plan.steps)
        return proposal

    def planned(self) -> list[str]:
        return [each.id for each in self.turn.planned()]


def shown(proposal: PlanProposal) -> list[str]:
    return [f"{each.id}<{','.join(each.needs)}" for each in proposal.plan.steps]


def piecewise(text: str, size: int = 5) -> tuple[Said, ...]:
    return (*(text[at : at + size] for at in range(0, len(text), size)), Finish("stop"))


async def test_a_step_is_planned_while_the_next_one_is_written() -> None:
    planned: list[list[str]] = []
    bench = Bench((A_OF_TWO, lambda: planned.append(bench.planned()), A_AND_B[len(A_OF_TWO) :]))

    proposal = await bench.plan()

    assert planned == [["a"]]
    assert bench.planned() == ["a", "b"]
    assert shown(proposal) == ["a<", "b<a"]


async def test_a_plan_that_cannot_be_read_as_it_comes_is_read_whole() -> None:
    bench = Bench(A_AND_B.replace('"', "'"))

    assert shown(await bench.plan()) == ["a<", "b<a"]
    assert bench.planned() == []


@pytest.mark.parametrize("opening", ["<think>\n", "Hm. ", "<reasoning>"])
async def test_nothing_of_a_thought_is_planned(opening: str) -> None:
    closing = "</reasoning>" if "reasoning" in opening else "</think>"
    thought = plan(step("x"), step("y"))

    bench = Bench(piecewise(f"{opening}Such as {thought}?\n{closing}\n\n{A_AND_B}"))

    assert shown(await bench.plan()) == ["a<", "b<a"]
    assert bench.planned() == ["a", "b"]


async def test_a_plan_after_prose_is_acted_on_only_where_the_reasoning_is_elsewhere() -> None:
    after_prose = Bench(f"Here it is: {A_AND_B}")
    after_thought = Bench((Delta("Hm.", is_reasoning=True), f"Here: {A_AND_B}", Finish("stop")))

    assert shown(await after_prose.plan()) == shown(await after_thought.plan())
    assert after_prose.planned() == []
    assert after_thought.planned() == ["a", "b"]


@pytest.mark.parametrize("trouble", [CUT, LATE, Finish("length")])
async def test_of_a_plan_that_breaks_off_the_rest_is_asked_for_once(trouble: Said) -> None:
    bench = Bench((f'{A_OF_TWO}{{"id": "b', trouble), plan(step("c", "a")))

    proposal = await bench.plan()

    assert bench.planned() == ["a", "c"]
    assert shown(proposal) == ["a<", "c<a"]
    assert proposal.degraded == ()
    first, second = bench.model.requests
    assert told(first)[0] == MANAGER_PLAN
    assert told(second) == [MANAGER_PLAN_REST, rest_prompt(GOAL, ROLES, [A])]
    assert second.json_schema == rest_schema(ROLES, 2000)


async def test_a_plan_that_its_model_could_not_end_breaks_off_however_whole_it_looks() -> None:
    lone = json.dumps(step("a")) + "\n"
    ran_out = Bench((lone, Finish("length", 1, 9)))
    question = Bench(('{"clarify": "Which of the two"}'[:-2], Finish("length", 1, 9)))

    proposal = await ran_out.plan()
    unclear = await question.plan()

    why = "the model ran out of its length (9 tokens) before its text had ended"
    assert shown(proposal) == ["a<"]
    assert proposal.degraded[0] == f"{BROKEN_OFF.rstrip('.')} ({why})."
    assert unclear.question == ""
    assert unclear.degraded[0] == f"The standard workflow replaces the model's plan: {why}."


def told(request: Request) -> list[str]:
    return [message.text for message in request.messages]


@pytest.mark.parametrize("replies", [[(A_AND_B, WITHDRAWN)], [(A_OF_TWO, CUT), WITHDRAWN]])
async def test_a_plan_that_is_taken_back_ends_the_task_though_steps_have_begun(
    replies: list[Reply],
) -> None:
    bench = Bench(*replies)

    with pytest.raises(ModelError, match="taken back"):
        await bench.plan()

    assert bench.planned()[0] == "a"


async def test_where_nothing_is_missing_the_plan_is_whole() -> None:
    proposal = await Bench((A_OF_TWO, CUT), NOTHING).plan()

    assert shown(proposal) == ["a<"]
    assert proposal.degraded == ()


async def test_the_rest_may_repeat_what_there_is_and_take_its_ids() -> None:
    again = plan(step("a"), step("a", do="something else"), step("b", "a"))

    proposal = await Bench((A_OF_TWO, CUT), again).plan()

    assert shown(proposal) == ["a<", "a-2<", "b<a,a-2"]


@pytest.mark.parametrize("reply", [CUT, LATE, "", "None.", '{"steps": [{"id": "b"'])
async def test_where_the_rest_fails_too_the_plan_is_what_is_sealed(reply: Reply) -> None:
    bench = Bench((A_OF_TWO, CUT), reply, plan(step("never asked for")))

    proposal = await bench.plan()

    assert shown(proposal) == ["a<"]
    why = f" ({reply})" if isinstance(reply, Exception) else ""
    assert proposal.degraded == (f"{BROKEN_OFF.rstrip('.')}{why}.",)
    assert bench.turn.fell_back() == ["plan"]
    assert len(bench.model.requests) == 2


async def test_a_thought_before_the_rest_is_no_plan() -> None:
    rest = f"The plan has {A_AND_B}.\n</think>\n{NOTHING}"

    proposal = await Bench((A_OF_TWO, CUT), piecewise(rest)).plan()

    assert shown(proposal) == ["a<"]
    assert proposal.degraded == ()


async def test_what_was_planned_before_another_attempt_stays() -> None:
    other = plan(step("a"), step("c", "a"))
    bench = Bench((f'{A_OF_TWO}{{"id": "b', Restarted("it stalled"), other, Finish("stop")))

    proposal = await bench.plan()

    assert bench.planned() == ["a", "c"]
    assert shown(proposal) == ["a<", "c<a"]
    assert len(bench.model.requests) == 1


async def test_an_attempt_of_which_nothing_was_planned_is_forgotten() -> None:
    bench = Bench((f"So: {A_OF_TWO}", Restarted("it stalled"), plan(step("c")), Finish("stop")))

    assert shown(await bench.plan()) == ["c<"]


async def test_a_new_owner_asks_for_the_rest_of_what_is_sealed() -> None:
    bench = Bench(plan(step("b", "a")))

    proposal = await bench.plan(A)

    assert bench.planned() == ["b"]
    assert shown(proposal) == ["a<", "b<a"]
    [request] = bench.model.requests
    assert told(request)[1] == rest_prompt(GOAL, ROLES, [A])


async def test_a_new_owner_without_a_model_goes_on_with_what_is_sealed() -> None:
    waiting = Step(StepId("w"), "coder", "do w", (StepId("a"),))
    bench = Bench(CUT)

    proposal = await bench.plan(A, waiting)

    assert shown(proposal) == ["a<", "w<a"]
    assert proposal.degraded == (f"{BROKEN_OFF.rstrip('.')} (cut off).",)


async def test_a_need_that_never_came_holds_up_no_plan() -> None:
    proposal = await Bench(plan(step("a", "x"))).plan()

    assert shown(proposal) == ["a<"]
    assert "named a step x" in proposal.degraded[0]


async def test_a_missing_coder_comes_after_what_is_sealed() -> None:
    goal = "Why do pipes block? Write a program that shows it."
    lone = plan({"id": "r1", "agent": "researcher", "instruction": "Why do pipes block?"})
    bench = Bench(lone)

    proposal = await bench.plan(goal=goal)

    assert bench.turn.planned() == [proposal.plan.steps[0]]
    assert shown(proposal) == ["r1<", "c1<r1"]
