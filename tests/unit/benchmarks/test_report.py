"""The figures of 'report': the critical path of a plan, and journalling's share of a task."""

from __future__ import annotations

import pytest

from benchmarks.report_figures import critical_path_s, journal_figure, report_figures
from benchmarks.stopwatch import timed, waited_s
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Step


def test_the_critical_path_is_plan_longest_chain_and_answer() -> None:
    steps = (
        Step(StepId("r1"), "researcher", "", ()),
        Step(StepId("r2"), "researcher", "", ()),
        Step(StepId("c1"), "coder", "", (StepId("r1"), StepId("r2"))),
    )
    durations = {"plan": 1.0, "r1": 5.0, "r2": 7.0, "c1": 2.0, "answer": 3.0}

    assert critical_path_s(Plan(steps), durations) == 1.0 + 7.0 + 2.0 + 3.0


def test_overhead_is_what_the_critical_path_leaves_of_the_wall_time() -> None:
    figures = {f.name: f for f in report_figures([(10.0, 9.0), (20.0, 19.6), (10.0, 9.5)])}

    assert figures["report.overhead_share"].samples == pytest.approx([0.1, 0.02, 0.05])
    assert figures["report.overhead_ms"].value == pytest.approx(500.0)
    assert figures["report.wall_s"].value == 10.0


def test_journalling_is_what_all_hosts_waited_over_each_tasks_own_time() -> None:
    figure = journal_figure({"a": 10.0, "b": 20.0}, [{"a": 0.05, "b": 0.1}, {"a": 0.05}, {}])

    assert figure.samples == pytest.approx([0.01, 0.005])
    assert figure.parts == {"waited_s": pytest.approx([0.1, 0.1]), "wall_s": [10.0, 20.0]}
    assert figure.name == "journal.wall_share"


async def test_what_a_timed_method_takes_is_counted_for_its_task_even_if_it_fails() -> None:
    async def append(journal: object, task: str, number: int, *, is_final: bool) -> int:
        if is_final:
            raise ValueError(task)
        return number

    measured = timed(append)

    assert await measured(object(), "timed-1", 7, is_final=False) == 7
    with pytest.raises(ValueError, match="timed-2"):
        await measured(object(), "timed-2", 7, is_final=True)
    assert waited_s["timed-1"] > 0
    assert waited_s["timed-2"] > 0
