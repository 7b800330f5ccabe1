"""A task has one owner; it is taken from one that is gone, and from no other."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import (
    RETRY_AFTER_S_MAX,
    RETRY_AFTER_S_MIN,
    UNACCEPTED_KEPT_S,
    Owner,
    is_abandoned,
    may_adopt,
    retry_after_s,
    task_s_after,
)

US = Owner(AgentId("manager-0"), 5)
OTHER = Owner(AgentId("manager-1"), 3)
MADE_AT_S = 1_800_000_000
TASK = TaskId(f"{MADE_AT_S * 1000:012x}" + "0" * 20)


def test_a_task_is_abandoned_when_the_lease_of_its_owner_is_gone() -> None:
    assert is_abandoned(OTHER, US, [US])
    assert not is_abandoned(OTHER, US, [US, OTHER])


def test_the_next_incarnation_of_an_owner_does_not_free_it() -> None:
    assert is_abandoned(OTHER, US, [Owner(OTHER.agent, OTHER.epoch + 1)])


@pytest.mark.parametrize(("epoch", "expected"), [(4, True), (5, True), (6, False)])
def test_what_an_earlier_life_of_ours_owned_is_ours(epoch: int, *, expected: bool) -> None:
    assert is_abandoned(Owner(US.agent, epoch), US, []) is expected


def test_a_task_that_was_never_accepted_is_left_to_its_driver_for_a_while() -> None:
    assert not may_adopt(TASK, MADE_AT_S + UNACCEPTED_KEPT_S - 1, is_accepted=False)
    assert may_adopt(TASK, MADE_AT_S + UNACCEPTED_KEPT_S, is_accepted=False)
    assert may_adopt(TASK, MADE_AT_S, is_accepted=True)


def test_a_manager_with_room_takes_a_task_now() -> None:
    assert retry_after_s(1, 2, task_s=10.0) is None


def test_a_full_manager_says_when_a_task_of_it_may_have_ended() -> None:
    assert retry_after_s(2, 2, task_s=10.0) == 5.0
    assert retry_after_s(2, 2, task_s=0.0) == RETRY_AFTER_S_MIN
    assert retry_after_s(2, 2, task_s=1e6) == RETRY_AFTER_S_MAX


def test_how_long_a_task_takes_follows_the_newest_ones() -> None:
    assert task_s_after(1.0, 9.0) == 2.0
