"""The schedule: how far it is from the best there is, in virtual time and through a whole cluster.

Seeded plans are played through the task's fold and its schedule, event by event. Without limits the
best makespan is exact: every step starts when its needs have ended and it is sealed. With few
calls at once it is the best of five list rules, which know the same, and for plans of up to ten
steps the optimum, which is searched for. The figures in virtual time don't depend on the machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TypeVar

from benchmarks.harness import Figure, Goal, judged, percentile, thinned
from benchmarks.schedule_clock import ROLE
from benchmarks.schedule_loads import TRIPLES, eager_load, seeded_load
from benchmarks.schedule_ratios import (
    CALLS,
    EXACT_STEPS_MAX,
    NOISE,
    STEPS_MAX,
    early_share,
    expected_ratios,
    limited_ratios,
    optimum_ratio,
    seeded_early_share,
    streamed_ratios,
    unlimited_ratio,
)
from benchmarks.schedule_stack import stack_figures
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.schedule import urgencies

LOADS = 100_000
EXACT_LOADS = 2_000
STREAMED_LOADS = 10_000
STACK_LOADS = 500
_Measured = TypeVar("_Measured")
_MEDIAN, _LAST = 0.5, 0.99
_CHUNK = 250


def _decision_us(seed: int) -> float:
    """Return what it takes to say how urgent up to thirty steps are, two calls at once."""
    load = seeded_load(seed, STEPS_MAX)
    steps, known = load.steps, Durations()
    began_at = time.perf_counter()
    urgencies(steps, known, {ROLE: 2})
    return (time.perf_counter() - began_at) * 1e6


def _figure(
    name: str, share: float, ratios: Sequence[float], goal: Goal | None, note: str
) -> Figure:
    figure = Figure(
        name,
        percentile(ratios, share),
        "ratio",
        n=len(ratios),
        median=percentile(ratios, _MEDIAN),
        p99=percentile(ratios, _LAST),
        samples=thinned(ratios),
        note=note,
    )
    return figure if goal is None else judged(figure, goal)


def _unlimited(ratios: Sequence[float]) -> list[Figure]:
    name, note = "schedule.makespan_vs_oracle", "streamed plans, all durations known to the oracle"
    return [
        _figure(f"{name}_p50", _MEDIAN, ratios, Goal("<=", 1.02), note),
        _figure(f"{name}_p99", _LAST, ratios, Goal("<=", 1.05), note),
    ]


def _worst_p99(name: str, ratios: Sequence[float], goal: Goal | None, note: str) -> Figure:
    """Return the p99 of that number of calls at once at which it is the highest."""
    by_calls = {calls: ratios[at :: len(CALLS)] for at, calls in enumerate(CALLS)}
    worst = max(by_calls, key=lambda calls: percentile(by_calls[calls], _LAST))
    tails = ", ".join(f"{n}: {percentile(each, _LAST):.4f}" for n, each in by_calls.items())
    figure = _figure(name, _LAST, by_calls[worst], goal, f"p99 by calls at once {tails}; {note}")
    return replace(figure, n=len(ratios))


def _limited(
    ratios: Sequence[tuple[float, float]], noisy: Sequence[tuple[float, float]]
) -> list[Figure]:
    (ours, critical), (guessed, guessed_critical) = (
        zip(*ratios, strict=True),
        zip(*noisy, strict=True),
    )
    off = f"durations off by a factor of {NOISE:g} (sigma of the logarithm), for all"
    goal = Goal("<=", 1.05)
    return [
        _figure("schedule.limited_vs_best_rule_p50", _MEDIAN, ours, Goal("<=", 1.02), "as p99"),
        _worst_p99("schedule.limited_vs_best_rule_p99", ours, goal, "durations known"),
        _worst_p99("schedule.critical_path_vs_best_rule_p99", critical, None, "without lookahead"),
        _worst_p99("schedule.limited_guessed_vs_best_rule_p99", guessed, None, off),
        _worst_p99("schedule.critical_path_guessed_vs_best_rule_p99", guessed_critical, None, off),
    ]


def _streamed(ratios: Sequence[tuple[float, float]]) -> list[Figure]:
    ours, anew = zip(*ratios, strict=True)
    known = "streamed plans of a model, steps' usual time known; the rules know all of the plan"
    once, again = f"urgencies as handed over; {known}", f"urgencies made anew; {known}"
    return [
        _worst_p99("schedule.streamed_limited_vs_best_rule_p99", ours, None, once),
        _worst_p99("schedule.streamed_limited_anew_vs_best_rule_p99", anew, None, again),
    ]


def _exact(ratios: Sequence[float]) -> list[Figure]:
    note = f"up to {EXACT_STEPS_MAX} steps, 1 to 4 calls at once, the optimum searched for"
    name = "schedule.limited_vs_optimum"
    return [
        _figure(f"{name}_p50", _MEDIAN, ratios, Goal("<=", 1.02), note),
        _figure(f"{name}_p99", _LAST, ratios, None, note),
    ]


def _early(shares: Sequence[float]) -> Figure:
    published = [early_share(eager_load(tools)) for tools in TRIPLES]
    figure = Figure(
        "schedule.early_dispatch_of_bound",
        min(*published, *shares),
        "share",
        n=len(published) + len(shares),
        parts={"published": published},
        samples=thinned(shares),
        note="the worst, in virtual time: three published timings and seeded plans",
    )
    return judged(figure, Goal(">=", 0.97))


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `schedule`."""
    part = 200 if is_quick else 1
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:

        def of_seeds(measure: Callable[[int], _Measured], count: int) -> list[_Measured]:
            seeds: Iterable[int] = range(count // part)
            return list(pool.map(measure, seeds, chunksize=_CHUNK // part + 1))

        unlimited = of_seeds(unlimited_ratio, LOADS)
        limited = of_seeds(limited_ratios, LOADS)
        guessed = of_seeds(expected_ratios, LOADS // 10)
        streamed = of_seeds(streamed_ratios, STREAMED_LOADS)
        exact = of_seeds(optimum_ratio, EXACT_LOADS)
        early = of_seeds(seeded_early_share, STREAMED_LOADS)
    costs = [_decision_us(seed) for seed in range(100 if is_quick else 2_000)]
    return [
        *_unlimited(unlimited),
        *_limited(limited, guessed),
        *_streamed(streamed),
        *_exact(exact),
        _early(early),
        Figure(
            "schedule.decision_us",
            percentile(costs, _MEDIAN),
            "us",
            n=len(costs),
            p99=percentile(costs, _LAST),
            samples=thinned(costs),
            note=f"how urgent up to {STEPS_MAX} steps are, two calls at once",
        ),
        *stack_figures(3 if is_quick else STACK_LOADS),
    ]
