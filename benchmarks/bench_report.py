"""The whole job on a whole cluster: what the runtime adds to the model's and the tools' own time.

The workload 'report' (see `benchmarks.workloads`) against the model server at 0.3 s to the first
token and 50 tokens a second. The critical path is computed from the server's own timestamps and the
sandbox's reported runs; overhead is what is left of the wall time at the driver.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Figure, Goal, sample_figure
from benchmarks.model_server_process import ModelServerProcess
from cluster import Cluster
from cluster.kernel.events import Event, PlanReady, ProgramRan
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP
from cluster.kernel.tasks import Plan

GOAL = "Write a report on the market with a program that adds up its table."
TTFT_S = 0.3
TOKENS_PER_S = 50.0


def critical_path_s(plan: Plan, durations: Mapping[str, float]) -> float:
    """Return the plan's own time, the longest chain of steps, and the answer's time, in seconds."""
    ends: dict[str, float] = {}
    for step in plan.steps:
        starts = max((ends[need] for need in step.needs), default=0.0)
        ends[step.id] = starts + durations.get(step.id, 0.0)
    return durations[PLAN_STEP] + max(ends.values()) + durations[ANSWER_STEP]


async def measure_task(cluster: Cluster, server: ModelServerProcess) -> tuple[float, float]:
    """Return wall time and critical path of one task, in seconds."""
    started = time.perf_counter()
    task = await cluster.submit(GOAL, deadline_s=120)
    events: list[Event] = [event async for event in task]
    wall_s = time.perf_counter() - started
    await task
    durations = server.durations(task.id)
    for event in events:
        if isinstance(event.detail, ProgramRan):
            taken_s = event.detail.run.duration_s
            durations[event.step] = durations.get(event.step, 0.0) + taken_s
    plan = next(e.detail.plan for e in events if isinstance(e.detail, PlanReady))
    return wall_s, critical_path_s(plan, durations)


async def _measure(server: ModelServerProcess, folder: Path, count: int) -> list[Figure]:
    config = folder / "fleet.toml"
    config.write_text(f'[model]\nuri = "openai:report"\nbase_url = "{server.base_url}"\n')
    async with Cluster(config=config) as cluster:
        await measure_task(cluster, server)  # imports and connections
        pairs = [await measure_task(cluster, server) for _ in range(count)]
    return _figures(pairs)


def _figures(pairs: Sequence[tuple[float, float]]) -> list[Figure]:
    shares = [(wall - path) / wall for wall, path in pairs]
    overheads = [(wall - path) * 1000 for wall, path in pairs]
    walls = [wall for wall, _ in pairs]
    return [
        sample_figure("report.overhead_share", "share", shares, Goal("<=", 0.05)),
        sample_figure("report.overhead_ms", "ms", overheads),
        sample_figure("report.wall_s", "s", walls, note="'report' at 50 tokens/s"),
    ]


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `report`."""
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TTFT_S, TOKENS_PER_S) as server,
    ):
        return asyncio.run(_measure(server, Path(name), 2 if is_quick else 7))
