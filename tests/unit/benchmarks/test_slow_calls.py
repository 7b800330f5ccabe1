"""Slow calls of the model server: the same for whoever does the same tasks, drawn by attempt."""

from __future__ import annotations

import pytest

from agents.models.simulated.model import Timing
from benchmarks.slow_calls import SlowCalls

USUAL = Timing(ttft_s=0.03, tokens_per_s=500.0)
SLOW = Timing(ttft_s=0.3, tokens_per_s=50.0)
STEPS = ("plan", "r1", "r2", "r3", "c1", "answer")


def test_a_slow_call_takes_ten_times_as_long_to_its_first_token_and_after_it() -> None:
    calls = SlowCalls(share=1.0)

    assert calls.timing_of("a", "plan", USUAL) == SLOW
    assert calls.count == 1


def test_without_a_share_no_call_is_slow() -> None:
    calls = SlowCalls()

    assert all(calls.timing_of("a", step, USUAL) == USUAL for step in STEPS)
    assert calls.count == 0


def test_the_share_of_slow_calls_is_the_one_asked_for() -> None:
    calls = SlowCalls(share=0.01)

    slow = [calls.is_slow(number, step, 0) for number in range(5_000) for step in STEPS]

    assert sum(slow) / len(slow) == pytest.approx(0.01, rel=0.15)


def test_two_sides_that_name_their_tasks_differently_meet_the_same_slow_calls() -> None:
    ours, theirs = SlowCalls(share=0.2), SlowCalls(share=0.2)

    met = [
        [calls.timing_of(f"{name}-{number}", step, USUAL) for number in range(50) for step in STEPS]
        for name, calls in (("ours", ours), ("theirs", theirs))
    ]

    assert met[0] == met[1]
    assert SLOW in met[0]


def test_a_second_request_for_a_slow_call_is_a_draw_of_its_own() -> None:
    calls = SlowCalls(share=0.1)
    slow = [number for number in range(5_000) if calls.is_slow(number, "r1", 0)]

    again = [calls.is_slow(number, "r1", 1) for number in slow]

    assert sum(again) / len(again) == pytest.approx(0.1, abs=0.03)


def test_attempts_are_counted_by_task_and_step() -> None:
    calls = SlowCalls(share=0.3)
    asked = [("a", "r1"), ("b", "r1"), ("a", "r2"), ("a", "r1"), ("b", "r1")]

    met = [calls.timing_of(task, step, USUAL) == SLOW for task, step in asked]

    draws = [(0, "r1", 0), (1, "r1", 0), (0, "r2", 0), (0, "r1", 1), (1, "r1", 1)]
    assert met == [calls.is_slow(*draw) for draw in draws]
