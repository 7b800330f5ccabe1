"""The figures of the group `report`, from what was measured: pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.harness import Figure, Goal, sample_figure
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP
from cluster.kernel.vocabulary import Plan

SHARE_NOTE = (
    "'report' at 50 tokens/s, tasks a second apart on hosts without Ray; claim, appends, records of"
    " steps and acknowledgement, those that wait at the same time each counted"
)


def critical_path_s(plan: Plan, durations: Mapping[str, float]) -> float:
    """Return the plan's own time, the longest chain of steps, and the answer's time, in seconds."""
    ends: dict[str, float] = {}
    for step in plan.steps:
        starts = max((ends[need] for need in step.needs), default=0.0)
        ends[step.id] = starts + durations.get(step.id, 0.0)
    return durations[PLAN_STEP] + max(ends.values()) + durations[ANSWER_STEP]


def report_figures(pairs: Sequence[tuple[float, float]]) -> list[Figure]:
    """Return what the runtime adds; of each task the wall time and the critical path."""
    shares = [(wall - path) / wall for wall, path in pairs]
    overheads = [(wall - path) * 1000 for wall, path in pairs]
    walls = [wall for wall, _ in pairs]
    return [
        sample_figure("report.overhead_share", "share", shares, Goal("<=", 0.02)),
        sample_figure("report.overhead_ms", "ms", overheads),
        sample_figure("report.wall_s", "s", walls, note="'report' at 50 tokens/s"),
    ]


def journal_figure(walls: Mapping[str, float], waited: Sequence[Mapping[str, float]]) -> Figure:
    """Return journalling's share of each task: what all hosts waited over the wall time."""
    spent = [sum(each.get(task, 0.0) for each in waited) for task in walls]
    shares = [part / wall for part, wall in zip(spent, walls.values(), strict=True)]
    figure = sample_figure("journal.wall_share", "share", shares, Goal("<=", 0.01), note=SHARE_NOTE)
    return replace(figure, parts={"waited_s": spent, "wall_s": list(walls.values())})
