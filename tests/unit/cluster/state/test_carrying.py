"""What a program does not know of a value stays in it."""

from __future__ import annotations

from hypothesis import given

from cluster.kernel.state.values import Value, is_same
from cluster.state.carrying import carried
from tests.support.state_values import VALUES


@given(VALUES, VALUES)
def test_a_program_that_knows_all_of_a_value_writes_what_it_made(old: Value, new: Value) -> None:
    assert is_same(carried(old, old, new), new)


@given(VALUES, VALUES)
def test_what_has_not_been_changed_is_the_very_object_that_it_was(old: Value, seen: Value) -> None:
    assert carried(old, seen, seen) is old


def test_what_the_program_never_saw_stays_beside_what_it_changed() -> None:
    old: Value = {"a": {"text": "old", "score": 3}, "b": {"text": "b", "score": 4}}
    seen: Value = {"a": {"text": "old"}, "b": {"text": "b"}}

    made = carried(old, seen, {"a": {"text": "new"}, "c": {"text": "c"}})

    assert made == {"a": {"text": "new", "score": 3}, "c": {"text": "c"}}


def test_items_that_have_moved_keep_what_the_program_never_saw_of_them() -> None:
    old: Value = [{"text": "a", "score": 1}, {"text": "b", "score": 2}]
    seen: Value = [{"text": "a"}, {"text": "b"}]

    made = carried(old, seen, [{"text": "b"}, {"text": "c"}, {"text": "d"}])

    assert made == [{"text": "b", "score": 2}, {"text": "c"}, {"text": "d"}]


def test_an_item_changed_in_its_place_keeps_what_the_program_never_saw_of_it() -> None:
    old: Value = [{"text": "a", "score": 1}]

    assert carried(old, [{"text": "a"}], [{"text": "z"}]) == [{"text": "z", "score": 1}]
