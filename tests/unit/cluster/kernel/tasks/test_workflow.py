"""What a declared plan must be: a fault is one sentence with the step, the key and the bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.tasks.workflow import check_staffed, check_workflow
from cluster.kernel.vocabulary import Plan, Role, Step


def step(name: str, *needs: str, agent: str = "researcher") -> Step:
    return Step(StepId(name), agent, f"do {name}", tuple(map(StepId, needs)))


A, B = step("a"), step("b", "a", agent="coder")
LONG = replace(A, instruction="x" * 10_000)


def complaint_of(*steps: Step) -> str:
    with pytest.raises(UsageError) as caught:
        check_workflow(Plan(steps), "f.toml")
    said = str(caught.value)
    assert said.startswith("f.toml: ")
    assert len(said) < 400
    return said


def test_steps_in_any_order_and_with_all_they_may_say_are_a_workflow() -> None:
    told = replace(A, alternatives=("coder",), allowed_s=5.0, expected_s=5.0, is_pure=True)

    check_workflow(Plan((B, told, step("c", "a", "b"))))


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ((), "steps must be 1 to 200, not 0"),
        (tuple(step(f"s{n}") for n in range(201)), "steps must be 1 to 200, not 201"),
        ((step("-a"),), "steps.1.id: '-a' is no id of a step; allowed are up to 40 letters"),
        ((step("a" * 41),), "is no id of a step"),
        ((A, step("plan")), "steps.2.id: 'plan' is a step of the Manager's own"),
        ((A, B, A), "steps.3.id: 'a' is the id of two steps: each has its own"),
        ((step("a", agent="A b"),), "steps.a.agent: 'A b' is no name of a role; allowed are"),
        ((step("a", agent="manager"),), "steps.a.agent: the manager composes the answer by itself"),
        ((replace(A, alternatives=("x", "x")),), "steps.a.alternatives: each role is named once"),
        ((replace(A, alternatives=("researcher",)),), "and not the step's own 'researcher'"),
        ((replace(A, alternatives=("manager",)),), "steps.a.alternatives: the manager composes"),
        ((replace(A, instruction=" \n"),), "steps.a.instruction is empty: say what the agent"),
        ((replace(A, instruction="x" * 10_001),), "has 10001 characters, 10000 are allowed: put"),
        (
            tuple(replace(LONG, id=StepId(f"s{n}")) for n in range(51)),
            "the instructions have 510000 characters together, 500000 are allowed",
        ),
        ((replace(A, allowed_s=-1.0),), "steps.a.deadline_s: -1.0 is no number of seconds above 0"),
        ((replace(A, expected_s=math.nan),), "steps.a.expected_s: nan is no number of seconds"),
        (
            (replace(A, allowed_s=2.0, expected_s=3.0),),
            "steps.a.expected_s: 3 s is more than its deadline_s of 2",
        ),
        ((A, step("b", "x")), "steps.b.needs: 'x' is no step; there are a"),
        ((A, step("b", "a", "a")), "steps.b.needs: each step is named once"),
        ((step("a", "a"),), "steps.a.needs go in a circle: a needs a"),
        ((step("a", "b"), step("b", "c"), step("c", "a")), "a needs b needs c needs a"),
        (
            tuple(step(f"s{n}", f"s{(n + 1) % 90}") for n in range(90)),
            "go in a circle of 90 steps",
        ),
    ],
)
def test_a_fault_is_one_sentence(steps: tuple[Step, ...], complaint: str) -> None:
    assert complaint in complaint_of(*steps)


def test_of_a_long_name_only_the_beginning_is_shown() -> None:
    assert f"needs: '{'x' * 60}...' is no step" in complaint_of(A, step("b", "x" * 100_000))


def test_of_many_steps_only_some_are_listed() -> None:
    steps = [step(f"s{n}") for n in range(60)]

    assert complaint_of(*steps, step("z", "y")).endswith("s18, s19 and 40 more")


ROLES = (Role("manager", ""), Role("coder", ""), Role("researcher", ""))


def test_a_step_for_a_role_that_nobody_has_is_named_with_those_there_are() -> None:
    other = replace(A, agent="reviewer", alternatives=("critic",))

    with pytest.raises(UsageError) as caught:
        check_staffed(Plan((B, other)), ROLES)

    assert str(caught.value) == (
        "the workflow's step a is for the agent reviewer or critic, which this cluster doesn't "
        "have; it has coder, researcher"
    )


def test_an_alternative_is_enough() -> None:
    check_staffed(Plan((replace(A, agent="reviewer", alternatives=("critic", "coder")),)), ROLES)
