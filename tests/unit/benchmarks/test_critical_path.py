"""The critical path: each step counts from its release on, and what overlaps is counted once."""

from __future__ import annotations

import pytest

from agents.models.simulated.model import Timing
from benchmarks.critical_path import (
    PlannedStep,
    covered_s,
    measured_path_s,
    path_s,
    planned_steps,
    streamed_bound_s,
)
from benchmarks.workloads import WORKLOADS

R1, R2 = PlannedStep("r1", "researcher", (), 0), PlannedStep("r2", "researcher", (), 1)
C1 = PlannedStep("c1", "coder", ("r1", "r2"), 2)
WRITTEN = (11.0, 12.0, 13.0)


def test_a_step_begins_when_it_is_written_and_all_that_it_needs_has_ended() -> None:
    sealed_s = {"r1": 1.0, "r2": 2.0, "c1": 9.0, "plan": 9.5}
    work_s = {"r1": 5.0, "r2": 6.0, "c1": 2.0, "answer": 3.0}

    assert path_s((R1, R2, C1), sealed_s, work_s) == 9.0 + 2.0 + 3.0


def test_the_answer_waits_for_the_end_of_the_plan_too() -> None:
    assert path_s((R1,), {"r1": 1.0, "plan": 8.0}, {"r1": 2.0, "answer": 3.0}) == 11.0


def test_what_comes_between_release_and_work_is_no_part_of_the_path() -> None:
    spans = {"plan": [(10.0, 13.0)], "r1": [(11.5, 16.0)], "answer": [(16.5, 18.0)]}

    assert measured_path_s((R1,), WRITTEN, spans) == pytest.approx(1.0 + 4.5 + 1.5)


def test_what_is_done_for_a_step_before_its_release_counts_nothing() -> None:
    spans = {
        "plan": [(10.0, 13.0)],
        "r1": [(11.0, 20.0)],
        "r2": [(12.0, 19.0)],
        "c1": [(13.0, 13.4), (20.0, 22.0)],
        "answer": [(22.0, 23.0)],
    }

    assert measured_path_s((R1, R2, C1), WRITTEN, spans) == pytest.approx(13.0)


def test_calls_that_overlap_are_counted_once() -> None:
    assert covered_s([(1.0, 3.0), (2.0, 4.0), (2.5, 3.5), (6.0, 7.0)], since=1.5) == 3.5


def test_a_step_is_written_with_the_token_that_has_its_closing_brace() -> None:
    plan = WORKLOADS["report"]["manager"]["plan"]
    pieces = plan.pieces()

    steps = planned_steps(plan)

    assert [(step.id, step.needs) for step in steps] == [
        ("r1", ()),
        ("r2", ()),
        ("r3", ()),
        ("c1", ("r1", "r2")),
    ]
    for number, step in enumerate(steps, start=1):
        assert "".join(pieces[: step.token]).count("}") < number
        assert "".join(pieces[: step.token + 1]).count("}") >= number


@pytest.mark.parametrize(("workload", "bound_s"), [("report", 17.78), ("uneven", 18.5)])
def test_the_bound_of_a_workload_is_near_what_the_peers_were_measured_with(
    workload: str, bound_s: float
) -> None:
    assert streamed_bound_s(WORKLOADS[workload], Timing(0.3, 50.0)) == pytest.approx(bound_s)
