"""Plans as models write them: streamed, wrapped in prose, unsound; and the plan by rule."""

from __future__ import annotations

import json

import pytest

from agents.planning.plan_text import (
    PlanReader,
    UnsoundPlan,
    parse_plan,
    standard_workflow,
    with_coder,
)
from cluster.kernel.ids import StepId
from cluster.kernel.tasks import Plan, Role, Step

RESEARCHER = Role("researcher", "finds")
CODER = Role("coder", "programs")
REVIEWER = Role("reviewer", "reviews", ("Program",))
CRITIC = Role("critic", "criticises", ("Finding",))
ROLES = (RESEARCHER, CODER, REVIEWER)


def step(step_id: str, agent: str = "researcher", *needs: str) -> dict[str, object]:
    instruction = f"do what {step_id} is for"
    return {"id": step_id, "agent": agent, "instruction": instruction, "needs": list(needs)}


def text_of(*steps: object) -> str:
    return json.dumps({"steps": steps})


SOUND = text_of(step("r1"), step("c1", "coder", "r1"))


@pytest.mark.parametrize(
    "text",
    [
        SOUND,
        f"```json\n{SOUND}\n```",
        f"Here is {{my}} plan:\n\n{SOUND}\n\nI hope it {{helps}}!",
        json.dumps({"goal": "g", "steps": [step("r1"), step("c1", "coder", "r1")]}, indent=2),
        SOUND.replace('"coder"', '"Coder"').replace('"researcher"', '"researcher-0"'),
    ],
)
def test_a_plan_is_found_in_what_is_around_it(text: str) -> None:
    plan = parse_plan(text, ROLES)

    assert [(each.id, each.agent, each.needs) for each in plan.steps] == [
        ("r1", "researcher", ()),
        ("c1", "coder", ("r1",)),
    ]


def test_a_step_is_known_as_soon_as_its_brace_closes() -> None:
    reader = PlanReader(ROLES)
    known_at: dict[str, int] = {}

    for at, character in enumerate(f"Plan: {SOUND}"):
        known_at.update({each.id: at for each in reader.feed(character)})

    braces = [at for at, character in enumerate(f"Plan: {SOUND}") if character == "}"]
    assert list(known_at.items()) == [("r1", braces[0]), ("c1", braces[1])]
    assert reader.is_complete


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no JSON object"),
        ("I would first search and then answer.", "no JSON object"),
        (SOUND[:-12], "breaks off"),
        (SOUND.replace('"needs": []', '"needs" []'), "no valid JSON"),
        (text_of(), "no steps"),
        ('{"answer": 42}', "no steps"),
        ('{"answer": {"steps": []}}', "does not begin with a list of steps"),
        ('{"answer": "' + "x" * 2000, "does not begin with a list of steps"),
        (text_of("research"), "no JSON object"),
        (text_of(["r1"]), "no JSON object"),
        (text_of(step("r1", "hacker")), "for 'hacker'; the agents are: researcher, coder"),
        (text_of(step("r1"), step("r1")), "two steps have the id 'r1'"),
        (text_of(step("plan")), "no step may have the id 'plan'"),
        (text_of(step("answer")), "no step may have the id 'answer'"),
        (text_of(step("a b")), "no short name"),
        (text_of(step("x" * 33)), "no short name"),
        (text_of(step("r1", "researcher", "r2")), "needs 'r2', which is no step"),
        (text_of(step("r1", "researcher", "r1")), "r1 wait for each other"),
        (
            text_of(
                step("r1", "coder", "r2"), step("r2", "coder", "r3"), step("r3", "coder", "r1")
            ),
            "r1, r2, r3 wait for each other",
        ),
        (text_of(step("r1"), {**step("r1"), "id": "r2"}), "'r1' and 'r2' are the same"),
        ('{"steps": [{' + '"id": "r1", ' * 100, "too many parts"),
        (text_of({"id": "r1", "agent": "coder"}), "has no instruction"),
        (text_of({"id": "r1", "instruction": "x"}), "names no agent"),
        (text_of({**step("r1"), "instruction": "x" * 2001}), "over 2000 characters"),
        (text_of({**step("r1"), "needs": "r2"}), "no list of step ids"),
        (text_of(step("v1", "reviewer")), "'v1' needs no step that gives a Program"),
        (text_of(*(step(f"s{n}") for n in range(200))), "more than 12 steps"),
    ],
)
def test_what_is_unsound_is_said(text: str, complaint: str) -> None:
    with pytest.raises(UnsoundPlan, match=complaint):
        parse_plan(text, ROLES)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        '{"steps": ' + "[" * 1_000_000,
        '{"steps": [{"id": ' + "[" * 60_000,
        '{"a": ' * 10_000,
        "{ " * 500_000,
        '{"a": 1, ' * 5_000,
        '{"steps": [{"id": "r1", "instruction": "' + "y" * 1_000_000,
    ],
)
def test_garbage_of_any_size_is_refused_before_it_is_all_read(text: str) -> None:
    with pytest.raises(UnsoundPlan):
        parse_plan(text, ROLES)
    with pytest.raises(UnsoundPlan):
        read_piecemeal(text)


def read_piecemeal(text: str) -> None:
    reader = PlanReader(ROLES)
    for at in range(0, len(text), 1000):
        reader.feed(text[at : at + 1000])


def test_a_reviewer_may_follow_the_coder() -> None:
    plan = parse_plan(text_of(step("c1", "coder"), step("v1", "reviewer", "c1")), ROLES)

    assert len(plan.steps) == 2


def test_the_standard_workflow_researches_and_programs_where_a_program_is_wanted() -> None:
    plan = standard_workflow("Write a program for it.", (CODER, RESEARCHER), has_knowledge=True)

    assert [(each.id, each.agent, each.needs) for each in plan.steps] == [
        ("r1", "researcher", ()),
        ("c1", "coder", ("r1",)),
    ]


def test_the_standard_workflow_only_researches_where_nothing_is_to_be_programmed() -> None:
    plan = standard_workflow("What is a heap?", ROLES, has_knowledge=True)

    assert [each.agent for each in plan.steps] == ["researcher"]


def test_the_coder_waits_for_no_research_that_could_find_nothing() -> None:
    plan = standard_workflow("Compute 2 + 2.", (RESEARCHER, CODER), has_knowledge=False)

    assert plan.steps[1].needs == ()


def test_own_agents_follow_the_step_whose_result_they_handle() -> None:
    roles = (*ROLES, CRITIC, Role("manager", "plans"), Role("poet", "rhymes"))

    plan = standard_workflow("Compute it.", roles, has_knowledge=True)

    assert [(each.agent, each.needs) for each in plan.steps[2:]] == [
        ("reviewer", ("c1",)),
        ("critic", ("r1",)),
    ]


def test_a_coder_is_added_where_a_program_is_asked_for_in_so_many_words() -> None:
    plan = Plan((Step(StepId("c1"), "researcher", "read"),))

    whole = with_coder(plan, "Read it and write a program.", ROLES)

    assert whole.steps[1] == Step(
        StepId("c2"), "coder", "Read it and write a program.", (StepId("c1"),)
    )
    assert with_coder(plan, "Use what you find.", ROLES) is plan
    assert with_coder(whole, "Write a program.", ROLES) is whole
    assert with_coder(plan, "Write a program.", (RESEARCHER,)) is plan
