"""How figures are measured and written: alternations, ratios with a bootstrap interval, one file.

Every benchmark is a function that returns a list of `Figure`s; `benchmarks.__main__` runs them and
writes `build/bench.json` under the names of the goals.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

SAMPLES_MAX = 2000
BOOTSTRAP_ROUNDS = 2000
CONFIDENCE = 0.95

MET = "met"
MISSED = "NOT met"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach: at most or at least a value."""

    relation: str
    """``<=`` or ``>=``."""
    value: float

    def __str__(self) -> str:
        return f"{self.relation} {self.value:g}"

    def is_met(self, low: float, high: float) -> bool:
        """Say whether the whole interval is on the right side."""
        return high <= self.value if self.relation == "<=" else low >= self.value

    def verdict(self, low: float, high: float) -> str:
        """Return `MET` or `MISSED`."""
        return MET if self.is_met(low, high) else MISSED


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, with all that is needed to compute it again."""

    name: str
    value: float | None
    unit: str
    goal: str = ""
    n: int = 0
    median: float | None = None
    p99: float | None = None
    ci95: tuple[float, float] | None = None
    parts: dict[str, list[float]] = field(default_factory=dict)
    samples: list[float] = field(default_factory=list)
    peer: str = ""
    peer_version: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """How it stands to its goal: `MET`, `MISSED`, `NOT_RUN`; empty without a goal."""
        if not self.goal:
            return ""
        if self.value is None:
            return NOT_RUN
        return MET if self.note.startswith(MET) else MISSED

    def to_json(self) -> dict[str, object]:
        """Return the object that goes into the file."""
        return asdict(self)


def judged(figure: Figure, goal: Goal) -> Figure:
    """Return a figure of one value, with no interval, held against its goal."""
    assert figure.value is not None
    verdict = goal.verdict(figure.value, figure.value)
    note = f"{verdict}; {figure.note}" if figure.note else verdict
    return replace(figure, goal=str(goal), note=note)


def thinned(samples: Sequence[float]) -> list[float]:
    """Return at most `SAMPLES_MAX` samples, evenly taken."""
    if len(samples) <= SAMPLES_MAX:
        return list(samples)
    step = len(samples) / SAMPLES_MAX
    return [samples[int(index * step)] for index in range(SAMPLES_MAX)]


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which ``share`` of them lie (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def bootstrap_interval(values: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """Return the 95 % interval of the median of the values (percentile bootstrap)."""
    rng = random.Random(seed)
    medians = sorted(
        statistics.median(rng.choices(values, k=len(values))) for _ in range(BOOTSTRAP_ROUNDS)
    )
    tail = (1 - CONFIDENCE) / 2
    return medians[int(tail * BOOTSTRAP_ROUNDS)], medians[int((1 - tail) * BOOTSTRAP_ROUNDS) - 1]


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of ``n`` trials."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def share_figure(
    name: str, hits: Sequence[float], goal: Goal | None = None, *, note: str = ""
) -> Figure:
    """Return a share of hits with Wilson's interval, its goal held against the share itself.

    A hit is 1, a miss 0; of what was tried several times, the mean.
    """
    if not hits:
        return not_run(name, str(goal or ""), "there is nothing to count")
    share = sum(hits) / len(hits)
    figure = Figure(
        name,
        share,
        "share",
        n=len(hits),
        ci95=wilson_interval(share, len(hits)),
        parts={"hits": [sum(hits)], "of": [float(len(hits))]},
        samples=thinned(hits),
        note=note,
    )
    return figure if goal is None else judged(figure, goal)


def ratio_figure(
    name: str,
    goal: Goal | None,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    peer: str,
    peer_version: str = "",
    note: str = "",
) -> Figure:
    """Return the median of the ratios pair by pair; element i of both ran in alternation i."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, high = bootstrap_interval(ratios)
    verdict = "" if goal is None else goal.verdict(low, high)
    return Figure(
        name=name,
        value=statistics.median(ratios),
        unit="ratio",
        goal=str(goal) if goal else "",
        n=len(ratios),
        median=statistics.median(ratios),
        p99=percentile(ratios, 0.99),
        ci95=(low, high),
        parts={"ours": list(ours), "theirs": list(theirs)},
        samples=thinned(ratios),
        peer=peer,
        peer_version=peer_version,
        note="; ".join(text for text in (verdict, note) if text),
    )


def sample_figure(
    name: str,
    unit: str,
    samples: Sequence[float],
    goal: Goal | None = None,
    *,
    peer: str = "",
    note: str = "",
) -> Figure:
    """Return a figure whose value is the median of plain samples."""
    low, high = bootstrap_interval(thinned(samples))
    verdict = "" if goal is None else goal.verdict(low, high)
    return Figure(
        name=name,
        value=statistics.median(samples),
        unit=unit,
        goal=str(goal) if goal else "",
        n=len(samples),
        median=statistics.median(samples),
        p99=percentile(samples, 0.99),
        ci95=(low, high),
        samples=thinned(samples),
        peer=peer,
        note="; ".join(text for text in (verdict, note) if text),
    )


def p99_figure(name: str, samples: Sequence[float], goal: Goal, *, note: str) -> Figure:
    """Return a figure in milliseconds whose value is the 99th percentile, judged by that alone."""
    value = percentile(samples, 0.99)
    verdict = goal.verdict(value, value)
    figure = sample_figure(
        name, "ms", samples, note=f"{verdict}; {note}; the interval is the median's"
    )
    return replace(figure, value=value, goal=str(goal))


def not_run(name: str, goal: str, why: str) -> Figure:
    """Return the figure of something that could not be measured here."""
    return Figure(name=name, value=None, unit="", goal=goal, note=f"{NOT_RUN}: {why}")


def summary(figures: Sequence[Figure]) -> str:
    """Return one line: how many goals were met, and which were not."""
    names: dict[str, list[str]] = {MET: [], MISSED: [], NOT_RUN: []}
    for figure in figures:
        if figure.verdict:
            names[figure.verdict].append(figure.name)
    parts = [f"{len(names[MET])} {MET}"]
    parts += [f"{len(names[v])} {v} ({', '.join(names[v])})" for v in (MISSED, NOT_RUN) if names[v]]
    return "goals: " + ", ".join(parts)
