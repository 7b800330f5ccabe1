"""Which replica is asked, and when it is given up for another one."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from cluster.kernel.tasks.replicas import Replaced, choose_replica, replacement

ONE, OTHER = AgentId("researcher-0"), AgentId("researcher-1")


def registered(agent: AgentId, load: int = 0) -> Registration:
    return Registration(agent, "address", 1, load)


def test_the_replica_with_the_least_of_our_own_asks_is_chosen() -> None:
    chosen = choose_replica([registered(ONE), registered(OTHER, load=3)], {ONE: 1})

    assert chosen is not None
    assert chosen.agent == OTHER


def test_of_equally_busy_ones_the_one_that_is_ready_is_chosen() -> None:
    both = [registered(ONE), registered(OTHER, load=3)]

    assert choose_replica(both, {}, ready=OTHER) == both[1]
    assert choose_replica(both, {OTHER: 1}, ready=OTHER) == both[0]


def test_whom_to_avoid_is_chosen_only_where_there_is_no_other() -> None:
    only, both = [registered(ONE)], [registered(ONE), registered(OTHER, load=9)]

    assert choose_replica(only, {}, frozenset({ONE})) == only[0]
    assert choose_replica(both, {}, frozenset({ONE})) == both[1]
    assert choose_replica([], {}) is None


@pytest.mark.parametrize(
    ("replicas", "is_out_of_reach", "expected"),
    [
        ([ONE, OTHER], False, None),
        ([ONE, OTHER], True, Replaced.OUT_OF_REACH),
        ([OTHER], False, Replaced.LEASE_LOST),
        ([OTHER], True, Replaced.OUT_OF_REACH),
        ([ONE], True, None),
        ([], True, None),
    ],
)
def test_a_recipient_is_given_up_only_where_another_replica_has_a_lease(
    replicas: list[AgentId], *, is_out_of_reach: bool, expected: Replaced | None
) -> None:
    assert replacement(ONE, replicas, is_out_of_reach=is_out_of_reach) is expected
