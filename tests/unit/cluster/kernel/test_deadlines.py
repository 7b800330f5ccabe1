"""Deadlines pass in order, once, and what is over takes no room for long."""

from __future__ import annotations

import random
import weakref

from cluster.kernel.deadlines import STALE_MIN, Deadlines


def test_those_that_have_passed_come_out_once_soonest_first() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key, at in (("b", 2.0), ("a", 1.0), ("d", 4.0), ("c", 2.0)):
        deadlines.add(key, at)

    assert deadlines.pass_until(0.5) == []
    assert deadlines.pass_until(2.0) == ["a", "b", "c"]
    assert deadlines.pass_until(2.0) == []
    assert deadlines.next_at() == 4.0
    assert len(deadlines) == 1


def test_what_was_dropped_never_passes() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.add("a", 1.0)
    deadlines.add("b", 2.0)
    deadlines.drop("a")
    deadlines.drop("nobody")

    assert deadlines.next_at() == 2.0
    assert deadlines.pass_until(9.0) == ["b"]
    assert deadlines.next_at() is None


def test_a_deadline_that_is_set_again_replaces_the_first() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.add("a", 1.0)
    deadlines.add("a", 5.0)
    assert deadlines.pass_until(4.0) == []
    deadlines.add("a", 4.5)
    assert deadlines.pass_until(5.0) == ["a"]
    assert deadlines.pass_until(5.0) == []


def test_whatever_comes_and_goes_it_agrees_with_a_plain_table() -> None:
    rng = random.Random(7)
    for _ in range(20):
        deadlines: Deadlines[int] = Deadlines()
        table: dict[int, float] = {}
        now = 0.0
        for _ in range(1000):
            key = rng.randrange(40)
            if rng.random() < 0.6:
                table[key] = at = now + rng.random() * 50
                deadlines.add(key, at)
            else:
                table.pop(key, None)
                deadlines.drop(key)
            if rng.random() < 0.2:
                now += rng.random() * 10
                passed = [
                    each for _, each in sorted((at, k) for k, at in table.items() if at <= now)
                ]
                assert deadlines.pass_until(now) == passed
                for each in passed:
                    del table[each]
            assert deadlines.next_at() == min(table.values(), default=None)
            assert len(deadlines) == len(table)


class Wait:
    """Something that a deadline is kept for."""


def test_those_that_came_and_went_are_not_kept() -> None:
    deadlines: Deadlines[Wait] = Deadlines()
    alive: weakref.WeakSet[Wait] = weakref.WeakSet()
    for _ in range(20_000):
        wait = Wait()
        alive.add(wait)
        deadlines.add(wait, 1e9)
        deadlines.drop(wait)
    assert len(alive) <= STALE_MIN + 2
