"""Some hundred simulated clusters, the seeds that once failed, and the bugs kept as patches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIMULATION = ROOT / "tests" / "simulation"
SEEDS = 50
DIGESTS = 6


def simulation(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the simulator as its users do."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def kept_seeds() -> list[str]:
    lines = (SIMULATION / "regressions.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def test_nothing_is_violated_in_some_hundred_simulated_clusters() -> None:
    ran = simulation("--work", "cluster", "--seeds", str(SEEDS))

    assert ran.returncode == 0, ran.stdout[-20_000:]
    assert ran.stdout.splitlines()[-1].startswith(f"runs={SEEDS} faults=")


def test_nothing_is_lost_nor_comes_back_on_some_hundred_simulated_groups_of_hosts() -> None:
    ran = simulation("--work", "knowledge", "--seeds", str(SEEDS))

    assert ran.returncode == 0, ran.stdout[-20_000:]
    assert ran.stdout.splitlines()[-1].startswith(f"runs={SEEDS} faults=")


def test_seeds_that_once_failed_pass() -> None:
    ran = simulation("--work", "cluster", "--only", *kept_seeds())

    assert ran.returncode == 0, ran.stdout[-20_000:]


@pytest.mark.parametrize("work", ["cluster", "knowledge"])
def test_a_seed_means_the_same_in_every_process(work: str) -> None:
    asked = ("--work", work, "--digest")
    several = simulation(*asked, "--seeds", str(DIGESTS)).stdout.splitlines()
    last = simulation(*asked, "--seed", str(DIGESTS - 1), "--seeds", "1").stdout.splitlines()

    assert len(several) == DIGESTS
    assert last == several[-1:]


@pytest.mark.parametrize(
    "patch", sorted((SIMULATION / "mutants").glob("*.patch")), ids=lambda patch: patch.stem
)
def test_a_kept_bug_can_be_planted(patch: Path) -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("it needs git and a checkout")

    checked = subprocess.run(
        [git, "apply", "--check", str(patch)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


def test_at_least_ten_bugs_are_kept() -> None:
    assert len(list((SIMULATION / "mutants").glob("*.patch"))) >= 10
