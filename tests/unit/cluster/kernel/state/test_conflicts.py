"""What a conflict is between, and what is none."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.conflicts import (
    Conflict,
    Sibling,
    conflict_from_plain,
    conflict_of,
    conflict_to_plain,
    place_order,
)
from cluster.kernel.state.stamps import Writer
from cluster.kernel.state.values import ABSENT, Slot, Value
from tests.support.state_logs import stamp

PLACE = ("facts", "a")


def sibling(value: Slot, step: str = "s", version: int = 1) -> Sibling:
    return Sibling(value, Writer(stamp(version), version, TaskId("t"), StepId(step)))


def values(conflict: Conflict | None) -> list[Slot]:
    return [each.value for each in conflict.siblings] if conflict else []


def test_different_values_of_two_steps_are_a_conflict() -> None:
    assert values(conflict_of(PLACE, [sibling(1, "s"), sibling(2, "r")])) == [1, 2]


@pytest.mark.parametrize("others", [[], [sibling(1, "r")]])
def test_one_value_is_none_whoever_wants_it(others: list[Sibling]) -> None:
    assert conflict_of(PLACE, [sibling(1, "s"), *others]) is None


def test_a_removal_is_a_value_of_its_own() -> None:
    assert values(conflict_of(PLACE, [sibling(None), sibling(ABSENT, "r")])) == [None, ABSENT]


def test_a_step_s_later_value_stands_for_its_earlier_one() -> None:
    siblings = [sibling(0), sibling(1, "a", 2), sibling(2, "b", 3), sibling(3, "a", 4)]

    assert values(conflict_of(PLACE, siblings)) == [0, 2, 3]


def test_a_step_that_came_round_to_what_shows_has_no_conflict() -> None:
    assert conflict_of(PLACE, [sibling(0), sibling(1, "a", 2), sibling(0, "a", 3)]) is None


@pytest.mark.parametrize("key", [None, "a"])
def test_a_conflict_is_read_as_it_was_written(key: str | None) -> None:
    conflict = Conflict("facts", key, (sibling({"x": 1}), sibling(ABSENT, "r"), sibling(None, "q")))

    assert conflict_from_plain(conflict_to_plain(conflict)) == conflict


@pytest.mark.parametrize(
    "plain",
    [
        None,
        {},
        {"field": "a", "key": None, "siblings": []},
        {"field": "a", "key": 1, "siblings": [1, 2]},
        {"field": "a", "key": None, "siblings": [1, 2]},
    ],
)
def test_a_damaged_conflict_is_told(plain: Value) -> None:
    with pytest.raises(ValueError, match="not a"):
        conflict_from_plain(plain)


def test_a_whole_field_comes_before_its_keys() -> None:
    places = [("b", None), ("a", "x"), ("a", None), ("a", "")]

    assert sorted(places, key=place_order) == [("a", None), ("a", ""), ("a", "x"), ("b", None)]
