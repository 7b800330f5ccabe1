"""The workload of calls: the same seed is the same run, and keeps every promise."""

from __future__ import annotations

import pytest

from tests.simulation.calls.run import simulate


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_keeps_every_promise_and_is_the_same_run_again(seed: int) -> None:
    first, again = simulate(seed), simulate(seed)

    assert first.violations == []
    assert first.digest == again.digest


def test_faults_restarts_and_falls_are_met_within_a_few_seeds() -> None:
    runs = [simulate(seed) for seed in range(8)]

    assert sum(run.faults.total() for run in runs) > 50
    assert sum(run.tallies["restarted"] for run in runs) > 0
    assert sum(run.tallies["fell"] for run in runs) > 0
