"""Hybrid logical clocks, and whose an edit is."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.stamps import (
    NOBODY,
    PERSON,
    Stamp,
    Writer,
    writer_from_plain,
    writer_to_plain,
)
from cluster.kernel.state.values import Value
from tests.support.state_logs import edit_id, stamp

WRITER = Writer(stamp(7), 3, TaskId("t"), StepId("s"))


def test_the_wall_clock_leads_where_it_is_ahead() -> None:
    assert Stamp(5, 9, "a").next(8, "b") == Stamp(8, 0, "b")


@pytest.mark.parametrize("wall_ms", [8, 7, 0])
def test_a_clock_that_lags_behind_what_was_seen_still_gives_a_later_stamp(wall_ms: int) -> None:
    seen = Stamp(8, 2, "z")

    assert seen.next(wall_ms, "a") > seen


def test_authors_decide_between_stamps_of_one_moment() -> None:
    assert stamp(7, "coder-0") < stamp(7, "researcher-0")


def test_a_person_s_step_tells_that_it_is_one() -> None:
    assert WRITER._replace(step=StepId(f"{PERSON}1f")).is_person
    assert not WRITER.is_person
    assert not NOBODY.is_person


def test_an_edit_belongs_to_its_step_whatever_the_attempt() -> None:
    first, second = edit_id("s", 1), edit_id("s", 4, generation=2)

    assert first != second
    assert first.attempt_key == second.attempt_key


def test_a_writer_is_read_as_it_was_written() -> None:
    assert writer_from_plain(writer_to_plain(WRITER)) == WRITER


@pytest.mark.parametrize("plain", [None, [], [1, 2, "a", 3, "t"], [1, 2, 3, 3, "t", "s"], {}])
def test_a_damaged_writer_is_told(plain: Value) -> None:
    with pytest.raises(ValueError, match="writer"):
        writer_from_plain(plain)
