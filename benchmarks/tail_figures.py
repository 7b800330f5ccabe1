"""The figures of the group `tail`: how slow the slowest of many tasks are, ours over a rival's.

Pure arithmetic. Used by `benchmarks.bench_tail`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.harness import (
    BOOTSTRAP_ROUNDS,
    CONFIDENCE,
    Figure,
    Goal,
    not_run,
    percentile,
    thinned,
)

BEST = ("llamaindex", "openai_agents")
"""The rivals that we are held against."""
P99_GOAL = Goal("<=", 0.5)
CALLS_A_TASK = 6
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True)
class Tail:
    """What one side's tasks came to."""

    name: str
    walls_s: Sequence[float]
    requests: int
    """That its model server had for them."""
    slow: int
    """Of these, how many were slow."""
    cpu_s: float
    """Of all its processes but the model server, for all tasks."""
    version: str = ""
    how: str = ""

    def at(self, share: float) -> float:
        """Return the seconds within which a share of the tasks has ended."""
        return percentile(self.walls_s, share)

    @property
    def extra_share(self) -> float:
        """Requests beyond one for each call, over the calls."""
        return self.requests / (CALLS_A_TASK * len(self.walls_s)) - 1.0


def figures_of(tails: Sequence[Tail], missing: Mapping[str, str]) -> list[Figure]:
    """Return each side's tail, and the first one, ours, over that of each other side.

    Args:
        tails: of the sides that ran.
        missing: why others could not be, by name.
    """
    ours, *others = tails
    goals = dict.fromkeys(BEST, P99_GOAL)
    figures = [tail_figure(tail) for tail in tails]
    figures += [ratio_of_tails(ours, other, goals.get(other.name), other.how) for other in others]
    for name, why in missing.items():
        figures.append(not_run(f"tail.p99_vs_{name}", str(goals.get(name, "")), why))
    return figures


def tail_figure(tail: Tail) -> Figure:
    """Return how long a side's tasks took, as their 99th percentile."""
    values = {name: tail.at(share) for name, share in SHARES.items()}
    said = ", ".join(f"{name} {value:.3g} s" for name, value in values.items())
    count = len(tail.walls_s)
    return Figure(
        name=f"tail.p99_s.{tail.name}",
        value=values["p99"],
        unit="s",
        n=count,
        median=values["p50"],
        p99=values["p99"],
        ci95=_interval([_resampled_p99(tail.walls_s, rng) for rng in _draws()]),
        parts={name: [value] for name, value in values.items()},
        samples=thinned(tail.walls_s),
        peer_version=tail.version,
        note=(
            f"{said}; {tail.slow} slow requests of {tail.requests}, {tail.extra_share:.1%} extra;"
            f" {tail.cpu_s / count * 1000:.0f} ms of CPU a task{tail.how and '; '}{tail.how}"
        ),
    )


def ratio_of_tails(ours: Tail, theirs: Tail, goal: Goal | None, note: str = "") -> Figure:
    """Return our 99th percentile over a rival's, with the interval of resampled tasks."""
    value = ours.at(0.99) / theirs.at(0.99)
    ratios = [
        _resampled_p99(ours.walls_s, rng) / _resampled_p99(theirs.walls_s, rng) for rng in _draws()
    ]
    low, high = _interval(ratios)
    verdict = "" if goal is None else goal.verdict(low, high)
    return Figure(
        name=f"tail.p99_vs_{theirs.name}",
        value=value,
        unit="ratio",
        goal=str(goal or ""),
        n=min(len(ours.walls_s), len(theirs.walls_s)),
        ci95=(low, high),
        parts={"ours": [ours.at(0.99)], "theirs": [theirs.at(0.99)]},
        peer=theirs.name,
        peer_version=theirs.version,
        note="; ".join(text for text in (verdict, note) if text),
    )


def _draws() -> Sequence[random.Random]:
    return [random.Random(seed) for seed in range(BOOTSTRAP_ROUNDS)]


def _resampled_p99(walls_s: Sequence[float], rng: random.Random) -> float:
    return percentile(rng.choices(walls_s, k=len(walls_s)), 0.99)


def _interval(values: Sequence[float]) -> tuple[float, float]:
    ordered, outside = sorted(values), (1 - CONFIDENCE) / 2
    return percentile(ordered, outside), percentile(ordered, 1 - outside)
