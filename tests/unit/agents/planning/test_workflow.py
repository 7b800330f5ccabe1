"""The plan that needs no model, and the Coder that a plan must not lack."""

from __future__ import annotations

import pytest

from agents.planning.workflow import (
    covers,
    idle_agents,
    standard_workflow,
    with_coder,
    with_question,
)
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Role, Step

RESEARCHER = Role("researcher", "finds")
CODER = Role("coder", "programs")
REVIEWER = Role("reviewer", "reviews", ("Program",))
CRITIC = Role("critic", "criticises", ("Finding",))
ROLES = (RESEARCHER, CODER, REVIEWER)


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


def test_own_agents_that_could_have_had_a_step_are_idle_without_one() -> None:
    asked_by_others = Role("scale", "weighs", ("Weight",))
    plan = Plan((Step(StepId("r1"), "researcher", "read"),))

    idle = idle_agents(plan, (*ROLES, CRITIC, asked_by_others))

    assert idle.names == ("reviewer", "critic")
    assert str(idle) == (
        "No step of the plan is for the agents reviewer and critic, which are your own."
    )
    assert str(idle_agents(plan, (RESEARCHER, CODER))) == ""


def test_a_research_step_that_says_less_than_the_question_asks_the_question_itself() -> None:
    goal = "What does a TaskGroup do when a task fails? Show a program that prints it."
    short = Plan((Step(StepId("r1"), "researcher", "What is a TaskGroup?"),))

    (step,) = with_question(short, goal).steps

    assert step.instruction == "What does a TaskGroup do when a task fails?"


def test_a_research_step_that_names_nothing_asks_the_question() -> None:
    plan = Plan((Step(StepId("r1"), "researcher", "Computes or shows something."),))

    (step,) = with_question(plan, "What is a heap?").steps

    assert step.instruction == "What is a heap?"


def test_a_research_step_that_says_more_keeps_its_words() -> None:
    goal = "What does a TaskGroup do when a task fails?"
    plan = Plan((Step(StepId("r1"), "researcher", "Find how the group cancels its tasks."),))

    assert with_question(plan, goal) is plan


def test_a_sealed_research_step_keeps_its_words() -> None:
    plan = Plan((Step(StepId("r1"), "researcher", "Computes or shows something."),))

    assert with_question(plan, "What is a heap?", {StepId("r1")}) is plan


@pytest.mark.parametrize(
    ("instruction", "is_covered"),
    [
        ("Find out what a TaskGroup does when one of its tasks fails.", True),
        ("What is a TaskGroup?", False),
    ],
)
def test_an_instruction_covers_a_goal_whose_question_has_no_other_subject(
    instruction: str,
    is_covered: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    goal = "What does a TaskGroup do when a task fails? Show a program that prints it."

    assert covers(instruction, goal) == is_covered
