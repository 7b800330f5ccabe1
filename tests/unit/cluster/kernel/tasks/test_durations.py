"""What is learned of how long work takes."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.durations import EXPECTED_S, Durations
from cluster.kernel.vocabulary import Step


def step(expected_s: float = 0.0, allowed_s: float = 0.0) -> Step:
    return Step(StepId("r1"), "researcher", "", allowed_s=allowed_s, expected_s=expected_s)


def learned(*seconds: float) -> Durations:
    durations = Durations()
    for each in seconds:
        durations = durations.observed("researcher", each)
    return durations


def test_what_nobody_has_seen_takes_the_default() -> None:
    assert Durations().expected_s(step()) == EXPECTED_S


def test_what_a_plan_declares_goes_before_what_was_learned() -> None:
    assert learned(8.0).expected_s(step(expected_s=2.0)) == 2.0


def test_a_step_takes_no_longer_than_it_may() -> None:
    assert learned(8.0).expected_s(step(allowed_s=3.0)) == 3.0


def test_the_first_sample_is_the_estimate() -> None:
    assert learned(8.0).expected_s(step()) == 8.0


def test_later_samples_count_more() -> None:
    assert learned(*[1.0] * 20, *[9.0] * 10).expected_s(step()) == pytest.approx(8.1, abs=0.2)


def test_what_one_role_takes_says_nothing_of_another() -> None:
    assert learned(8.0).usual_s("coder") == EXPECTED_S
