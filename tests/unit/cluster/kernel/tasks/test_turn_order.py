"""Turns of one key follow each other, turns of different keys overlap, the inbox is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.errors import Overloaded
from cluster.kernel.tasks.turn_order import Inbox


def test_messages_of_one_key_run_one_at_a_time_in_order() -> None:
    inbox: Inbox[int] = Inbox(concurrency=4, queued_max=10)
    inbox.offer("a", 1)
    inbox.offer("a", 2)

    first = inbox.take()
    while_running = inbox.take()
    inbox.finish("a")

    assert (first, while_running, inbox.take()) == (("a", 1), None, ("a", 2))


def test_messages_of_different_keys_overlap_up_to_the_concurrency() -> None:
    inbox: Inbox[int] = Inbox(concurrency=2, queued_max=10)
    for number, key in enumerate("abc"):
        inbox.offer(key, number)

    assert [inbox.take(), inbox.take(), inbox.take()] == [("a", 0), ("b", 1), None]


def test_a_full_inbox_refuses_and_keeps_what_it_has() -> None:
    inbox: Inbox[int] = Inbox(concurrency=1, queued_max=1)
    inbox.offer("a", 1)

    with pytest.raises(Overloaded):
        inbox.offer("b", 2)

    assert inbox.take() == ("a", 1)
    assert inbox.take() is None


def test_draining_returns_what_was_queued_and_leaves_what_runs() -> None:
    inbox: Inbox[int] = Inbox(concurrency=1, queued_max=10)
    for number in range(3):
        inbox.offer("a", number)
    inbox.take()

    assert inbox.drain() == [1, 2]
    assert inbox.statistics().running == 1


def test_a_busy_key_does_not_hold_up_another_one() -> None:
    inbox: Inbox[int] = Inbox(concurrency=2, queued_max=10)
    inbox.offer("a", 1)
    inbox.offer("a", 2)
    inbox.offer("b", 3)

    assert [inbox.take(), inbox.take()] == [("a", 1), ("b", 3)]


def test_what_nothing_is_before_starts_without_waiting() -> None:
    inbox: Inbox[int] = Inbox(concurrency=2, queued_max=10)

    assert inbox.admit("a")
    inbox.offer("a", 1)
    assert not inbox.admit("a")  # one of its key runs, another one waits
    assert inbox.admit("b")
    assert not inbox.admit("c")  # as many run as may
    inbox.finish("a")
    assert not inbox.admit("c")  # one that waits longer is free
    assert inbox.take() == ("a", 1)
    assert inbox.statistics().running == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["message", "finish"]))))
def test_turns_start_in_the_same_order_with_and_without_the_short_way(
    story: list[tuple[str, str]],
) -> None:
    def started(*, is_short: bool) -> list[tuple[str, int]]:
        inbox: Inbox[int] = Inbox(concurrency=2, queued_max=100)
        begun: list[tuple[str, int]] = []
        running: list[str] = []

        def start_all() -> None:
            while (taken := inbox.take()) is not None:
                begun.append((str(taken[0]), taken[1]))
                running.append(str(taken[0]))

        for number, (key, deed) in enumerate(story):
            if deed == "finish" and running:
                inbox.finish(running.pop(0))
            elif deed == "message" and is_short and inbox.admit(key):
                begun.append((key, number))
                running.append(key)
            elif deed == "message":
                inbox.offer(key, number)
            start_all()
        return begun

    assert started(is_short=True) == started(is_short=False)
