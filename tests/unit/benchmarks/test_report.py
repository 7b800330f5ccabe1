"""The figures of 'report': overhead, what rivals come to, and journalling's share of a task."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from benchmarks.harness import MET, Goal
from benchmarks.peers.streamed_report import steps_written
from benchmarks.report_figures import job_figures, journal_figure, rival_figures
from benchmarks.report_outcomes import Alternations, Job, spans_of
from benchmarks.report_rivals import PLAIN, RunningRival
from benchmarks.stopwatch import timed, waited_s
from benchmarks.workloads import WORKLOADS


def test_overhead_is_what_the_critical_path_leaves_of_the_wall_time_negative_or_not() -> None:
    jobs = [Job(10.0, 9.0), Job(20.0, 20.4), Job(10.0, 9.5)]

    figures = {figure.name: figure for figure in job_figures("report", jobs)}

    assert figures["report.overhead_share"].samples == pytest.approx([0.1, -0.02, 0.05])
    assert figures["report.overhead_ms"].value == pytest.approx(500.0)
    assert figures["report.wall_s"].value == 10.0


def test_a_rival_that_is_missing_is_shown_as_not_run_beside_those_that_ran() -> None:
    about = {"plain_asyncio": RunningRival(PLAIN, None)}  # type: ignore[arg-type]  # never told
    done = Alternations(
        [Job(9.0, 9.0)], {"plain_asyncio": [10.0]}, about, {"langgraph": "make bench-peers"}
    )
    goals = {"plain_asyncio": Goal("<=", 0.9), "langgraph": Goal("<=", 1.0)}

    plain, langgraph = rival_figures("report", done, goals)

    assert (plain.name, plain.value, plain.verdict) == ("report.vs_plain_asyncio", 0.9, MET)
    assert (langgraph.value, langgraph.note) == (None, "not run: make bench-peers")


def test_model_and_tools_are_at_work_for_the_step_that_they_were_asked_for() -> None:
    headers = {"X-Fleetmind-Step": "r1"}
    entries = [{"headers": headers, "received": 2.0, "last_token": 5.0}]
    tools = [
        {"tool": "search", "step": "r1", "started": 1.5, "ended": 1.6},
        {"tool": "search", "step": "r1", "started": 0.2, "ended": 0.3},
    ]

    assert spans_of(entries, tools, since=1.0) == {"r1": [(2.0, 5.0), (1.5, 1.6)]}


async def test_a_plan_written_by_hand_gives_each_step_with_its_closing_brace() -> None:
    text = WORKLOADS["report"]["manager"]["plan"].text
    seen = 0

    async def pieces() -> AsyncIterator[str]:
        nonlocal seen
        for at in range(0, len(text), 3):
            seen = at + 3
            yield text[at : at + 3]

    given = [(step.id, text[:seen].count("}")) async for step in steps_written(pieces())]

    assert [step for step, _ in given] == ["r1", "r2", "r3", "c1"]
    assert [closed for _, closed in given[:3]] == [1, 2, 3]


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
