"""Workflows on the command line: what is submitted, what a dry run prints, how a plan is saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import Workflow
from cluster.kernel.errors import PlacementError
from cluster.kernel.events import Failed, PlanReady, Submitted
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Failure, Plan, Step
from tests.support.scripted_link import ANSWERED, ScriptedLink, event
from tests.unit.cluster.cli.test_run import Ran

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "workflows" / "compare.toml"
LOOK = Step(StepId("look"), "researcher", "What is lists?", expected_s=4.0)
WRITE = Step(StepId("write"), "coder", "Print it.", (LOOK.id,), ("researcher",), expected_s=2.5)
PLAN = Plan((LOOK, WRITE))
FILE = """
goal = "Show {topic}."
[inputs.topic]
[[steps]]
id = "look"
agent = "researcher"
instruction = "What is {topic}?"
expected_s = 4
[[steps]]
id = "write"
agent = "coder"
instruction = "Print it."
needs = ["look"]
alternatives = ["researcher"]
expected_s = 2.5
"""
GIVEN = ("--workflow", "f.toml", "--input", "topic=lists")


@pytest.fixture(autouse=True)
def workflow_file() -> None:
    Path("f.toml").write_text(FILE, encoding="utf-8")


def test_the_steps_of_the_file_and_its_goal_are_submitted() -> None:
    link = ScriptedLink()

    ran = Ran(link, *GIVEN)

    assert (ran.exit_code, ran.out) == (0, "It is 42.\n")
    assert (link.goals, link.workflows) == (["Show lists."], [PLAN])


def test_a_goal_on_the_command_line_goes_before_that_of_the_file() -> None:
    link = ScriptedLink()

    Ran(link, "why?", *GIVEN)

    assert (link.goals, link.workflows) == (["why?"], [PLAN])


def test_a_dry_run_prints_the_schedule_and_starts_nothing() -> None:
    ran = Ran(ScriptedLink(refusal=PlacementError("it was started")), *GIVEN, "--dry-run")

    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "Goal: Show lists.",
        "",
        "  starts      ends    step   agent             needs",
        "   0.00s     4.00s  * look   researcher",
        "   4.00s     6.50s  * write  coder/researcher  look",
        "",
        "Critical path: look -> write",
        "Predicted time: 6.50 s, then the Manager writes the answer",
    ]


def test_a_dry_run_of_a_broadcast_task_starts_all_at_once() -> None:
    ran = Ran(ScriptedLink(), *GIVEN, "--dry-run", "--coherence", "broadcast", "--json")

    told = json.loads(ran.out)
    assert [(step["id"], step["starts_s"], step["ends_s"]) for step in told["steps"]] == [
        ("look", 0.0, 4.0),
        ("write", 0.0, 4.0),
    ]
    assert (told["critical_path"], told["predicted_s"]) == (["look", "write"], 4.0)


def test_a_dry_run_says_of_which_step_it_is_not_known_how_long_it_takes() -> None:
    Path("f.toml").write_text(FILE.replace("expected_s = 4", ""), encoding="utf-8")

    ran = Ran(ScriptedLink(), *GIVEN, "--dry-run")

    assert ran.out.splitlines()[3:5] == [
        "   0.00s         ?  * look   researcher",
        "       ?         ?  * write  coder/researcher  look",
    ]
    assert ran.out.endswith(
        "Predicted time: at least 2.50 s, then the Manager writes the answer; it is not said how "
        "long look takes (expected_s)\n"
    )


def test_a_dry_run_predicts_nothing_of_steps_of_which_nobody_says_how_long_they_take() -> None:
    saved = FILE.replace("expected_s = 4\n", "").replace("expected_s = 2.5\n", "")
    Path("f.toml").write_text(saved, encoding="utf-8")

    ran = Ran(ScriptedLink(), *GIVEN, "--dry-run")

    assert ran.out.splitlines()[-1] == (
        "Predicted time: not known, for it is not said how long any step takes (expected_s)"
    )


def test_a_dry_run_notes_that_an_agent_is_not_among_the_settings() -> None:
    Path("f.toml").write_text(FILE.replace('agent = "res', 'agent = "x_res'), encoding="utf-8")

    ran = Ran(ScriptedLink(), *GIVEN, "--dry-run")

    assert ran.exit_code == 0
    assert "step look is for the agent x_researcher, which this cluster doesn't have" in ran.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--workflow", "f.toml"], "f.toml: the input topic has no default and is not given"),
        (["--workflow", "none.toml"], "none.toml can't be read"),
        ([*GIVEN, "--input", "x"], "--input: 'x' is not written NAME=VALUE"),
        ([*GIVEN, "--input", "topic=x"], "--input: topic is given twice"),
        ([*GIVEN, "--input", "topik=x"], "f.toml: 'topik' is no input of it, did you mean topic?"),
        ([*GIVEN, "--save-plan", "p.toml"], "--save-plan saves the plan that a model makes; with"),
        (["why?", "--dry-run"], "--dry-run is of a workflow: give --workflow FILE too"),
        (["why?", "--input", "a=b"], "--input is of a workflow: give --workflow FILE too"),
        (["why?", "--save-plan", "no/p.toml"], "--save-plan: no/p.toml can't be written"),
        (["why?", "--save-plan", "."], "--save-plan: . can't be written"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments: list[str], complaint: str) -> None:
    link = ScriptedLink()

    ran = Ran(link, *arguments)

    assert ran.exit_code == 2
    assert complaint in ran.err
    assert link.goals == []


def test_a_file_without_a_goal_wants_one_on_the_command_line() -> None:
    Path("f.toml").write_text(FILE.replace('goal = "Show {topic}."', ""), encoding="utf-8")

    ran = Ran(ScriptedLink(), *GIVEN)

    assert (ran.exit_code, ran.out) == (2, "")
    assert "f.toml: goal is missing: give one here, or with the command" in ran.err


PLANNED = (event(0.0, Submitted("Show {it}.")), event(0.2, PlanReady(PLAN)))


def test_a_plan_that_a_model_made_is_saved_and_runs_again() -> None:
    Ran(ScriptedLink((*PLANNED, *ANSWERED)), "Show {it}.", "--save-plan", "plan.toml")
    link = ScriptedLink()

    Ran(link, "--workflow", "plan.toml")

    assert (link.goals, link.workflows) == (["Show {it}."], [PLAN])


def test_the_plan_of_a_task_that_failed_is_saved_too() -> None:
    failed = event(0.3, Failed(Failure("internal", "it went wrong")))

    ran = Ran(ScriptedLink((*PLANNED, failed)), "why?", "--save-plan", "plan.toml")

    assert ran.exit_code == 1
    assert Workflow.load("plan.toml").plan == PLAN


def test_what_can_not_be_saved_is_a_note_beside_the_answer() -> None:
    ran = Ran(ScriptedLink(), "why?", "--save-plan", "plan.toml")

    assert (ran.exit_code, ran.out) == (0, "It is 42.\n")
    assert "fleetmind: --save-plan: the task ended before it had a plan\n" in ran.err
    assert not Path("plan.toml").exists()


def test_progress_does_not_say_that_somebody_plans() -> None:
    submitted = event(0.0, Submitted("why?", workflow=PLAN))

    ran = Ran(ScriptedLink((submitted, *ANSWERED)), *GIVEN)

    assert "   0.00s manager-0 taking the declared steps" in ran.err.splitlines()


def test_the_example_has_a_schedule_and_its_inputs_are_used() -> None:
    example = Workflow.load(EXAMPLE, second="sorting")

    assert example.goal.startswith("Compare heaps with sorting: ")
    assert example.forecast().predicted_s == 12.0
    assert example.forecast().critical_path[-1] == "program"
