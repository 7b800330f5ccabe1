"""A turn is ended once, for the first reason there is, and in each phase of its life as befits."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import Cancelled, DeadlinePassed, Stopped
from cluster.kernel.ids import EnvelopeId
from cluster.kernel.tasks.turn_life import (
    ASKERS_MAX,
    CANCELLED_EARLY_MAX,
    EarlyCancels,
    End,
    Ending,
    Phase,
    TaskFate,
    may_join,
    task_fate,
    turn_ended,
)


def test_what_is_ended_in_the_inbox_is_answered_without_its_turn() -> None:
    assert turn_ended(Phase.QUEUED, None) == (Phase.DISMISSED, End.DISMISS)


def test_a_turn_that_runs_is_interrupted() -> None:
    assert turn_ended(Phase.RUNNING, None) == (Phase.RUNNING, End.INTERRUPT)


@pytest.mark.parametrize("phase", Phase)
def test_the_first_reason_to_end_stands(phase: Phase) -> None:
    assert turn_ended(phase, Ending.CANCELLED) == (phase, End.NOTHING)


def test_a_turn_that_has_answered_is_not_ended() -> None:
    assert turn_ended(Phase.ANSWERED, None) == (Phase.ANSWERED, End.NOTHING)


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (Ending.CANCELLED, Cancelled),
        (Ending.ASKER_GONE, Cancelled),
        (Ending.EXPIRED, DeadlinePassed),
        (Ending.STOPPING, Stopped),
    ],
)
def test_each_ending_tells_the_askers_its_own_error(ending: Ending, error: type) -> None:
    assert type(ending.error()) is error


def test_a_step_under_way_takes_a_bounded_number_of_askers() -> None:
    assert may_join(None, ASKERS_MAX - 1)
    assert not may_join(None, ASKERS_MAX)


def test_nobody_joins_a_turn_that_ends() -> None:
    assert not may_join(Ending.CANCELLED, 1)


@pytest.mark.parametrize(
    ("ending", "fate"),
    [
        (Ending.CANCELLED, TaskFate.CANCEL),
        (Ending.ASKER_GONE, TaskFate.CANCEL),
        (Ending.EXPIRED, TaskFate.SEE_OUT),
        (Ending.STOPPING, TaskFate.LEAVE),
        (None, TaskFate.LEAVE),
    ],
)
def test_what_becomes_of_a_task_depends_on_why_its_turn_ended(
    ending: Ending | None, fate: TaskFate
) -> None:
    assert task_fate(ending) is fate


def test_an_ask_that_was_cancelled_before_it_came_is_known_once() -> None:
    cancels = EarlyCancels()
    ask = EnvelopeId(b"a" * 16)
    cancels.add(ask)
    assert ask in cancels

    cancels.drop(ask)

    assert ask not in cancels


def test_of_early_cancels_the_oldest_are_forgotten() -> None:
    cancels = EarlyCancels()
    for number in range(CANCELLED_EARLY_MAX + 1):
        cancels.add(EnvelopeId(number.to_bytes(16)))

    assert len(cancels) == CANCELLED_EARLY_MAX
    assert EnvelopeId((0).to_bytes(16)) not in cancels
