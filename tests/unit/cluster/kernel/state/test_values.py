"""Plain values: what is equal has equal bytes, and what JSON can't write is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.errors import UsageError
from cluster.kernel.state.values import (
    ABSENT,
    DEPTH_MAX,
    INT_BITS_MAX,
    Value,
    as_dict,
    canonical,
    checked,
    copied,
    is_same,
    replaced,
)
from tests.support.state_values import DICTS, VALUES


def nested(depth: int) -> Value:
    value: Value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_the_order_of_keys_is_no_part_of_a_value() -> None:
    assert canonical({"b": 1, "a": [True, None]}) == b'{"a":[true,null],"b":1}'
    assert is_same({"b": 1, "a": 2}, {"a": 2, "b": 1})


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), (None, False)])
def test_what_python_takes_for_equal_is_kept_apart(one: Value, other: Value) -> None:
    for wrapped in (lambda each: each, lambda each: [each], lambda each: {"a": each}):
        assert not is_same(wrapped(one), wrapped(other))
        assert canonical(wrapped(one)) != canonical(wrapped(other))


@given(VALUES, VALUES)
def test_values_are_the_same_exactly_where_their_bytes_are(one: Value, other: Value) -> None:
    assert is_same(one, other) is (canonical(one) == canonical(other))


@given(VALUES)
def test_canonical_bytes_say_all_of_a_value(value: Value) -> None:
    assert is_same(json.loads(canonical(value)), value)


@given(VALUES)
def test_a_copy_is_equal_and_is_the_editor_s_own(value: Value) -> None:
    copy = copied(value)

    assert is_same(copy, value)
    assert copy is not value or not isinstance(value, list | dict)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        (1, 2),
        {1, 2},
        b"bytes",
        {1: "a key that is no text"},
        {"a": [object()]},
        "half a character: \ud800",
        {"\udfff": 1},
        1 << INT_BITS_MAX,
        nested(DEPTH_MAX + 1),
    ],
)
def test_what_json_can_not_write_is_refused(value: object) -> None:
    with pytest.raises(UsageError):
        checked(value)


@given(VALUES)
def test_a_plain_value_passes_as_it_is(value: Value) -> None:
    assert checked(value) is value


@given(VALUES, VALUES)
def test_a_plain_value_passes_beside_any_other(was: Value, now: Value) -> None:
    assert checked(now, was) is now


@pytest.mark.parametrize("bad", [float("nan"), object(), "\ud800", 1 << INT_BITS_MAX, {1: 2}])
@pytest.mark.parametrize(
    "around",
    [
        lambda each: each,
        lambda each: [1, each],
        lambda each: {"a": [each]},
        lambda each: {"b": each},
    ],
)
def test_what_an_edit_puts_into_a_checked_value_is_refused(
    bad: object, around: Callable[[object], object]
) -> None:
    was: dict[str, object] = {"a": [1], "c": 2}
    for now in (around(bad), {**was, "c": around(bad)}):
        for before in (was, around(1), {"a": 1, "c": around(2)}, ABSENT):
            with pytest.raises(UsageError):
                checked(now, before)


def test_a_value_is_not_too_deep_where_it_was_not() -> None:
    was, now = nested(DEPTH_MAX), nested(DEPTH_MAX + 1)
    with pytest.raises(UsageError):
        checked(now, was)
    assert checked(nested(DEPTH_MAX), was) == was


def test_the_deepest_value_that_is_allowed_passes() -> None:
    assert canonical(checked(nested(DEPTH_MAX))).startswith(b"[[[")


def test_what_should_be_a_dict_and_is_none_is_damage() -> None:
    with pytest.raises(ValueError, match="dict"):
        as_dict([1])


@given(DICTS, DICTS, st.integers(0, 1))
def test_what_was_put_into_a_dict_is_told_from_what_was_there(
    old: dict[str, Value], put: dict[str, Value], removed: int
) -> None:
    now = dict(list(old.items())[removed:]) | put

    assert set(replaced(old, now)) == {
        key for key in now if key not in old or now[key] is not old[key]
    }
