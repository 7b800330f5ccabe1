"""The group `schedule`: its plans, its virtual clock, and the best there is, by other means."""

from __future__ import annotations

from itertools import permutations

import pytest

from benchmarks.schedule_clock import Optimum, Play, bound_s, limited_bound_s, list_rule_s
from benchmarks.schedule_loads import TRIPLES, Load, eager_load, rule_keys, seeded_load
from benchmarks.schedule_ratios import calls_of, early_share, limited_ratios, unlimited_ratio
from benchmarks.schedule_scripts import (
    ANSWER_S,
    declared_published_scripts,
    limited_script,
    published_scripts,
    script_of,
)
from cluster.kernel.tasks.workflow import check_workflow
from cluster.kernel.vocabulary import Plan

WAITING_PAYS = Load((1.0, 10.0, 10.0, 5.0, 5.0), ((), (0,), (0,), (), ()))
"""With three calls at once: whoever starts all that is ready starts the last step at 5."""


@pytest.mark.parametrize("tools", TRIPLES)
def test_the_published_timings_come_out_in_all_three_ways(tools: int) -> None:
    load, (sequential_s, parallel_s, eager_s) = eager_load(tools), TRIPLES[tools]

    assert load.plan_s + sum(load.seconds) == pytest.approx(sequential_s)
    assert Play(load, waits_for_plan=True).makespan_s() == pytest.approx(parallel_s)
    assert bound_s(load) == pytest.approx(eager_s)
    assert early_share(load) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(40))
def test_a_load_needs_only_earlier_steps_and_is_sealed_in_their_order(seed: int) -> None:
    load = seeded_load(seed, 10, is_streamed=True)

    assert 2 <= len(load.seconds) <= 10
    assert all(need < number for number, needs in enumerate(load.needs) for need in needs)
    assert sorted(load.seals) == list(load.seals)
    assert load.plan_s == load.seals[-1]


def test_a_seed_is_one_load_only() -> None:
    assert seeded_load(7, 30) == seeded_load(7, 30)
    assert seeded_load(7, 30) != seeded_load(8, 30)


@pytest.mark.parametrize("seed", range(20))
def test_a_streamed_plan_ends_when_it_can(seed: int) -> None:
    assert unlimited_ratio(seed) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(20))
def test_with_few_calls_it_ends_about_as_soon_as_by_the_best_rule(seed: int) -> None:
    ours, critical = limited_ratios(seed)

    assert ours <= 1.05
    assert critical >= 1.0


def test_one_call_at_once_takes_all_the_time_there_is() -> None:
    load = seeded_load(3, 10)

    assert Play(load, 1).makespan_s() == pytest.approx(sum(load.seconds))


def test_the_optimum_leaves_a_slot_free_where_that_pays() -> None:
    rules = [list_rule_s(WAITING_PAYS, keys, 3) for keys in rule_keys(WAITING_PAYS).values()]

    assert min(rules) == 15.0
    assert Optimum(WAITING_PAYS, 3).makespan_s(min(rules)) == 11.0


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_is_no_longer_than_any_order_and_no_shorter_than_possible(seed: int) -> None:
    load, calls = seeded_load(seed, 6), calls_of(seed)
    ranks = permutations(range(len(load.seconds)))
    shortest = min(list_rule_s(load, list(map(float, keys)), calls) for keys in ranks)

    optimum = Optimum(load, calls).makespan_s(2 * sum(load.seconds))

    assert limited_bound_s(load, calls) - 1e-9 <= optimum <= shortest + 1e-9


def test_a_script_says_when_each_step_is_sealed() -> None:
    script = script_of(Load((0.5, 0.2), ((), (0,))), 30)
    [first, last] = script.load.seals

    assert 0.0 < first < last <= script.load.plan_s
    assert first == pytest.approx(script.load.plan_s / 2, rel=0.2)
    assert script.load.seconds == pytest.approx((0.5, 0.2), abs=0.0101)


def test_published_timings_through_the_stack_gain_about_what_was_published() -> None:
    for script, tools in zip(published_scripts(), (9, 3), strict=True):
        _, parallel_s, eager_s = TRIPLES[tools]
        assert script.after_s - script.bound_s == pytest.approx(parallel_s - eager_s, rel=0.1)


def test_as_workflows_the_published_timings_are_what_was_published() -> None:
    for script, tools in zip(declared_published_scripts(), TRIPLES, strict=True):
        _, parallel_s, eager_s = TRIPLES[tools]
        assert script.after_s - ANSWER_S == pytest.approx(parallel_s, rel=0.03)
        assert script.bound_s - ANSWER_S == pytest.approx(eager_s, rel=0.03)
        check_workflow(script.workflow or Plan(()))


def test_a_script_for_few_calls_is_held_against_the_best_rule() -> None:
    script = limited_script(Load((0.99, 0.49, 0.49), ((), (), ())), 2)

    assert script.bound_s == pytest.approx(0.99 + ANSWER_S)
    assert limited_script(script.load, 1).bound_s == pytest.approx(1.97 + ANSWER_S)


def test_who_decides_anew_sees_what_hangs_on_a_step_that_waits_already() -> None:
    seconds, needs = (1.0, 1.5, 0.2, 0.9, 1.5), ((), (), (), (), (2,))
    load = Load(seconds, needs, (0.0, 0.0, 0.1, 0.1, 0.2), 0.2)

    assert Play(load, 2).makespan_s() == pytest.approx(3.2)
    assert Play(load, 2, decides_anew=True).makespan_s() == pytest.approx(2.7)
