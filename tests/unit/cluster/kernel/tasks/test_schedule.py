"""How urgent steps are, and until when they may run."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.schedule import allowances, allowed_s, priorities, urgencies
from cluster.kernel.vocabulary import Step

NOTHING_LEARNED = Durations()


def step(name: str, seconds: float, *needs: str, allowed_s: float = 0.0) -> Step:
    return Step(
        StepId(name),
        "researcher",
        "",
        tuple(StepId(need) for need in needs),
        expected_s=seconds,
        allowed_s=allowed_s,
    )


DIAMOND = (step("a", 1.0), step("b", 5.0, "a"), step("c", 2.0, "a"), step("d", 3.0, "b", "c"))


# ---- priorities --------------------------------------------------------------------------------


def test_a_priority_is_the_longest_path_to_the_answer() -> None:
    assert priorities(DIAMOND, NOTHING_LEARNED) == {"a": 9.0, "b": 8.0, "c": 5.0, "d": 3.0}


def test_a_step_that_is_named_twice_as_a_need_counts_once() -> None:
    steps = (step("a", 1.0), step("b", 2.0, "a", "a"))

    assert priorities(steps, NOTHING_LEARNED) == {"a": 3.0, "b": 2.0}


def test_a_need_that_is_not_planned_yet_is_passed_over() -> None:
    assert priorities((step("b", 2.0, "later"),), NOTHING_LEARNED) == {"b": 2.0}


def test_steps_in_a_circle_have_their_own_time_only() -> None:
    steps = (step("a", 1.0, "b"), step("b", 2.0, "a"), step("c", 4.0))

    assert priorities(steps, NOTHING_LEARNED) == {"a": 1.0, "b": 2.0, "c": 4.0}


# ---- deadlines ---------------------------------------------------------------------------------


def allowed(
    *steps: Step,
    left_s: float = 90.0,
    finished: Collection[str] = (),
    running_s: Mapping[str, float] | None = None,
) -> dict[str, float]:
    running = {StepId(each): seconds for each, seconds in (running_s or {}).items()}
    ended = {StepId(each) for each in finished}
    shares = allowances(steps, NOTHING_LEARNED, left_s, finished=ended, running_s=running)
    return {str(each): seconds for each, seconds in shares.items()}


def test_the_time_is_shared_out_over_the_critical_path() -> None:
    shares = allowed(*DIAMOND)

    assert shares["a"] == pytest.approx(10.0)
    assert shares["b"] == pytest.approx(60.0)
    assert shares["d"] == pytest.approx(90.0)


def test_a_step_beside_the_critical_path_has_until_its_successor_is_due() -> None:
    assert allowed(*DIAMOND)["c"] == pytest.approx(60.0)


def test_what_a_step_has_saved_goes_to_those_that_follow() -> None:
    shares = allowed(*DIAMOND, left_s=88.0, finished={"a"})

    assert shares["b"] == pytest.approx(55.0)


def test_what_a_running_step_has_used_is_no_longer_expected_of_it() -> None:
    shares = allowed(*DIAMOND, left_s=56.0, finished={"a"}, running_s={"b": 1.0})

    assert shares["b"] == pytest.approx(32.0)


def test_a_step_that_overruns_leaves_the_rest_its_share() -> None:
    shares = allowed(*DIAMOND, left_s=10.0, finished={"a", "c"}, running_s={"b": 50.0})

    assert shares == {"b": 0.0, "d": 10.0}


def test_a_step_that_may_run_gets_what_it_is_allowed() -> None:
    steps = (step("a", 1.0, allowed_s=30.0), step("b", 9.0, "a"))

    assert allowed(*steps, left_s=40.0)["a"] == 30.0
    assert allowed(*steps, left_s=20.0)["a"] == 20.0
    assert allowed(*steps, left_s=40.0, running_s={"a": 10.0})["a"] == 20.0


def test_steps_that_take_no_time_have_all_of_it() -> None:
    steps = (Step(StepId("a"), "researcher", ""),)

    assert allowed(*steps, left_s=8.0, running_s={"a": 100.0}) == {"a": 8.0}


# ---- urgencies where calls are few --------------------------------------------------------------


def urgent_in(steps: Sequence[Step], **limits: int) -> dict[str, float]:
    return {str(each): value for each, value in urgencies(steps, NOTHING_LEARNED, limits).items()}


def order(*steps: Step, researcher: int) -> list[str]:
    """Return the steps with the most urgent one first."""
    urgent = urgent_in(steps, researcher=researcher)
    return sorted(urgent, key=lambda each: -urgent[each])


# By the critical path b and d go first, and one of two calls is idle while c waits for a.
HELD_UP = (step("a", 2.0), step("b", 5.0), step("c", 2.0, "a", "b"), step("d", 5.0))


def test_without_a_limit_urgency_is_the_longest_path() -> None:
    assert urgencies(HELD_UP, NOTHING_LEARNED, {}) == priorities(HELD_UP, NOTHING_LEARNED)


def test_the_limit_of_another_role_changes_nothing() -> None:
    assert urgencies(HELD_UP, NOTHING_LEARNED, {"coder": 1}) == priorities(HELD_UP, NOTHING_LEARNED)


def test_with_a_call_for_every_step_urgency_is_the_longest_path() -> None:
    limits = {"researcher": len(HELD_UP)}

    assert urgencies(HELD_UP, NOTHING_LEARNED, limits) == priorities(HELD_UP, NOTHING_LEARNED)


def test_where_no_other_order_ends_sooner_urgency_is_the_longest_path() -> None:
    steps = (step("a", 1.0), step("b", 5.0), step("c", 3.0))

    assert order(*steps, researcher=2) == ["b", "c", "a"]


def test_where_another_order_ends_sooner_steps_are_urgent_in_that_one() -> None:
    ranked = order(*HELD_UP, researcher=2)

    assert ranked.index("a") < ranked.index("d")


def test_another_order_has_the_same_urgencies_so_that_tasks_compare() -> None:
    urgent = urgencies(HELD_UP, NOTHING_LEARNED, {"researcher": 2})

    assert sorted(urgent.values()) == sorted(priorities(HELD_UP, NOTHING_LEARNED).values())


def test_only_steps_of_a_limited_role_change_their_urgency() -> None:
    others = (replace(step("e", 0.5), agent="coder"), replace(step("f", 0.7), agent="coder"))
    urgent = urgent_in((*HELD_UP, *others), researcher=2)

    assert urgent["a"] > urgent["d"]
    assert (urgent["e"], urgent["f"]) == (0.5, 0.7)


def test_what_begins_without_its_needs_is_not_held_up_by_them() -> None:
    early = replace(HELD_UP[2], is_broadcast=True)
    steps = (HELD_UP[0], HELD_UP[1], early, HELD_UP[3])

    assert urgent_in(steps, researcher=2)["b"] == 7.0


def test_steps_in_a_circle_hang_nothing_up() -> None:
    steps = (step("a", 1.0, "b"), step("b", 2.0, "a"), step("c", 4.0), step("d", 1.0))

    assert order(*steps, researcher=1)[0] == "c"


def queued_s(steps: tuple[Step, ...], urgent: Mapping[StepId, float], limit: int) -> float:
    """Return when the last step ends where the most urgent one that waits is called for."""
    now, ends, finished = 0.0, dict[StepId, float](), set[StepId]()
    while len(finished) < len(steps):
        running = [each for each in ends if each not in finished]
        ready = [each for each in steps if each.id not in ends and finished.issuperset(each.needs)]
        ready.sort(key=lambda each: -urgent[each.id])
        for each in ready[: limit - len(running)]:
            ends[each.id] = now + each.expected_s
        ended = min((each for each in ends if each not in finished), key=lambda each: ends[each])
        now = ends[ended]
        finished.add(ended)
    return now


@pytest.mark.parametrize("seed", range(50))
def test_by_their_urgencies_steps_end_no_later_than_by_the_longest_path(seed: int) -> None:
    rng = random.Random(seed)
    steps = tuple(
        step(
            f"s{number}",
            rng.uniform(0.1, 2.0),
            *(f"s{each}" for each in range(number) if rng.random() < 0.15),
        )
        for number in range(14)
    )
    limit = rng.randint(1, 4)
    urgent = urgencies(steps, NOTHING_LEARNED, {"researcher": limit})

    critical_s = queued_s(steps, priorities(steps, NOTHING_LEARNED), limit)
    assert queued_s(steps, urgent, limit) <= critical_s + 1e-9


# ---- what a step that starts may take ----------------------------------------------------------


def test_where_nobody_knows_how_long_steps_take_one_may_have_all_the_time_that_is_left() -> None:
    steps = (step("a", 0.0), step("b", 0.0, "a"))

    assert allowed_s(steps[0], steps, Durations(), 60.0, set()) == 60.0


def test_a_step_gets_its_share_of_the_longest_path_once_durations_are_known() -> None:
    known = Durations().observed("researcher", 2.0)
    steps = (step("a", 0.0), step("b", 0.0, "a"))

    assert allowed_s(steps[0], steps, known, 60.0, set()) == pytest.approx(30.0)
    assert allowed_s(steps[1], steps, known, 50.0, {StepId("a")}) == pytest.approx(50.0)


def test_a_share_is_a_few_times_what_the_step_usually_takes_at_least() -> None:
    known = Durations().observed("researcher", 2.0)
    steps = (step("a", 0.0), step("b", 0.0, "a"), step("c", 0.0, "b"), step("d", 0.0, "c"))

    assert allowed_s(steps[0], steps, known, 10.0, set()) == pytest.approx(6.0)


def test_a_bound_of_its_own_holds_as_far_as_there_is_time() -> None:
    bounded = step("a", 0.0, allowed_s=3.0)

    assert allowed_s(bounded, (bounded,), Durations(), 60.0, set()) == 3.0
    assert allowed_s(bounded, (bounded,), Durations(), 2.0, set()) == 2.0
