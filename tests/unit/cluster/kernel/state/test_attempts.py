"""Each edit counts once, by the latest attempt at its step."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.attempts import ATTEMPTS_MAX, Attempts, Fate
from cluster.kernel.state.values import Value
from tests.support.state_logs import edit_id

KEY = edit_id("s").attempt_key


def made(*ordinals: int, generation: int = 1) -> Attempts:
    attempts = Attempts()
    for ordinal in ordinals:
        attempts.admit(edit_id("s", ordinal, generation=generation))
    return attempts


def test_an_edit_counts_once() -> None:
    attempts = Attempts()

    assert attempts.admit(edit_id("s", 1)) is Fate.COUNTS
    assert attempts.admit(edit_id("s", 2)) is Fate.COUNTS
    assert attempts.admit(edit_id("s", 1)) is Fate.REPEATED


def test_an_ordinal_that_comes_late_counts_all_the_same() -> None:
    assert made(3, 1).admit(edit_id("s", 2)) is Fate.COUNTS


def test_a_later_attempt_replaces_the_earlier_one() -> None:
    attempts = made(1, 2)

    assert attempts.raise_to(KEY, 2)
    assert attempts.admit(edit_id("s", 1)) is Fate.REPLACED
    assert attempts.admit(edit_id("s", 1, generation=2)) is Fate.COUNTS


def test_an_edit_of_a_later_generation_waits_until_earlier_ones_are_undone() -> None:
    attempts = made(1)

    assert attempts.admit(edit_id("s", 1, generation=2)) is None
    attempts.raise_to(KEY, 2)
    assert attempts.admit(edit_id("s", 1, generation=2)) is Fate.COUNTS


def test_a_later_generation_counts_at_once_where_earlier_ones_have_no_edit() -> None:
    attempts = Attempts()
    attempts.raise_to(KEY, 1)

    assert attempts.admit(edit_id("s", 1, generation=2)) is Fate.COUNTS
    assert attempts.admit(edit_id("s", 2)) is Fate.REPLACED


def test_an_attempt_that_follows_nothing_replaces_nothing() -> None:
    attempts = Attempts()

    assert not attempts.raise_to(KEY, 2)
    assert not attempts.raise_to(KEY, 2)
    assert not attempts.raise_to(KEY, 1)


def test_a_copy_goes_on_apart() -> None:
    attempts = made(1)

    attempts.copy().admit(edit_id("s", 2))

    assert attempts.admit(edit_id("s", 2)) is Fate.COUNTS


def test_ordinals_are_written_as_runs_and_read_again() -> None:
    plain = made(1, 2, 3, 7, generation=4).to_plain()

    assert plain == [["t", "s", 4, [[1, 3], [7, 7]]]]
    assert Attempts.from_plain(plain).to_plain() == plain


def test_the_step_that_was_touched_first_is_forgotten_first() -> None:
    attempts = made(1)
    for number in range(ATTEMPTS_MAX):
        attempts.raise_to((TaskId("t"), StepId(f"s{number}")), 1)
        attempts.touch((TaskId("t"), StepId(f"s{number}")))

    plain = attempts.to_plain()

    assert isinstance(plain, list)
    assert len(plain) == ATTEMPTS_MAX
    assert plain[0] == ["t", "s0", 1, []]


@pytest.mark.parametrize("plain", [None, [1], [["t", "s", 1, [1]]], [["t", "s", "1", []]]])
def test_damaged_attempts_are_told(plain: Value) -> None:
    with pytest.raises(ValueError, match="not "):
        Attempts.from_plain(plain)
