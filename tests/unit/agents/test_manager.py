"""The Manager with scripted models: plans that are used or replaced, answers that hold."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from agents import Answer, Finding, Parts, Program, Run, StepResult
from agents.evidence.strictness import SupportMode
from agents.manager import Manager
from agents.models.port import Finish
from agents.planning.plan_reader import BROKEN_OFF
from agents.planning.schema import plan_schema
from agents.prompts import MANAGER_ANSWER, MANAGER_ANSWER_STRICT
from agents.researcher import NO_RESEARCH, NOTHING_FOUND
from cluster.kernel.errors import DeadlinePassed, ModelError, UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    Basis,
    Citation,
    Claim,
    ComposeRequest,
    Failure,
    Plan,
    PlanProposal,
    PlanRequest,
    Role,
    Step,
    Support,
)
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, Said, ScriptedModel

ROLES = (Role("coder", "programs"), Role("researcher", "finds"))
QUESTION = "How many entries does the Zephyr cache hold?"
GOAL = f"{QUESTION} Compute twice that."
HOLDS = Citation("docs/zephyr.md", 10, 10, "The Zephyr cache holds 512 entries.")
WROTE = Citation("docs/people.md", 3, 3, "Ada Byron wrote the Zephyr cache.")
SIZE = Claim("The Zephyr cache holds 512 entries.", Support.QUOTED, (0,))
FINDING = Finding("The Zephyr cache holds 512 entries [1].", (HOLDS,), claims=(SIZE,))
PERSON = Finding(
    "Ada Byron wrote the Zephyr cache [1]. The Zephyr cache holds 512 entries [2].",
    (WROTE, HOLDS),
    claims=(
        Claim("Ada Byron wrote the Zephyr cache.", Support.QUOTED, (0,)),
        Claim("The Zephyr cache holds 512 entries.", Support.QUOTED, (1,)),
    ),
)
PROGRAM = Program("print(2 * 512)\n", Run(0, "1024\n", ""))
TIMEOUT = Failure("deadline", "no time was left")


class Review(BaseModel):
    verdict: str


class Bench:
    """A Manager with its model and a turn."""

    def __init__(self, reply: Reply, step: str = "answer", *, is_strict: bool = False) -> None:
        self.model = ScriptedModel({"manager": reply})
        self.turn = RecordingTurn("manager-0", step)
        support = SupportMode.STRICT if is_strict else SupportMode.MARKED
        parts = Parts(self.model, FakeKnowledge(), FakeSandbox(), support=support)
        self.agent = Manager(parts)

    async def plan(self, goal: str = GOAL, roles: tuple[Role, ...] = ROLES) -> PlanProposal:
        proposal = await self.agent.handle(PlanRequest(goal, roles, "c"), self.turn)
        assert isinstance(proposal, PlanProposal)
        return proposal

    async def compose(self, goal: str = QUESTION, **values: object) -> Answer:
        agents = {"r": "researcher", "c": "coder", "v": "reviewer"}
        steps = tuple(Step(StepId(name), agents[name[0]], f"do {name}") for name in values)
        results = tuple(
            StepResult(step.id, step.agent, values[step.id])
            for step in steps
            if values[step.id] is not None
        )
        answer = await self.agent.handle(ComposeRequest(goal, Plan(steps), results), self.turn)
        assert isinstance(answer, Answer)
        return answer


def plan_text(*agents: str) -> str:
    steps = [{"id": f"s{n}", "agent": each, "instruction": str(n)} for n, each in enumerate(agents)]
    return json.dumps({"steps": steps})


async def test_a_sound_plan_is_used_as_it_is() -> None:
    bench = Bench(plan_text("researcher", "coder"), "plan")

    proposal = await bench.plan()

    assert [step.agent for step in proposal.plan.steps] == ["researcher", "coder"]
    assert proposal.degraded == ()
    (request,) = bench.model.requests
    assert request.wants_json
    assert request.json_schema == plan_schema(GOAL, ROLES, 2000)
    assert request.messages[0].text.startswith("You are the Manager")
    assert request.messages[1].text == (
        f"Agents:\n- coder: programs\n- researcher: finds\n\nGoal: {GOAL}"
    )


async def test_an_agent_of_the_users_own_that_no_step_is_for_is_mentioned() -> None:
    reviewer = Role("reviewer", "reviews programs", ("Program",))

    without = await Bench(plan_text("researcher", "coder"), "plan").plan(roles=(*ROLES, reviewer))
    standard = await Bench("", "plan").plan(roles=(*ROLES, reviewer))

    assert without.degraded == (
        "No step of the plan is for the agent reviewer, which is one of your own.",
    )
    assert [step.agent for step in standard.plan.steps] == ["researcher", "coder", "reviewer"]
    assert len(standard.degraded) == 1


@pytest.mark.parametrize("text", ["", "Let us begin.", '{"steps": []}', '{"steps": [{"id"'])
async def test_where_nothing_can_be_read_the_standard_workflow_is_used(text: str) -> None:
    bench = Bench(text, "plan")

    proposal = await bench.plan()

    assert [(step.id, step.agent) for step in proposal.plan.steps] == [
        ("r1", "researcher"),
        ("c1", "coder"),
    ]
    assert proposal.degraded[0].startswith("The standard workflow replaces the model's plan: ")
    assert bench.turn.fell_back() == ["plan"]


async def test_a_mended_plan_is_used_and_what_was_changed_is_said() -> None:
    bench = Bench(plan_text("hacker", "coder"), "plan")

    proposal = await bench.plan()

    assert [step.agent for step in proposal.plan.steps] == ["researcher", "coder"]
    assert proposal.degraded == (
        "Step 's0' was for 'hacker', which is no agent; the researcher does it.",
    )
    assert bench.turn.fell_back() == []


async def test_what_a_model_says_after_its_plan_is_not_read_to_its_end() -> None:
    pieces = (plan_text("researcher", "coder"), *("more " for _ in range(100)))
    bench = Bench(pieces, "plan")

    await bench.plan()

    assert len(bench.turn.thoughts()) < 400
    assert bench.model.closed_streams == 1


async def test_of_a_plan_that_comes_too_late_the_sealed_steps_are_used() -> None:
    begun = plan_text("researcher", "coder", "coder")[:-40]
    bench = Bench((begun, DeadlinePassed("it was not written in time")), "plan")

    proposal = await bench.plan()

    assert [step.agent for step in proposal.plan.steps] == ["researcher", "coder"]
    assert proposal.degraded == (f"{BROKEN_OFF.rstrip('.')} (it was not written in time).",)
    assert bench.turn.fell_back() == ["plan"]


@pytest.mark.parametrize("trouble", [ModelError("cut off"), DeadlinePassed("too late")])
async def test_a_plan_is_kept_that_was_complete_when_the_stream_broke(trouble: Exception) -> None:
    bench = Bench((plan_text("researcher", "coder"), " So", trouble), "plan")

    proposal = await bench.plan()

    assert [step.agent for step in proposal.plan.steps] == ["researcher", "coder"]
    assert proposal.degraded == ()


@pytest.mark.parametrize("opening", ["<think>\n", "", "<reasoning>"])
@pytest.mark.parametrize("length", [0, 100, 1_500])
async def test_a_plan_within_a_thought_is_never_the_plan(opening: str, length: int) -> None:
    closing = opening.replace("<", "</").strip() or "</think>"
    thought = f"The example is {plan_text('coder')}. " + "It won't do. " * length
    text = f"{opening}{thought}\n{closing}\n\n{plan_text('researcher', 'coder')}"
    pieces: list[Said] = [text[at : at + 7] for at in range(0, len(text), 7)]

    proposal = await Bench((*pieces, Finish("stop")), "plan").plan()

    assert [step.agent for step in proposal.plan.steps] == ["researcher", "coder"]
    assert proposal.degraded == ()


async def test_a_missing_coder_is_added() -> None:
    proposal = await Bench(plan_text("researcher"), "plan").plan("Read and write a program.")

    assert [(s.agent, s.needs) for s in proposal.plan.steps] == [
        ("researcher", ()),
        ("coder", ("s0",)),
    ]
    assert "one was added" in proposal.degraded[0]


async def test_a_late_plan_is_replaced_by_the_standard_workflow() -> None:
    bench = Bench(DeadlinePassed("it was not written in time"), "plan")

    proposal = await bench.plan()

    assert [step.agent for step in proposal.plan.steps] == ["researcher", "coder"]
    assert proposal.degraded == (
        "The standard workflow replaces the model's plan: it was not written in time.",
    )


async def test_a_model_that_cannot_plan_at_all_fails_the_task() -> None:
    with pytest.raises(ModelError):
        await Bench(ModelError("no key"), "plan").plan()


async def test_without_agents_there_is_no_plan() -> None:
    with pytest.raises(UsageError, match="no agent to plan with"):
        await Bench("", "plan").plan(roles=())


async def test_nothing_but_late_steps_and_empty_results_fails_for_the_time() -> None:
    with pytest.raises(DeadlinePassed, match="no time was left"):
        await Bench("unused").compose(r1=TIMEOUT, c1=Program("", degraded=("No program.",)))


async def test_the_citations_of_all_findings_make_one_list() -> None:
    bench = Bench("Ada Byron wrote the Zephyr cache [2]. The Zephyr cache holds 512 entries [1].")

    answer = await bench.compose(r1=FINDING, r2=PERSON)

    (prompt,) = bench.model.asked("manager")
    assert "Ada Byron wrote the Zephyr cache [2]. The Zephyr cache holds 512 entries [1]." in prompt
    assert answer.text == (
        "Ada Byron wrote the Zephyr cache [1]. The Zephyr cache holds 512 entries [2]."
    )
    assert answer.citations == (WROTE, HOLDS)
    assert answer.degraded == ()


@pytest.mark.parametrize("is_strict", [True, False])
@pytest.mark.parametrize("reply", ["", ModelError("cut off"), "[1] [2]", "# Answer"])
async def test_without_the_model_the_results_are_the_answer(
    reply: Reply,
    is_strict: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bench = Bench(reply, is_strict=is_strict)

    answer = await bench.compose(r1=FINDING, c1=PROGRAM, v1=Review(verdict="fine"))

    assert answer.text.startswith(
        'The Zephyr cache holds 512 entries [1].\n\n**v1**: {"verdict":"fine"}\n\n```python\nprint'
    )
    assert answer.text.endswith("```text\n1024\n```")
    assert answer.citations == (HOLDS,)
    assert answer.claims == (SIZE,)
    assert "put together from the results as they stand" in answer.degraded[0]
    assert bench.turn.fell_back() == ["answer"]


@pytest.mark.parametrize("value", [TIMEOUT, None])
async def test_a_failed_step_is_said_and_not_answered(value: Failure | None) -> None:
    text = "Ada Byron wrote the Zephyr cache. The Zephyr cache holds 512 entries [1]."
    bench = Bench(text, is_strict=True)

    answer = await bench.compose(r1=FINDING, r2=value)

    assert answer.text == "The Zephyr cache holds 512 entries [1]."
    assert answer.degraded[0].startswith("Step r2 (researcher) ")
    assert "no results:\n- Step r2" in bench.model.asked("manager")[0]


async def test_where_all_steps_failed_the_first_error_is_the_tasks() -> None:
    with pytest.raises(ModelError, match="the endpoint answered 401"):
        await Bench("Fine.").compose(r1=Failure("model", "the endpoint answered 401"), r2=TIMEOUT)


async def test_a_program_that_was_wanted_and_is_missing_is_said() -> None:
    none = Program("", degraded=("No program is offered. It failed.",))

    answer = await Bench("The Zephyr cache holds 512 entries [1].").compose(
        GOAL, r1=FINDING, c1=none
    )
    failed = await Bench("The Zephyr cache holds 512 entries [1].").compose(
        GOAL, r1=FINDING, c1=TIMEOUT
    )

    assert answer.programs == ()
    assert answer.degraded == ("No program is offered. It failed.",)
    assert failed.degraded[-1].startswith("No program is offered: ")


async def test_nothing_found_is_said_without_asking_the_model() -> None:
    bench = Bench("Oslo.")

    nothing = Finding(NOTHING_FOUND, degraded=(NO_RESEARCH,), basis=Basis.NOTHING)

    answer = await bench.compose(r1=nothing)

    assert answer == Answer(NOTHING_FOUND, degraded=(NO_RESEARCH,))
    assert bench.model.requests == []


@pytest.mark.parametrize(
    ("is_strict", "told"), [(False, MANAGER_ANSWER), (True, MANAGER_ANSWER_STRICT)]
)
async def test_what_is_asked_of_the_model_is_what_it_is_held_to(
    is_strict: bool,  # noqa: FBT001 - a parameter of the test
    told: str,
) -> None:
    text = "The Zephyr cache holds 512 entries [1]. Few users ever complain."
    bench = Bench(text, is_strict=is_strict)

    answer = await bench.compose(r1=FINDING)

    assert bench.model.requests[0].messages[0].text == told
    assert ("Few users ever complain [unverified]." in answer.text) is not is_strict


async def test_the_model_sees_the_quotes_of_the_findings() -> None:
    bench = Bench("The Zephyr cache holds 512 entries [1].")

    await bench.compose(r1=FINDING)

    (prompt,) = bench.model.asked("manager")
    assert "Quotes:\n[1] docs/zephyr.md: The Zephyr cache holds 512 entries." in prompt
