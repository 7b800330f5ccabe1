"""The figures of slow tasks: percentiles, ratios of them, and what could not be run."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.harness import MET, MISSED, NOT_RUN
from benchmarks.peers.report_job import at_once
from benchmarks.tail_figures import P99_GOAL, Tail, figures_of, ratio_of_tails, tail_figure


def tail(name: str, slow_s: float, requests: int = 6_000, how: str = "") -> Tail:
    """Return the tail of 1,000 tasks of which 40 are slow."""
    walls_s = [2.0] * 960 + [slow_s] * 40
    return Tail(name, walls_s, requests, slow=60, cpu_s=250.0, version="1.2", how=how)


def test_a_tail_is_shown_by_its_percentiles_and_by_what_it_cost() -> None:
    figure = tail_figure(tail("ours", 3.0, requests=6_300, how="first tokens known"))

    assert (figure.value, figure.median, figure.parts["p99.9"]) == (3.0, 2.0, [3.0])
    assert "60 slow requests of 6300, 5.0% extra; 250 ms of CPU a task" in figure.note
    assert figure.note.endswith("; first tokens known")


def test_a_ratio_of_tails_is_met_where_its_whole_interval_is() -> None:
    ours = tail("ours", 3.0)

    met, missed = (ratio_of_tails(ours, tail("peer", slow), P99_GOAL) for slow in (7.5, 5.0))

    assert met.value == pytest.approx(0.4)
    assert (met.ci95, met.verdict) == ((0.4, 0.4), MET)
    assert missed.verdict == MISSED


def test_an_interval_says_how_sure_a_percentile_of_few_slow_tasks_is() -> None:
    few = Tail("few", [2.0] * 990 + [7.0] * 10, requests=6_000, slow=10, cpu_s=1.0)

    assert tail_figure(few).ci95 == (2.0, 7.0)


def test_only_the_best_peers_have_a_goal_and_a_missing_one_is_shown() -> None:
    tails = [tail("ours", 3.0), tail("unhedged", 7.5), tail("llamaindex", 7.5)]

    figures = {each.name: each for each in figures_of(tails, {"openai_agents": "make bench-peers"})}

    assert figures["tail.p99_vs_unhedged"].verdict == ""
    assert figures["tail.p99_vs_llamaindex"].verdict == MET
    assert figures["tail.p99_vs_openai_agents"].verdict == NOT_RUN
    assert figures["tail.p99_s.ours"].n == 1_000


async def test_so_many_jobs_are_done_as_told_and_never_more_beside_each_other() -> None:
    under_way, most = 0, 0

    async def job() -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return 1

    assert await at_once(job, 20, 8) == [1] * 20
    assert most == 8
