"""Entries as plain values: read as they were written, damage told, newer kinds kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import (
    Deletion,
    Edit,
    EntryBody,
    FieldEdit,
    Resolution,
    Reversal,
    Seal,
    Unread,
    Withdrawal,
    from_plain,
    to_plain,
)
from cluster.kernel.state.values import ABSENT, Value, canonical
from tests.support.state_logs import edit_id, make_edit, make_field, stamp
from tests.support.state_values import VALUES

ID = edit_id("s", 2, generation=3)
BODIES: list[EntryBody] = [
    make_edit(ID, 7, spent=make_field("total", 1, 121), facts=make_field("by_key", {}, {"a": 1})),
    make_edit(ID, 0, draft=make_field("text", "a", "b", default="a")),
    Resolution(ID, stamp(1), 4, "facts", "a", ABSENT),
    Resolution(ID, stamp(1), 4, "verdict", None, None),
    Reversal(ID, stamp(1), 4),
    Deletion(ID, stamp(1)),
    Withdrawal(TaskId("t"), StepId("s"), 2),
    Seal(12),
    Unread("migration", {"type": "migration", "to": 2}),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_an_entry_is_read_as_it_was_written(body: EntryBody) -> None:
    assert from_plain(json.loads(canonical(to_plain(body)))) == body


def test_what_a_newer_version_has_added_to_an_entry_does_not_hinder_reading() -> None:
    plain = to_plain(BODIES[0])
    assert isinstance(plain, dict)

    assert from_plain({**plain, "because": "somebody asked"}) == BODIES[0]


@pytest.mark.parametrize(
    "plain",
    [
        {"type": "edit", "id": ["t", "s", 1, 1], "stamp": [1, 0, "a"]},
        {"type": "edit", "id": ["t", "s", 1], "stamp": [1, 0, "a"], "base": 0, "fields": {}},
        {"type": "edit", "id": ["t", "s", 1, 1], "stamp": [1, 0], "base": 0, "fields": {}},
        {
            "type": "edit",
            "id": ["t", "s", 1, 1],
            "stamp": [1, 0, "a"],
            "base": 0,
            "fields": {"a": {"policy": "total"}},
        },
        {"type": "resolution", "id": ["t", "s", 1, 1], "stamp": [1, 0, "a"], "base": 0},
        {"type": "seal"},
        {"type": 3},
    ],
)
def test_a_damaged_entry_is_told(plain: Value) -> None:
    with pytest.raises(ValueError, match="entry"):
        from_plain(plain)


@given(VALUES)
def test_no_value_is_read_with_another_error(value: Value) -> None:
    with pytest.raises(ValueError, match="entry"):
        from_plain(value)


def test_a_default_that_is_empty_takes_no_room() -> None:
    plain = to_plain(Edit(ID, stamp(1), 0, {"a": FieldEdit("latest", {"new": 1})}))
    assert isinstance(plain, dict)

    assert plain["fields"] == {"a": {"policy": "latest", "delta": {"new": 1}}}
