"""The eight policies: their laws, and what each says of two changes at once."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cluster.kernel.errors import UsageError
from cluster.kernel.state.merging import CannotMerge, Clash, FieldDelta, Merged, Rank
from cluster.kernel.state.policies import POLICIES
from cluster.kernel.state.values import ABSENT, Value, canonical, is_same
from tests.support.state_values import KINDS

CHANGES = st.sampled_from([*KINDS]).flatmap(
    lambda name: st.tuples(st.just(name), st.none() | KINDS[name], KINDS[name])
)
"""A policy, a base and a value made of it."""


def delta_of(name: str, base: Value, mine: Value) -> FieldDelta:
    delta = POLICIES[name].difference(base, mine)
    assert delta is not None
    return delta


def changed(name: str, base: Value, mine: Value) -> FieldDelta | None:
    """A delta, or None where there is none, or can be none."""
    try:
        return POLICIES[name].difference(base, mine)
    except UsageError:
        return None


def in_canonical_order(name: str, value: Value) -> Value:
    """What a list without an order is, whoever wrote it."""
    if name != "union" or not isinstance(value, list):
        return value
    by_bytes = {canonical(each): each for each in value}
    return [by_bytes[key] for key in sorted(by_bytes)]


def merge(name: str, base: Value, mine: Value, theirs: Value) -> Merged:
    """Two changes of one base, theirs first in the log."""
    first = POLICIES[name].merge(base, delta_of(name, base, theirs))
    return POLICIES[name].merge(first.value, delta_of(name, base, mine))


@given(CHANGES)
def test_a_change_of_what_nobody_else_has_changed_is_what_its_author_saw(
    change: tuple[str, Value, Value],
) -> None:
    name, base, mine = change
    delta = changed(name, base, mine)
    assume(delta is not None)
    assert delta is not None

    made = POLICIES[name].merge(in_canonical_order(name, base), delta)

    assert is_same(made.value, in_canonical_order(name, mine))
    assert made.clashes == ()


@given(CHANGES)
def test_the_same_change_twice_is_one_but_for_totals_and_appends(
    change: tuple[str, Value, Value],
) -> None:
    name, base, mine = change
    delta = changed(name, base, mine)
    assume(delta is not None and name not in {"total", "append"})
    assert delta is not None

    made = POLICIES[name].merge(in_canonical_order(name, mine), delta)

    assert is_same(made.value, in_canonical_order(name, mine))
    assert made.clashes == ()


@given(CHANGES)
def test_there_is_no_delta_exactly_where_nothing_was_changed(
    change: tuple[str, Value, Value],
) -> None:
    name, _, mine = change

    assert POLICIES[name].difference(mine, mine) is None
    assert changed(name, mine, in_canonical_order(name, mine)) is None


@given(st.integers(), st.integers(), st.integers())
def test_increments_of_a_total_both_count_in_either_order(base: int, one: int, two: int) -> None:
    assume(base not in {one, two})

    assert merge("total", base, one, two) == merge("total", base, two, one)
    assert merge("total", base, one, two).value == one + two - base
    assert merge("total", base, one, one).value == 2 * one - base


@given(st.sampled_from(["union", "maximum"]).flatmap(
    lambda name: st.tuples(st.just(name), *[KINDS[name]] * 3)
))  # fmt: skip
def test_set_like_policies_do_not_mind_the_order(change: tuple[str, Value, Value, Value]) -> None:
    name, base, one, two = change
    assume(changed(name, base, one) is not None and changed(name, base, two) is not None)

    assert is_same(merge(name, base, one, two).value, merge(name, base, two, one).value)


@given(st.lists(KINDS["by_key"], min_size=3, max_size=3))
def test_changes_of_different_keys_do_not_mind_the_order(dicts: list[Value]) -> None:
    base, one, two = (each for each in dicts if isinstance(each, dict))
    mine = {**base, **{f"{key}1": value for key, value in one.items()}}
    theirs = {**base, **{f"{key}2": value for key, value in two.items()}}
    assume(len(mine) > len(base) < len(theirs))

    made = merge("by_key", base, mine, theirs)

    assert is_same(made.value, {**mine, **theirs})
    assert is_same(made.value, merge("by_key", base, theirs, mine).value)


def test_a_removal_against_an_edit_of_the_same_key_is_a_conflict() -> None:
    base: Value = {"a": 1, "b": 2}

    edited = merge("by_key", base, {"b": 2}, {"a": 9, "b": 2})
    removed = merge("by_key", base, {"a": 9, "b": 3}, {"b": 2})

    assert edited == Merged({"a": 9, "b": 2}, (Clash("a", ABSENT),), ())
    assert removed == Merged({"b": 3}, (Clash("a", 9),), ("b",))


def test_a_nested_dict_is_one_value() -> None:
    made = merge("by_key", {}, {"a": {"x": 1}}, {"a": {"y": 1}})

    assert made.clashes == (Clash("a", {"x": 1}),)


def test_all_readers_go_through_new_keys_in_the_same_order() -> None:
    made = merge("by_key", {}, {"d": 1, "c": 1, "b": 1, "a": 1}, {"x": 1})

    assert isinstance(made.value, dict)
    assert [*made.value] == ["x", "a", "b", "c", "d"]


def test_a_delta_by_key_carries_only_the_keys_that_changed() -> None:
    base: Value = {f"key{number}": "x" * 100 for number in range(100)}
    assert isinstance(base, dict)

    delta = delta_of("by_key", base, {**base, "key7": "y"})

    assert delta == {"base": {"key7": "x" * 100}, "new": {"key7": "y"}}


def test_adding_wins_over_removing_in_a_union() -> None:
    moved = POLICIES["union"].merge(["a", "b"], {"added": ["b"], "removed": ["b", "a"]})

    assert merge("union", ["a", "b"], ["b", "c"], ["a"]).value == ["c"]
    assert moved.value == ["b"]


def test_both_appends_are_there_in_the_order_of_the_log() -> None:
    assert merge("append", [1], [1, 2], [1, 3]).value == [1, 3, 2]
    assert merge("append", [1], [1, 2], [1, 2]).value == [1, 2, 2]


def test_a_total_that_no_float_can_hold_is_a_conflict() -> None:
    made = merge("total", 0.0, 1.5e308, 1.6e308)

    assert made == Merged(1.6e308, (Clash(None, 1.5e308),), is_written=False)


def test_a_maximum_that_is_lowered_stays() -> None:
    assert POLICIES["maximum"].difference(7, 3) is None
    assert merge("maximum", None, 3, 7).value == 7


def test_the_later_stamp_wins_wherever_it_stands_in_the_log() -> None:
    delta = delta_of("latest", "old", "new")

    assert POLICIES["latest"].merge("other", delta, Rank.LATER).value == "new"
    assert not POLICIES["latest"].merge("other", delta, Rank.EARLIER).is_written


def test_an_agent_s_later_stamp_does_not_undo_what_a_person_wrote_meanwhile() -> None:
    made = POLICIES["latest"].merge("stop", delta_of("latest", "old", "go"), Rank.DISPUTED)

    assert made == Merged("stop", (Clash(None, "go"),), is_written=False)


def test_different_values_of_two_are_siblings() -> None:
    assert merge("siblings", None, "yes", "no").clashes == (Clash(None, "yes"),)


def test_texts_that_meet_are_siblings_as_wholes() -> None:
    made = merge("text", "a\nb\n", "A\nb\n", "x\nb\n")

    assert made == Merged("x\nb\n", (Clash(None, "A\nb\n"),), is_written=False)


def test_the_delta_of_a_text_has_its_base_once_and_the_stretch_that_differs() -> None:
    assert delta_of("text", "one two three", "one 2 three") == {
        "base": "one two three",
        "cut": [4, 7],
        "put": "2",
    }


@pytest.mark.parametrize(
    ("name", "base", "mine"),
    [
        ("append", [1, 2], [1]),
        ("append", [1], [2, 1]),
        ("append", "a", "ab"),
        ("by_key", None, [1]),
        ("union", [], {"a": 1}),
        ("text", "", 7),
        ("total", 0, True),
        ("total", "a", 1),
        ("maximum", 1, "a"),
        ("maximum", None, {"a": 1}),
        ("maximum", None, True),
        ("latest", None, float("nan")),
        ("total", 0, float("inf")),
    ],
)
def test_what_a_policy_has_no_way_to_is_refused(name: str, base: Value, mine: Value) -> None:
    with pytest.raises(UsageError):
        POLICIES[name].difference(base, mine)


@pytest.mark.parametrize(
    ("name", "mine"),
    [("by_key", {"a": 1}), ("union", [1]), ("append", [1]), ("text", "a"), ("total", 1)],
)
def test_a_field_that_has_become_of_another_type_keeps_both(name: str, mine: Value) -> None:
    made = POLICIES[name].merge({"x": 1} if name != "by_key" else "x", delta_of(name, None, mine))

    assert made.clashes == (Clash(None, mine),)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("delta", [{}, {"base": 1, "cut": 1, "added": 1, "items": 1}])
def test_a_delta_of_another_policy_is_told_from_its_own(name: str, delta: FieldDelta) -> None:
    with pytest.raises(CannotMerge):
        POLICIES[name].merge(None, delta)
