"""How urgent steps are, until when they may run, and which start next."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

import pytest

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.durations import Durations, WorkKind
from cluster.kernel.tasks.lookahead import OpenStep
from cluster.kernel.tasks.schedule import (
    allowances,
    allowed_s,
    next_starts,
    open_steps,
    priorities,
)
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


def pending(*steps: Step, running: tuple[str, ...] = ()) -> tuple[OpenStep, ...]:
    return open_steps(
        steps,
        NOTHING_LEARNED,
        lambda _: "here",
        running_s={StepId(each): 0.0 for each in running},
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


# ---- what starts next --------------------------------------------------------------------------


def test_without_limits_all_that_is_ready_starts_the_most_urgent_first() -> None:
    steps = (step("a", 1.0), step("b", 5.0), step("c", 2.0, "b"))

    assert next_starts(pending(*steps), {}) == ("b", "a")


def test_a_limit_counts_what_runs() -> None:
    steps = (step("a", 1.0), step("b", 5.0), step("c", 2.0))

    assert next_starts(pending(*steps, running=("b",)), {"here": 2}) == ("c",)
    assert next_starts(pending(*steps, running=("b",)), {"here": 1}) == ()


def test_a_limit_of_one_endpoint_holds_nothing_of_another() -> None:
    steps = (step("a", 1.0), step("b", 5.0))
    elsewhere = open_steps(
        steps, NOTHING_LEARNED, lambda each: "here" if each.id == "b" else "there"
    )

    assert next_starts(elsewhere, {"here": 0}) == ("a",)


def test_a_broadcast_step_is_ready_at_once() -> None:
    early = Step(StepId("b"), "coder", "", (StepId("a"),), is_broadcast=True)

    assert next_starts(pending(step("a", 9.0), early), {}) == ("a", "b")


def test_where_another_rule_ends_sooner_than_the_critical_path_it_decides() -> None:
    # The critical path's rule starts b and d, and leaves a slot idle while c waits for a.
    steps = (step("a", 2.0), step("b", 5.0), step("c", 2.0, "a", "b"), step("d", 5.0))

    assert set(next_starts(pending(*steps), {"here": 2})) == {"a", "b"}


def test_steps_in_a_circle_hang_nothing_up() -> None:
    steps = (step("a", 1.0, "b"), step("b", 2.0, "a"), step("c", 4.0), step("d", 1.0))

    assert next_starts(pending(*steps), {"here": 1}) == ("c",)


def run_of(steps: tuple[Step, ...], limit: int) -> float:
    """Play a plan in virtual time, with steps that take what they are expected to."""
    now, finished, started_at = 0.0, set[StepId](), dict[StepId, float]()
    while len(finished) < len(steps):
        running_s = {each: now - at for each, at in started_at.items()}
        left = open_steps(
            steps, NOTHING_LEARNED, lambda _: "here", finished=finished, running_s=running_s
        )
        for each in next_starts(left, {"here": limit}):
            started_at[each] = now
        ends = {
            each.id: started_at[each.id] + each.expected_s
            for each in steps
            if each.id in started_at
        }
        ended = min(ends, key=lambda each: ends[each])
        now = ends[ended]
        finished.add(ended)
        del started_at[ended]
    return now


@pytest.mark.parametrize("seed", range(50))
def test_a_schedule_ends_no_later_than_the_critical_paths(seed: int) -> None:
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
    urgency = priorities(steps, NOTHING_LEARNED)

    assert run_of(steps, limit) <= list_rule(steps, urgency, limit) + 1e-9


def list_rule(steps: tuple[Step, ...], urgency: dict[StepId, float], limit: int) -> float:
    """Return when the last step ends where the most urgent one that is ready starts."""
    now, ends, finished = 0.0, dict[StepId, float](), set[StepId]()
    while len(finished) < len(steps):
        running = [each for each in ends if each not in finished]
        ready = [s for s in steps if s.id not in ends and finished.issuperset(s.needs)]
        ready.sort(key=lambda each: -urgency[each.id])
        for each in ready[: limit - len(running)]:
            ends[each.id] = now + each.expected_s
        ended = min((each for each in ends if each not in finished), key=lambda each: ends[each])
        now = ends[ended]
        finished.add(ended)
    return now


# ---- what a step that starts may take ----------------------------------------------------------


def test_where_nobody_knows_how_long_steps_take_one_may_have_all_the_time_that_is_left() -> None:
    steps = (step("a", 0.0), step("b", 0.0, "a"))

    assert allowed_s(steps[0], steps, Durations(), 60.0, set()) == 60.0


def test_a_step_gets_its_share_of_the_longest_path_once_durations_are_known() -> None:
    known = Durations().observed("researcher", WorkKind.STEP, 2.0)
    steps = (step("a", 0.0), step("b", 0.0, "a"))

    assert allowed_s(steps[0], steps, known, 60.0, set()) == pytest.approx(30.0)
    assert allowed_s(steps[1], steps, known, 50.0, {StepId("a")}) == pytest.approx(50.0)


def test_a_share_is_a_few_times_what_the_step_usually_takes_at_least() -> None:
    known = Durations().observed("researcher", WorkKind.STEP, 2.0)
    steps = (step("a", 0.0), step("b", 0.0, "a"), step("c", 0.0, "b"), step("d", 0.0, "c"))

    assert allowed_s(steps[0], steps, known, 10.0, set()) == pytest.approx(6.0)


def test_a_bound_of_its_own_holds_as_far_as_there_is_time() -> None:
    bounded = step("a", 0.0, allowed_s=3.0)

    assert allowed_s(bounded, (bounded,), Durations(), 60.0, set()) == 3.0
    assert allowed_s(bounded, (bounded,), Durations(), 2.0, set()) == 2.0
