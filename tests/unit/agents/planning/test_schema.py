"""The schema that local models are held to: bounded, so that a plan comes to its end."""

from __future__ import annotations

from typing import Any

import pytest

from agents.planning.schema import plan_schema
from cluster.kernel.tasks import Role

ROLES = (Role("manager", "plans"), Role("researcher", "finds"), Role("poet", "rhymes"))


def bounds(tokens_max: int) -> tuple[int, int]:
    """The greatest number of steps, and the greatest length of an instruction."""
    schema: Any = plan_schema(ROLES, tokens_max)
    steps = schema["properties"]["steps"]
    return steps["maxItems"], steps["items"]["properties"]["instruction"]["maxLength"]


def test_a_step_is_for_one_of_the_agents_there_are() -> None:
    schema: Any = plan_schema(ROLES, 2000)

    step = schema["properties"]["steps"]["items"]
    assert step["properties"]["agent"]["enum"] == ["researcher", "poet"]
    assert step["required"] == ["id", "agent", "instruction", "needs"]


@pytest.mark.parametrize(
    ("tokens_max", "expected"), [(2000, (4, 300)), (200, (3, 124)), (120, (2, 100)), (10, (1, 40))]
)
def test_a_plan_fits_into_the_tokens_there_are(tokens_max: int, expected: tuple[int, int]) -> None:
    assert bounds(tokens_max) == expected
