"""What is learned of how long work takes."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.durations import EXPECTED_S, Durations, Estimate, WorkKind
from cluster.kernel.vocabulary import Step


def step(expected_s: float = 0.0, allowed_s: float = 0.0) -> Step:
    return Step(StepId("r1"), "researcher", "", allowed_s=allowed_s, expected_s=expected_s)


def learned(*seconds: float) -> Durations:
    durations = Durations()
    for each in seconds:
        durations = durations.observed("researcher", WorkKind.STEP, each)
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


def test_kinds_of_one_role_are_learned_apart() -> None:
    durations = learned(8.0).observed("researcher", WorkKind.ANSWER, 1.0)

    assert durations.expected_s(step()) == 8.0
    assert durations.usual_s("researcher", WorkKind.ANSWER) == 1.0


def test_merging_is_the_same_in_any_order() -> None:
    one, two, three = learned(1.0, 2.0), learned(7.0), learned(4.0, 4.0, 4.0)

    left, right = one.merged(two).merged(three), three.merged(two.merged(one))

    assert left.expected_s(step()) == pytest.approx(right.expected_s(step()))


def test_merging_with_one_who_has_learned_nothing_changes_nothing() -> None:
    assert learned(1.0, 2.0).merged(Durations()) == learned(1.0, 2.0)


def test_who_has_seen_more_counts_more() -> None:
    assert Estimate(1.0, 3.0).merged(Estimate(5.0, 1.0)) == Estimate(2.0, 4.0)
