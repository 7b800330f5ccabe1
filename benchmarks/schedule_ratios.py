"""How far the schedule is from the best there is, for the plan of a seed, in virtual time.

Pure. Called by `benchmarks.bench_schedule`, in processes of their own: each takes a seed.
"""

from __future__ import annotations

from dataclasses import replace

from agents.planning.workflow import STEPS_MAX as PLAN_STEPS_MAX
from benchmarks.schedule_clock import Optimum, Play, bound_s, list_rule_s
from benchmarks.schedule_loads import Load, rule_keys, seeded_load

STEPS_MAX = 30
EXACT_STEPS_MAX = 10
CALLS = (1, 2, 3, 4)
NOISE = 0.3
"""Sigma of the logarithm: two of three expectations are within 26 % below and 35 % above."""

USUAL_S = 0.5
"""What a role's steps take on average, of which nothing more is known."""


def unlimited_ratio(seed: int) -> float:
    """Return the makespan of a streamed plan over the shortest possible."""
    load = seeded_load(seed, STEPS_MAX, is_streamed=True)
    return Play(load).makespan_s() / bound_s(load)


def limited_ratios(seed: int, noise: float = 0.0) -> tuple[float, float]:
    """Return the scheduler's makespan and the critical path's over the best of five list rules."""
    load, calls = seeded_load(seed, STEPS_MAX, noise=noise), calls_of(seed)
    rules = {name: list_rule_s(load, keys, calls) for name, keys in rule_keys(load).items()}
    best_s = min(rules.values())
    return Play(load, calls).makespan_s() / best_s, rules["critical path"] / best_s


def expected_ratios(seed: int) -> tuple[float, float]:
    """Return `limited_ratios` where all only know what steps are expected to take."""
    return limited_ratios(seed, NOISE)


def streamed_ratios(seed: int) -> tuple[float, float]:
    """Return the makespan of a model's plan with few calls at once over the best list rule's.

    Such a plan is streamed and says nothing of times: all that anybody knows is what a step usually
    takes. The second ratio is that of who decides anew on what waits whenever something happens.
    """
    load, calls = seeded_load(seed, PLAN_STEPS_MAX, is_streamed=True), calls_of(seed)
    load = replace(load, expected=(USUAL_S,) * len(load.seconds))
    best_s = min(list_rule_s(load, keys, calls) for keys in rule_keys(load).values())
    anew = Play(load, calls, decides_anew=True)
    return Play(load, calls).makespan_s() / best_s, anew.makespan_s() / best_s


def optimum_ratio(seed: int) -> float:
    """Return the makespan of a small plan over the optimum, with few calls at once."""
    load, calls = seeded_load(seed, EXACT_STEPS_MAX), calls_of(seed)
    ours_s = Play(load, calls).makespan_s()
    known_s = min(list_rule_s(load, keys, calls) for keys in rule_keys(load).values())
    return ours_s / Optimum(load, calls).makespan_s(min(ours_s, known_s))


def early_share(load: Load) -> float:
    """Return how much of what dispatch can gain over dispatch at the plan's end was gained."""
    after_s, best_s = Play(load, waits_for_plan=True).makespan_s(), bound_s(load)
    if after_s <= best_s:
        return 1.0
    return (after_s - Play(load).makespan_s()) / (after_s - best_s)


def seeded_early_share(seed: int) -> float:
    """Return `early_share` of a seeded plan."""
    return early_share(seeded_load(seed, STEPS_MAX, is_streamed=True))


def calls_of(seed: int) -> int:
    """Return how many calls a seed's plan may have at once."""
    return CALLS[seed % len(CALLS)]
