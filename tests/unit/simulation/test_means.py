"""What tasks of a simulated cluster are given, and that each part of it is met."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from cluster.kernel.tasks.budget import NO_BUDGET
from tests.simulation.faults import KEPT_SEEDS
from tests.simulation.means import TaskMeans, has_means, task_means
from tests.simulation.run import Outcome, simulate

GOAL = "Look into 1 [r1]"


def test_the_seeds_that_once_failed_run_without() -> None:
    assert [task_means(seed, 0, GOAL) for seed in KEPT_SEEDS] == [TaskMeans(GOAL)] * len(KEPT_SEEDS)


def test_a_goal_keeps_its_plan() -> None:
    given = [task_means(seed, 0, GOAL) for seed in range(200)]

    assert all("[r1]" in each.goal for each in given)
    assert any(each.budget != NO_BUDGET for each in given)


@cache
def outcomes() -> list[Outcome]:
    seeds = [seed for seed in range(2000, 2080) if has_means(seed)]
    return [simulate(seed) for seed in seeds]


@pytest.mark.parametrize(
    "met",
    [
        "answers of before",
        "answers kept",
        "bounds reached",
        "clarified",
        "function calls",
        "plainer models told",
    ],
)
def test_every_part_of_it_is_met_within_some_seeds(met: str) -> None:
    assert sum((outcome.tallies for outcome in outcomes()), Counter[str]())[met] > 0


def test_and_nothing_is_violated() -> None:
    assert [outcome.violations for outcome in outcomes() if outcome.violations] == []
