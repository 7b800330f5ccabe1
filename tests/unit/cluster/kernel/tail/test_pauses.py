"""Pauses before an endpoint is asked again: as long as it says, growing, and bounded."""

from __future__ import annotations

import random

import pytest

from cluster.kernel.tail.pauses import PAUSE_MAX_S, pause_s

RNG = random.Random(7)


def test_pauses_grow_up_to_a_bound() -> None:
    means = [sum(pause_s(times, None, RNG) for _ in range(100)) / 100 for times in range(1, 5)]

    assert means == sorted(means)
    assert max(pause_s(times, None, RNG) for times in range(1, 10_000)) <= PAUSE_MAX_S


def test_calls_that_were_refused_together_do_not_come_back_together() -> None:
    assert len({pause_s(1, None, RNG) for _ in range(20)}) == 20


@pytest.mark.parametrize("times", [1, 2, 9])
def test_a_pause_is_never_shorter_than_the_endpoint_asks_for(times: int) -> None:
    assert pause_s(times, 30.0, RNG) == 30.0


def test_an_endpoint_that_asks_for_no_pause_is_believed_twice() -> None:
    pauses = [pause_s(times, 0.0, RNG) for times in range(1, 5)]

    assert pauses[:2] == [0.0, 0.0]
    assert min(pauses[2:]) > 0.0
