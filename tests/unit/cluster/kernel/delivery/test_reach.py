"""A lost peer is looked for with growing waits, then given up; an unwanted one is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.kernel.delivery.reach import (
    BACKOFF_S_MAX,
    BACKOFF_S_MIN,
    LOST_AFTER_S,
    Loss,
    LostLink,
    Search,
    link_lost,
    not_reached,
)

OLD = LostLink(has_other=False, is_wanted=False, age_s=60.0, is_peer_leaving=False)


def test_the_wait_between_dials_doubles_up_to_a_bound() -> None:
    search = Search.begin(0.0)
    waits = []
    for _ in range(10):
        search, order = not_reached(search, has_failed=True, chance=1.0)
        waits.append(order.after_s)

    assert waits[:3] == [BACKOFF_S_MIN, 2 * BACKOFF_S_MIN, 4 * BACKOFF_S_MIN]
    assert waits[-1] == BACKOFF_S_MAX


def test_chance_cuts_a_wait_by_up_to_a_half() -> None:
    _, order = not_reached(Search.begin(0.0), has_failed=True, chance=0.0)

    assert order.after_s == BACKOFF_S_MIN / 2


def test_those_who_wait_are_told_of_the_first_failure_only() -> None:
    search = Search.begin(0.0)
    told = []
    for has_failed in (False, True, True):
        search, order = not_reached(search, has_failed=has_failed, chance=0.5)
        told.append(order.is_first_failure)

    assert told == [False, True, False]


def test_a_peer_that_stays_away_is_given_up() -> None:
    search = Search.begin(100.0)

    assert not search.has_ended(100.0 + LOST_AFTER_S - 0.1)
    assert search.has_ended(100.0 + LOST_AFTER_S)


def test_a_peer_that_was_reached_meanwhile_is_looked_for_as_long_again() -> None:
    search, _ = not_reached(Search.begin(100.0), has_failed=True, chance=1.0)
    search = search.again(100.0 + LOST_AFTER_S)

    assert not search.has_ended(100.0 + 2 * LOST_AFTER_S - 0.1)
    assert search.has_ended(100.0 + 2 * LOST_AFTER_S)


def test_those_who_wait_are_told_again_of_a_peer_that_was_reached_meanwhile() -> None:
    search, _ = not_reached(Search.begin(0.0), has_failed=True, chance=1.0)
    _, order = not_reached(search.again(1.0), has_failed=True, chance=1.0)

    assert order.is_first_failure


def test_the_wait_goes_on_growing_though_a_link_stood_for_a_moment() -> None:
    search, first = not_reached(Search.begin(0.0), has_failed=True, chance=1.0)
    _, second = not_reached(search.again(1.0), has_failed=True, chance=1.0)

    assert second.after_s == 2 * first.after_s


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (replace(OLD, has_other=True, is_wanted=True), Loss.USE_OTHER),
        (replace(OLD, is_wanted=True), Loss.DIAL),
        (replace(OLD, is_wanted=True, is_peer_leaving=True), Loss.DIAL),
        (replace(OLD, is_wanted=True, age_s=0.1), Loss.DIAL_LATER),
        (replace(OLD, is_peer_leaving=True), Loss.FORGET),
        (OLD, Loss.FORGET_LATER),
    ],
)
def test_what_becomes_of_a_peer_depends_on_who_wants_it_and_how_it_went(
    lost: LostLink, expected: Loss
) -> None:
    assert link_lost(lost, is_stopping=False) is expected


def test_a_host_that_is_stopping_looks_for_nobody() -> None:
    assert link_lost(replace(OLD, is_wanted=True), is_stopping=True) is Loss.NOTHING
    assert link_lost(OLD, is_stopping=True) is Loss.NOTHING
    assert link_lost(replace(OLD, is_peer_leaving=True), is_stopping=True) is Loss.FORGET
