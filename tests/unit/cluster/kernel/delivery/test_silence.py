"""A link on which nothing gets its receipt is left; one that is only silent is inquired about."""

from __future__ import annotations

from dataclasses import replace

from cluster.kernel.delivery.silence import Heard, Unreceipted, Watch, link_watched

LEASE_S = 5.0
WAITS = Heard(is_wanted=True, awaits_receipt=True, receipts=7, silent_s=0.0)


def test_a_link_whose_receipts_stand_still_for_a_lease_is_left() -> None:
    state, first = link_watched(None, WAITS, 0.0, LEASE_S)
    state, before = link_watched(state, WAITS, LEASE_S - 0.1, LEASE_S)
    _, after = link_watched(state, WAITS, LEASE_S, LEASE_S)

    assert [first, before, after] == [Watch.KEEP, Watch.KEEP, Watch.LEAVE]


def test_each_receipt_begins_the_wait_anew() -> None:
    state, _ = link_watched(None, WAITS, 0.0, LEASE_S)

    state, watch = link_watched(state, replace(WAITS, receipts=8), LEASE_S, LEASE_S)

    assert (state, watch) == (Unreceipted(8, LEASE_S), Watch.KEEP)


def test_a_link_on_which_everything_has_its_receipt_waits_for_nothing() -> None:
    state, _ = link_watched(None, WAITS, 0.0, LEASE_S)

    assert link_watched(state, replace(WAITS, awaits_receipt=False), 9.0, LEASE_S) == (
        None,
        Watch.KEEP,
    )


def test_a_peer_that_is_silent_for_a_lease_may_have_been_replaced() -> None:
    silent = replace(WAITS, awaits_receipt=False, silent_s=LEASE_S)

    assert link_watched(None, silent, 0.0, LEASE_S) == (None, Watch.INQUIRE)


def test_a_silent_peer_that_nothing_waits_for_is_left_alone() -> None:
    silent = replace(WAITS, is_wanted=False, silent_s=2 * LEASE_S)

    assert link_watched(Unreceipted(7, 0.0), silent, 2 * LEASE_S, LEASE_S) == (None, Watch.KEEP)
