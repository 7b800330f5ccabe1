"""What is wrong with one step of a plan is mended there, and said where it matters."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planning.drafts import Draft
from agents.planning.mending import UnsoundPlan, mended
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Role, Step

RESEARCHER = Role("researcher", "Answers a question from the documents of the task.")
CODER = Role("coder", "Writes one Python program that computes or shows something.")
REVIEWER = Role("reviewer", "Reviews the program that the Coder wrote.", ("Program",))
GOAL = "Find the three largest numbers."
ROLES = (RESEARCHER, CODER, REVIEWER, Role("manager", "Plans."))


def draft(step_id: str, agent: str = "researcher", *needs: str, do: str = "") -> Draft:
    return Draft(step_id, agent, do or f"do {step_id}", needs)


def shape(*drafts: Draft) -> tuple[list[str], tuple[str, ...]]:
    """The steps as ``id:agent<need,need``, and the reasons."""
    made = mended(drafts, ROLES, GOAL)
    return [_shown(step) for step in made.plan.steps], made.reasons


def _shown(step: Step) -> str:
    return f"{step.id}:{step.agent[0]}" + (f"<{','.join(step.needs)}" if step.needs else "")


def test_a_sound_plan_stays_as_it_is() -> None:
    drafts = (draft("r1"), draft("c1", "coder", "r1"), draft("v1", "reviewer", "c1"))

    assert shape(*drafts) == (["r1:r", "c1:c<r1", "v1:r<c1"], ())


def test_a_repeated_step_is_one_step() -> None:
    again = draft("r2", "Researcher", do="  Do  r1 ")

    assert shape(draft("r1"), again, draft("c1", "coder", "r2")) == (["r1:r", "c1:c<r1"], ())


def test_a_repeated_step_with_the_same_id_is_one_step() -> None:
    assert shape(draft("r1"), draft("r1"), draft("c1", "coder", "r1")) == (
        ["r1:r", "c1:c<r1"],
        (),
    )


def test_an_id_given_twice_stands_for_both_steps() -> None:
    other = draft("r1", do="something else")

    assert shape(draft("r1"), other, draft("c1", "coder", "r1")) == (
        ["r1:r", "r1-2:r", "c1:c<r1,r1-2"],
        (),
    )


def test_the_managers_own_steps_keep_their_ids_for_themselves() -> None:
    assert shape(draft("plan"), draft("c1", "coder", "plan"))[0] == ["plan-2:r", "c1:c<plan-2"]


def test_a_surplus_of_steps_is_cut_with_a_reason() -> None:
    steps, reasons = shape(*(draft(f"r{n}") for n in range(20)))

    assert len(steps) == 12
    assert reasons == ("The plan had more than 12 steps; the further ones were cut.",)


@pytest.mark.parametrize(
    ("agent", "role"),
    [
        ("python", "coder"),
        ("Python Programmer", "coder"),
        ("developer", "coder"),
        ("code_writer", "coder"),
        ("tester", "coder"),
        ("search", "researcher"),
        ("writer", "researcher"),
        ("data analyst", "researcher"),
        ("librarian", "researcher"),
        ("hacker", "researcher"),
        ("reviewing", "reviewer"),
    ],
)
def test_a_step_for_an_unknown_agent_goes_to_the_nearest_one(agent: str, role: str) -> None:
    made = mended([draft("c1", "coder"), draft("x1", agent, "c1")], ROLES, GOAL)

    assert made.plan.steps[1].agent == role
    assert made.reasons == (f"Step 'x1' was for {agent!r}, which is no agent; the {role} does it.",)


@pytest.mark.parametrize(
    "agent", ["Researcher agent", "the_researcher", "RESEARCHER", "researcher-2"]
)
def test_words_around_an_agents_name_are_no_other_agent(agent: str) -> None:
    assert shape(draft("r1", agent)) == (["r1:r"], ())


def test_a_step_that_asks_for_a_program_and_names_no_agent_is_the_coders() -> None:
    steps, reasons = shape(draft("x1", "", do="Write a program that sorts a list."))

    assert steps == ["x1:c"]
    assert reasons == ("Step 'x1' named no agent; the coder does it.",)


@pytest.mark.parametrize("agent", ["manager", "summarizer", "Answer"])
def test_a_step_that_only_composes_is_no_step_and_its_needs_are_kept(agent: str) -> None:
    composing = draft("a1", agent, "r1")

    assert shape(draft("r1"), composing, draft("c1", "coder", "a1")) == (["r1:r", "c1:c<r1"], ())


def test_the_last_step_of_the_manager_is_its_answer() -> None:
    assert shape(draft("r1"), draft("a1", "manager")) == (["r1:r"], ())


def test_a_step_that_the_manager_gives_itself_without_needs_is_work() -> None:
    steps, reasons = shape(draft("m1", "manager"), draft("a1", "manager", "m1"))

    assert steps == ["m1:r"]
    assert len(reasons) == 1


def test_an_unknown_need_is_dropped_with_a_reason() -> None:
    steps, reasons = shape(draft("r1"), draft("c1", "coder", "r1", "x9"))

    assert steps == ["r1:r", "c1:c<r1"]
    named = "named a step x9 that the plan doesn't have; it runs without it."
    assert reasons == (f"The plan's step c1 {named}",)


def test_unknown_needs_of_one_step_are_one_reason() -> None:
    _, reasons = shape(draft("r1", "researcher", "x8", "x9"))

    named = "named the steps x8, x9 that the plan doesn't have; it runs without them."
    assert reasons == (f"The plan's step r1 {named}",)


@pytest.mark.parametrize("need", ["r1, r2", "r1 and r2", "R1 r2", "researcher", "1, 2"])
def test_several_needs_may_stand_in_one_text(need: str) -> None:
    drafts = (draft("r1"), draft("r2"), draft("c1", "coder", need))

    assert shape(*drafts) == (["r1:r", "r2:r", "c1:c<r1,r2"], ())


def test_steps_without_ids_are_called_by_their_places() -> None:
    drafts = (draft("", do="find a"), draft("", "coder", "1", do="do b"), draft("", do="find c"))

    assert shape(*drafts) == (["r1:r", "c1:c<r1", "r2:r"], ())


@pytest.mark.parametrize("need", ["none", "None", "n/a", ""])
def test_words_for_nothing_are_no_needs(need: str) -> None:
    assert shape(draft("r1", "researcher", need)) == (["r1:r"], ())


def test_a_step_does_not_wait_for_itself() -> None:
    assert shape(draft("r1", "researcher", "r1")) == (["r1:r"], ())


def test_a_circle_is_broken_at_its_last_need() -> None:
    drafts = (draft("a", "coder", "b"), draft("b", "coder", "c"), draft("c", "coder", "a"))

    steps, reasons = shape(*drafts)

    assert steps == ["a:c<b", "b:c<c", "c:c"]
    assert reasons == ("Step 'c' does not wait for 'a': it would wait for itself.",)


def test_what_an_agent_works_on_is_waited_for() -> None:
    drafts = (draft("r1"), draft("c1", "coder", "r1"), draft("v1", "reviewer", "r1"))

    assert shape(*drafts) == (["r1:r", "c1:c<r1", "v1:r<r1,c1"], ())


def test_a_step_whose_input_nothing_gives_is_left_out() -> None:
    steps, reasons = shape(draft("r1"), draft("v1", "reviewer", "r1"), draft("r2", "x", "v1"))

    assert steps == ["r1:r", "r2:r<r1"]
    assert "Step 'v1' was left out: no step gives it a Program." in reasons


def test_an_overlong_instruction_is_cut() -> None:
    made = mended([draft("r1", do="x" * 3000)], ROLES, GOAL)

    assert len(made.plan.steps[0].instruction) == 2000
    assert made.reasons == ("The instruction of step 'r1' was cut to its first 2,000 characters.",)


def test_a_step_that_says_nothing_is_left_out_and_its_needs_are_kept() -> None:
    empty = Draft("x1", "researcher", "...", ("r1",))

    steps, reasons = shape(draft("r1"), empty, draft("c1", "coder", "x1"))

    assert steps == ["r1:r", "c1:c<r1"]
    assert reasons == ("Step 'x1' was left out: it says nothing to do.",)


def test_a_plan_of_nothing_but_empty_steps_is_none() -> None:
    with pytest.raises(UnsoundPlan):
        mended([Draft("x1", "researcher", "")], ROLES, GOAL)
    with pytest.raises(UnsoundPlan):
        mended([draft("r1")], [Role("manager", "plans")], GOAL)


def test_a_step_that_says_only_what_its_agent_is_for_gets_the_goal() -> None:
    echo = draft("r1", do="Answer the question from the documents of the task.")

    made = mended([echo], ROLES, GOAL)

    assert made.plan.steps == (Step(StepId("r1"), "researcher", GOAL),)
    assert made.reasons == ("Step 'r1' said nothing of the goal; it gets all of it.",)


def test_beside_a_step_that_says_what_to_do_one_that_says_nothing_is_none() -> None:
    program = draft("c1", "coder", do="Write a program that sorts numbers.")
    echo = draft("c2", "coder", "c1", do="Write the Python program.")

    assert shape(program, echo, draft("v1", "reviewer", "c2")) == (["c1:c", "v1:r<c1"], ())


@pytest.mark.parametrize(
    "do", ["Compute 2 + 2.", "Write a Python program about \u5806.", "Sort it."]
)
def test_any_word_or_number_of_its_own_is_an_instruction(do: str) -> None:
    made = mended([draft("c1", "coder", do=do)], ROLES, GOAL)

    assert (made.plan.steps[0].instruction, made.reasons) == (do, ())


NAMES = st.sampled_from(["a", "b", "c", "1", "2", "researcher", "coder", "nobody", ""])
DRAFTS = st.builds(
    Draft,
    NAMES,
    NAMES,
    st.sampled_from(["do a", "do b", ""]),
    st.lists(NAMES, max_size=3).map(tuple),
)


@given(st.lists(DRAFTS, max_size=6))
def test_whatever_was_drafted_what_is_mended_is_sound(drafts: list[Draft]) -> None:
    with suppress(UnsoundPlan):
        assert mended(drafts, ROLES, GOAL).plan.is_sound
