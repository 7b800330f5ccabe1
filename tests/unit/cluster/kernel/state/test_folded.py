"""Snapshots of a document: read as they were written, equal where the documents are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.attempts import Attempts
from cluster.kernel.state.conflicts import Conflict, Sibling
from cluster.kernel.state.folded import EMPTY, Folded
from cluster.kernel.state.stamps import Writer
from cluster.kernel.state.values import Value, canonical
from tests.support.state_logs import edit_id, stamp
from tests.support.state_values import VALUES

ONE = Writer(stamp(1), 1, TaskId("t"), StepId("s"))
OTHER = Writer(stamp(2), 2, TaskId("t"), StepId("r"))


def make_folded() -> Folded:
    attempts = Attempts()
    attempts.admit(edit_id("s"))
    conflict = Conflict("facts", "a", (Sibling(1, ONE), Sibling(2, OTHER)))
    return Folded(
        2,
        {"facts": {"a": 1, "b": None}, "gone from the program": [1]},
        {("facts", None): OTHER, ("facts", "a"): ONE, ("facts", "b"): OTHER},
        {("facts", "a"): conflict},
        attempts,
    )


def test_a_snapshot_is_read_as_it_was_written() -> None:
    folded = make_folded()
    bytes_ = canonical(folded.to_plain())

    again = Folded.from_plain(json.loads(bytes_))

    assert canonical(again.to_plain()) == bytes_
    assert (again.fields, again.writers, again.conflicts) == (
        folded.fields,
        folded.writers,
        folded.conflicts,
    )


def test_the_order_in_which_places_were_written_is_no_part_of_it() -> None:
    folded = make_folded()
    turned = dict(reversed([*folded.writers.items()]))
    other = Folded(2, folded.fields, turned, folded.conflicts, folded.attempts)

    assert canonical(other.to_plain()) == canonical(folded.to_plain())


def test_an_empty_document_is_one_too() -> None:
    assert Folded.from_plain(EMPTY.to_plain()).version == 0


@given(VALUES)
def test_what_is_no_snapshot_is_told(value: Value) -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        Folded.from_plain(value)


@pytest.mark.parametrize("place", [["facts", None, 2], ["facts", 1, 0], ["facts", None, -1], 7])
def test_a_place_of_nobody_is_damage(place: Value) -> None:
    plain = make_folded().to_plain()
    assert isinstance(plain, dict)

    with pytest.raises(ValueError, match="place"):
        Folded.from_plain({**plain, "places": [place]})
