"""A step starts as soon as its needs have ended."""

from __future__ import annotations

from cluster.kernel.ids import StepId
from cluster.kernel.schedule import Schedule
from cluster.kernel.tasks import Failure, Plan, Step, StepResult


def step(name: str, *needs: str) -> Step:
    return Step(StepId(name), "researcher", name, tuple(StepId(need) for need in needs))


def result(name: str) -> StepResult:
    return StepResult(StepId(name), "researcher", name)


def test_independent_steps_start_together() -> None:
    schedule = Schedule(Plan((step("a"), step("b"), step("c", "a", "b"))))

    assert [s.id for s in schedule.start_ready()] == ["a", "b"]
    assert schedule.start_ready() == []


def test_a_step_does_not_wait_for_steps_it_does_not_need() -> None:
    schedule = Schedule(Plan((step("fast"), step("slow"), step("after", "fast"))))
    schedule.start_ready()

    schedule.finish(result("fast"))

    assert [s.id for s in schedule.start_ready()] == ["after"]


def test_results_reach_a_step_in_the_order_it_names_them() -> None:
    last = step("c", "b", "a")
    schedule = Schedule(Plan((step("a"), step("b"), last)))
    schedule.finish(result("a"))
    schedule.finish(result("b"))

    assert [r.step for r in schedule.needed_by(last)] == ["b", "a"]
    assert [r.step for r in schedule.results()] == ["a", "b"]


def test_a_failed_step_counts_as_ended_and_is_seen_by_those_that_need_it() -> None:
    last = step("b", "a")
    schedule = Schedule(Plan((step("a"), last)))
    schedule.start_ready()
    failed = StepResult(StepId("a"), "researcher", Failure("model", "gone"))

    schedule.finish(failed)

    assert schedule.start_ready() == [last]
    assert schedule.needed_by(last) == (failed,)
    assert not schedule.is_finished
