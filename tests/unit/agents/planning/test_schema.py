"""The schema that local models are held to: bounded, so that a plan comes to its end."""

from __future__ import annotations

from typing import Any

import pytest

from agents.planning.schema import plan_schema, rest_schema
from cluster.kernel.vocabulary import Role

ROLES = (Role("manager", "plans"), Role("researcher", "finds"), Role("poet", "rhymes"))


GOAL = "What is a heap? When is it slow? What else is there? Write a program that shows one."


def bounds(tokens_max: int, goal: str = GOAL) -> tuple[int, int]:
    """The greatest number of steps, and the greatest length of an instruction."""
    schema: Any = plan_schema(goal, ROLES, tokens_max)
    steps = schema["properties"]["steps"]
    return steps["maxItems"], steps["items"]["properties"]["instruction"]["maxLength"]


def test_a_step_is_for_one_of_the_agents_there_are() -> None:
    schema: Any = plan_schema(GOAL, ROLES, 2000)

    step = schema["properties"]["steps"]["items"]
    assert step["properties"]["agent"]["enum"] == ["researcher", "poet"]
    assert step["required"] == ["id", "agent", "instruction", "needs"]


@pytest.mark.parametrize(
    ("tokens_max", "expected"), [(2000, (4, 300)), (200, (3, 124)), (120, (2, 100)), (10, (1, 40))]
)
def test_a_plan_fits_into_the_tokens_there_are(tokens_max: int, expected: tuple[int, int]) -> None:
    assert bounds(tokens_max) == expected


@pytest.mark.parametrize(
    ("goal", "steps"),
    [
        ("What is a heap?", 1),
        ("What is a heap? When is it slow?", 2),
        ("What is a heap? Count the words of this.", 3),
    ],
)
def test_there_is_room_for_a_step_a_question_and_one_for_the_program(goal: str, steps: int) -> None:
    schema: Any = plan_schema(goal, ROLES[:2], 2000)

    assert schema["properties"]["steps"]["maxItems"] == steps


def test_where_a_program_is_asked_for_the_last_step_is_the_coders() -> None:
    roles = (Role("researcher", "finds"), Role("coder", "programs"))

    schema: Any = plan_schema(GOAL, roles, 2000)

    agents = [
        step["properties"]["agent"]["enum"] for step in schema["properties"]["steps"]["prefixItems"]
    ]
    assert agents == [["researcher"]] * 3 + [["coder"]]


def test_the_rest_of_a_plan_may_be_nothing() -> None:
    schema: Any = rest_schema(ROLES, 2000)

    steps = schema["properties"]["steps"]
    assert (steps["minItems"], steps["maxItems"]) == (0, 4)
    assert steps["items"]["properties"]["agent"]["enum"] == ["researcher", "poet"]
