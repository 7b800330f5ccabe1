"""Pure steps that two replicas of a simulated cluster do, and that all of it is met."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from tests.simulation.faults import KEPT_SEEDS
from tests.simulation.hedging import has_hedges
from tests.simulation.run import Outcome, simulate


def test_the_seeds_that_once_failed_run_without() -> None:
    assert not any(has_hedges(seed) for seed in KEPT_SEEDS)


@cache
def outcomes() -> list[Outcome]:
    return [simulate(seed) for seed in range(3000, 3060) if has_hedges(seed)]


@pytest.mark.parametrize("met", ["second replica: asked as well", "second replica: won"])
def test_steps_are_done_twice_and_won_by_the_second_within_some_seeds(met: str) -> None:
    assert sum((outcome.tallies for outcome in outcomes()), Counter[str]())[met] > 0


def test_and_nothing_is_violated() -> None:
    assert [outcome.violations for outcome in outcomes() if outcome.violations] == []
