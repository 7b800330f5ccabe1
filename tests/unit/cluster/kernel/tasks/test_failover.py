"""A task goes to another Manager where its own is lost or busy, until its time is up."""

from __future__ import annotations

from cluster.kernel.errors import (
    AgentFailed,
    DeadlinePassed,
    Overloaded,
    PeerUnavailable,
    UnknownRecipient,
)
from cluster.kernel.ids import AgentId
from cluster.kernel.tasks.failover import (
    ACCEPT_WAIT_S,
    AGAIN_S_MAX,
    ChooseAgain,
    Failover,
    GiveUp,
    ask_failed,
    manager_chosen,
    may_look_again,
)

ONE, OTHER = AgentId("manager-0"), AgentId("manager-1")
LOST = PeerUnavailable("manager-0 can't be reached")
BUSY = Overloaded("manager-0 runs 2 tasks already", 3.0)
BEGUN = Failover(began_at=0.0, deadline_at=100.0, manager=ONE)


def test_a_lost_manager_is_waited_for_a_little_longer_each_time() -> None:
    state, waits = BEGUN, []
    for _ in range(8):
        state, order = ask_failed(state, LOST, 1, 0.0)
        assert isinstance(order, ChooseAgain)
        assert order.is_lost
        waits.append(order.after_s)

    assert waits == sorted(waits)
    assert waits[-1] == AGAIN_S_MAX
    assert state.avoid == frozenset({ONE})


def test_a_task_that_no_manager_may_have_is_looked_after_for_as_long_as_a_restart_takes() -> None:
    _, before = ask_failed(BEGUN, LOST, 0, ACCEPT_WAIT_S)
    _, after = ask_failed(BEGUN, LOST, 0, ACCEPT_WAIT_S + 0.1)

    assert isinstance(before, ChooseAgain)
    assert after == GiveUp(LOST)


def test_a_task_that_a_manager_may_have_accepted_is_looked_after_until_its_deadline() -> None:
    state, _ = ask_failed(BEGUN, LOST, 1, 0.0)

    state, order = ask_failed(state, LOST, 0, 99.0)

    assert state.was_sent
    assert isinstance(order, ChooseAgain)


def test_at_the_deadline_the_user_is_told_that_time_is_up() -> None:
    _, order = ask_failed(BEGUN, LOST, 1, 100.0)

    assert isinstance(order, GiveUp)
    assert isinstance(order.error, DeadlinePassed)
    assert str(LOST) in str(order.error)


def test_an_unknown_manager_may_come_back() -> None:
    _, order = ask_failed(BEGUN, UnknownRecipient("manager-0 does not live here"), 1, 1.0)

    assert isinstance(order, ChooseAgain)


def test_a_failure_that_would_come_again_is_told_at_once_even_when_it_is_late() -> None:
    failed = AgentFailed("the Manager gave the task up")

    assert ask_failed(BEGUN, failed, 1, 1.0)[1] == GiveUp(failed)
    assert ask_failed(BEGUN, failed, 1, 200.0)[1] == GiveUp(failed)


def test_a_busy_manager_leaves_the_task_to_another_at_once() -> None:
    state, order = ask_failed(BEGUN, BUSY, 1, 0.0)
    assert order == ChooseAgain()

    state, follows = manager_chosen(state, OTHER)

    assert follows is None
    assert (state.manager, state.avoid) == (OTHER, frozenset({ONE, OTHER}))


def test_managers_that_are_all_busy_say_when_to_come_back() -> None:
    state, _ = ask_failed(BEGUN, BUSY, 1, 0.0)

    _, order = manager_chosen(state, ONE)

    assert order == GiveUp(BUSY)


def test_a_lost_manager_that_is_the_only_one_is_asked_again() -> None:
    state, _ = ask_failed(BEGUN, LOST, 1, 0.0)

    assert manager_chosen(state, ONE)[1] is None


def test_a_busy_manager_is_waited_for_where_another_may_have_accepted_the_task() -> None:
    state, _ = ask_failed(BEGUN, LOST, 1, 0.0)

    state, order = ask_failed(state, BUSY, 1, 1.0)

    assert isinstance(order, ChooseAgain)
    assert manager_chosen(state, ONE)[1] is None


def test_a_new_task_waits_for_a_manager_no_longer_than_it_may() -> None:
    assert may_look_again(0.0, 100.0, ACCEPT_WAIT_S - AGAIN_S_MAX)
    assert not may_look_again(0.0, 100.0, ACCEPT_WAIT_S)
    assert not may_look_again(0.0, 0.5, 0.0)
