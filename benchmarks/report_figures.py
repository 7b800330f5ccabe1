"""The figures of the groups `report`, `uneven` and `ablations`: pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.critical_path import streamed_bound_s
from benchmarks.harness import Figure, Goal, not_run, ratio_figure, sample_figure
from benchmarks.report_outcomes import TIMING, Alternations, Job
from benchmarks.workloads import WORKLOADS

OVERHEAD_GOAL = Goal("<=", 0.005)
BOUND_GOAL = Goal("<=", 1.02)
REPORT_GOALS: Mapping[str, Goal] = {
    "hand_streamed": Goal("<=", 1.005),
    "plain_asyncio": Goal("<=", 0.90),
    "langgraph": Goal("<=", 1.0),
    "llamaindex": Goal("<=", 1.0),
    "openai_agents": Goal("<=", 1.0),
    "autogen": Goal("<=", 1.0),
}
"""What our wall time is to be over a rival's."""
UNEVEN_GOALS: Mapping[str, Goal] = {
    "langgraph": Goal("<=", 0.60),
    "llamaindex": Goal("<=", 1.0),
    "openai_agents": Goal("<=", 1.0),
    "autogen": Goal("<=", 1.0),
}
SPEED_NOTE = "at 50 tokens/s"
BOUND_NOTE = (
    "each step when its line of the plan is streamed and its needs are there; without sandbox runs"
)
SHARE_NOTE = (
    "'report' at 50 tokens/s, tasks a second apart on hosts without Ray; claim, appends, records of"
    " steps and acknowledgement, those that wait at the same time each counted"
)


def job_figures(workload: str, jobs: Sequence[Job], overhead: Goal | None = None) -> list[Figure]:
    """Return what our own jobs took, over their critical paths and over the workload's bound.

    Nothing is clipped: a negative overhead is a fault of the measurement.
    """
    walls, paths = [job.wall_s for job in jobs], [job.path_s for job in jobs]
    overheads = [job.wall_s - job.path_s for job in jobs]
    shares = [over / wall for over, wall in zip(overheads, walls, strict=True)]
    share = sample_figure(f"{workload}.overhead_share", "share", shares, overhead)
    bound_s = streamed_bound_s(WORKLOADS[workload], TIMING)
    return [
        replace(share, parts={"wall_s": walls, "critical_path_s": paths}),
        sample_figure(f"{workload}.overhead_ms", "ms", [each * 1000 for each in overheads]),
        sample_figure(f"{workload}.wall_s", "s", walls, note=SPEED_NOTE),
        ratio_figure(
            f"{workload}.vs_streamed_bound",
            BOUND_GOAL,
            walls,
            [bound_s] * len(walls),
            peer="bound",
            note=BOUND_NOTE,
        ),
    ]


def rival_figures(workload: str, done: Alternations, goals: Mapping[str, Goal]) -> list[Figure]:
    """Return our wall time over that of each rival that is to be measured."""
    figures = []
    walls = [job.wall_s for job in done.jobs]
    for name, goal in goals.items():
        title = f"{workload}.vs_{name}"
        if name in done.missing:
            figures.append(not_run(title, str(goal), done.missing[name]))
            continue
        about = done.about[name]
        figure = ratio_figure(
            title,
            goal,
            walls,
            done.rivals[name],
            peer=name,
            peer_version=about.version,
            note=about.how,
        )
        figures.append(figure)
    return figures


def journal_figure(walls: Mapping[str, float], waited: Sequence[Mapping[str, float]]) -> Figure:
    """Return journalling's share of each task: what all hosts waited over the wall time."""
    spent = [sum(each.get(task, 0.0) for each in waited) for task in walls]
    shares = [part / wall for part, wall in zip(spent, walls.values(), strict=True)]
    figure = sample_figure("journal.wall_share", "share", shares, Goal("<=", 0.01), note=SHARE_NOTE)
    return replace(figure, parts={"waited_s": spent, "wall_s": list(walls.values())})
