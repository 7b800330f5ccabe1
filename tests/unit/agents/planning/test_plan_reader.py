"""A step is sealed as soon as nothing can change it, and then nothing does."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planning.drafts import Draft
from agents.planning.mending import UnsoundPlan
from agents.planning.needs import startable
from agents.planning.plan_reader import Drafting, PlanReader
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Role, Step

RESEARCHER = Role("researcher", "Answers a question from the documents of the task.")
CODER = Role("coder", "Writes one Python program that computes or shows something.")
REVIEWER = Role("reviewer", "Reviews the program that the Coder wrote.", ("Program",))
CRITIC = Role("critic", "Criticises.", ("Finding", "Assignment"))
ROLES = (RESEARCHER, CODER, REVIEWER, CRITIC, Role("manager", "Plans."))
GOAL = "Compare pipes and sockets."
ECHO = "Answer the question from the documents of the task."


def draft(step_id: str, agent: str = "coder", *needs: str, do: str = "") -> Draft:
    return Draft(step_id, agent, do or f"do {step_id}", needs)


def drafting(*sealed: Step, is_broadcast: bool = False) -> Drafting:
    return Drafting(ROLES, GOAL, sealed, is_broadcast=is_broadcast)


def sealed_by(each: Draft, to: Drafting) -> list[str]:
    """What a further draft seals, as ``id<need,need``."""
    to.drafts.append(each)
    return [_shown(step) for step in to.seal()]


def _shown(step: Step) -> str:
    return f"{step.id}<{','.join(step.needs)}" if step.needs else step.id


def plan_of(plan: Drafting) -> list[str]:
    return [_shown(step) for step in plan.mended().plan.steps]


def test_each_step_is_sealed_by_its_own_draft() -> None:
    plan = drafting()

    assert sealed_by(draft("a"), plan) == ["a"]
    assert sealed_by(draft("b", "coder", "a"), plan) == ["b<a"]
    assert plan.seal() == []


def test_a_repeated_step_is_sealed_once() -> None:
    plan = drafting()

    assert sealed_by(draft("a"), plan) == ["a"]
    assert sealed_by(draft("b", do=" Do A"), plan) == []
    assert sealed_by(draft("c", "coder", "b"), plan) == ["c<a"]


def test_a_step_with_the_id_of_a_sealed_one_is_called_otherwise() -> None:
    plan = drafting()
    sealed_by(draft("a"), plan)

    assert sealed_by(draft("a", do="something else"), plan) == ["a-2"]
    assert sealed_by(draft("b", "coder", "a-2"), plan) == ["b<a-2"]


def test_a_need_that_no_step_has_yet_is_kept() -> None:
    plan = drafting()

    assert sealed_by(draft("a", "coder", "b", "x"), plan) == ["a<b,x"]
    assert sealed_by(draft("b"), plan) == ["b"]


def test_a_need_that_never_comes_is_dropped_from_a_step_that_waits_for_it() -> None:
    plan = drafting()
    sealed_by(draft("a", "coder", "b", "x"), plan)
    sealed_by(draft("b"), plan)

    assert plan_of(plan) == ["a<b", "b"]
    assert "named a step x that the plan doesn't have" in plan.mended().reasons[0]


def test_a_circle_of_sealed_steps_is_broken_at_its_last_need() -> None:
    plan = drafting()
    sealed_by(draft("a", "coder", "b"), plan)
    sealed_by(draft("b", "coder", "a"), plan)

    assert plan_of(plan) == ["a<b", "b"]


def test_where_all_begin_at_once_a_step_with_an_unknown_need_is_withheld() -> None:
    plan = drafting(is_broadcast=True)

    assert sealed_by(draft("a", "coder", "b"), plan) == []
    assert sealed_by(draft("b"), plan) == ["b", "a<b"]


def test_a_step_that_waits_for_whatever_an_agent_does_is_withheld() -> None:
    plan = drafting()
    sealed_by(draft("a"), plan)

    assert sealed_by(draft("b", "critic", "coder"), plan) == []
    assert plan_of(plan) == ["a", "b<a"]


def test_what_a_draft_that_is_no_step_waits_for_is_waited_for() -> None:
    plan = drafting()
    sealed_by(draft("a"), plan)

    assert sealed_by(draft("m", "manager", "a"), plan) == []
    assert sealed_by(draft("b", "coder", "m"), plan) == ["b<a"]


def test_a_step_of_the_managers_is_its_answer_until_another_follows() -> None:
    plan = drafting()
    sealed_by(draft("a"), plan)

    assert sealed_by(draft("m", "manager", do="Write a program that sorts."), plan) == []
    assert sealed_by(draft("b"), plan) == ["m", "b"]


def test_a_step_that_says_only_what_its_agent_is_for_is_withheld() -> None:
    plan = drafting()

    assert sealed_by(draft("e", "researcher", do=ECHO), plan) == []
    assert sealed_by(draft("b", "coder", "e"), plan) == ["b<e"]
    assert plan_of(plan) == ["e", "b<e"]


def test_an_echo_that_others_make_needless_is_no_need_either() -> None:
    plan = drafting()
    sealed_by(draft("e", "researcher", do=ECHO), plan)
    sealed_by(draft("b", "coder", "e"), plan)
    sealed_by(draft("r", "researcher", do="Find the speed of light and why."), plan)

    assert plan_of(plan) == ["b", "r"]


def test_a_step_waits_for_its_input_to_be_sealed() -> None:
    plan = drafting()

    assert sealed_by(draft("v", "reviewer"), plan) == []
    assert sealed_by(draft("r", "researcher", do="Find the speed of light and why."), plan) == ["r"]
    assert sealed_by(draft("c"), plan) == ["c", "v<c"]


def test_a_step_gets_the_nearest_input_before_it() -> None:
    plan = drafting()
    sealed_by(draft("c1"), plan)
    sealed_by(draft("c2"), plan)

    assert sealed_by(draft("v", "reviewer"), plan) == ["v<c2"]


def test_a_step_whose_input_waits_for_what_may_never_come_is_withheld() -> None:
    plan = drafting()
    sealed_by(draft("c", "coder", "x"), plan)

    assert sealed_by(draft("v", "reviewer", "c"), plan) == []
    assert plan_of(plan) == ["c", "v<c"]


def test_a_research_step_that_asks_what_the_goal_does_asks_the_goals_question() -> None:
    plan = drafting()
    plan.drafts.append(draft("r", "researcher", do="compare sockets and pipes"))

    assert plan.seal() == [Step(StepId("r"), "researcher", GOAL)]


def test_a_research_step_that_says_less_than_the_goal_waits_for_another_one() -> None:
    plan = drafting()

    assert sealed_by(draft("r1", "researcher", do="Find out about pipes."), plan) == []
    assert sealed_by(draft("c", "coder", "r1"), plan) == ["c<r1"]
    assert sealed_by(draft("r2", "researcher", do="Find out about sockets."), plan) == ["r1", "r2"]


def test_no_more_steps_are_sealed_than_a_plan_has() -> None:
    plan = drafting()

    found = [step for n in range(20) for step in sealed_by(draft(f"s{n}"), plan)]

    assert len(found) == 12
    assert plan_of(plan) == found


def test_sealed_steps_of_an_earlier_owner_stay_and_are_not_planned_again() -> None:
    there = Step(StepId("r1"), "researcher", GOAL)
    plan = drafting(there)

    assert sealed_by(draft("r1", "researcher", do="Find out about pipes."), plan) == []
    assert sealed_by(draft("c1", "coder", "r1"), plan) == ["c1<r1"]
    assert plan.mended().plan.steps[0] == there


def test_steps_of_an_agent_that_is_gone_stay() -> None:
    there = Step(StepId("x1"), "painter", "Paint it.", (StepId("x9"),))

    assert plan_of(drafting(there)) == ["x1"]


NAMES = st.sampled_from(["a", "b", "A", "c", "1", "2", "researcher", "coder", "a-2", "nobody", ""])
DRAFTS = st.builds(
    Draft,
    NAMES,
    st.sampled_from(["coder", "researcher", "reviewer", "critic", "manager", "nobody", ""]),
    st.sampled_from(["do a", "do b", ECHO, "Find out about pipes.", GOAL, ""]),
    st.lists(NAMES, max_size=3).map(tuple),
)
PLANS = st.lists(DRAFTS, max_size=8)


def text_of(drafts: Sequence[Draft]) -> str:
    steps = [
        {"id": each.id, "agent": each.agent, "instruction": each.instruction, "needs": each.needs}
        for each in drafts
    ]
    return json.dumps({"steps": steps})


@pytest.mark.parametrize("is_broadcast", [False, True])
@given(data=st.data())
def test_what_is_sealed_is_in_the_plan_and_what_may_run_is_as_it_was(
    data: st.DataObject,
    is_broadcast: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    plan = drafting(is_broadcast=is_broadcast)
    sealed: list[Step] = []
    for each in data.draw(PLANS):
        plan.drafts.append(each)
        sealed += plan.seal()
    if not sealed:
        return

    made = plan.mended()
    begun = {step.id for step in sealed} if is_broadcast else startable(sealed)

    assert made.plan.is_sound
    assert {step for step in sealed if step.id in begun} <= set(made.plan.steps)
    assert {(step.id, step.agent, step.instruction) for step in sealed} <= {
        (step.id, step.agent, step.instruction) for step in made.plan.steps
    }
    assert len({step.id for step in sealed}) == len(sealed)


@pytest.mark.parametrize("is_broadcast", [False, True])
@given(data=st.data())
def test_each_draft_seals_what_it_seals_where_all_are_looked_at_anew(
    data: st.DataObject,
    is_broadcast: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    adopted = data.draw(st.sampled_from([(), (Step(StepId("a"), "coder", "do a"),)]))
    plan = drafting(*adopted, is_broadcast=is_broadcast)
    for group in data.draw(st.lists(st.lists(DRAFTS, max_size=4), max_size=5)):
        anew = plan.begun_again(len(plan.drafts))
        for each in group:
            plan.drafts.append(each)
            plan.step_ids()
        anew.drafts += group

        assert plan.step_ids() == anew.step_ids()
        assert plan.seal() == anew.seal()
        assert plan.sealed == anew.sealed


def plan_or_none(reader: PlanReader) -> Plan | None:
    try:
        return reader.plan().plan
    except UnsoundPlan:
        return None


@given(PLANS, st.integers(1, 40), st.integers(0, 200))
def test_where_nothing_else_was_sealed_the_plan_is_as_it_is_read_whole(
    drafts: list[Draft], piece: int, lost: int
) -> None:
    text = text_of(drafts)
    text = text[: max(0, len(text) - max(0, lost - 100))]
    streamed, whole = PlanReader(ROLES, GOAL), PlanReader(ROLES, GOAL)
    whole.feed(text)
    for at in range(0, len(text), piece):
        streamed.feed(text[at : at + piece])
        streamed.seal()

    expected = plan_or_none(whole)

    if expected is None:
        assert streamed.sealed == ()
    elif set(streamed.sealed) <= set(expected.steps):
        assert plan_or_none(streamed) == expected
