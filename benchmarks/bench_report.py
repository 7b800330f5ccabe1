"""The whole job on a whole cluster: what the runtime adds to the model's and the tools' own time.

The workload 'report' (see `benchmarks.workloads`) against the model server at 0.3 s to the first
token and 50 tokens a second. The critical path is computed from the server's own timestamps and the
sandbox's reported runs; overhead is what is left of the wall time at the driver. What journalling
takes is measured inside the hosts of a cluster without Ray (see `benchmarks.timed_host`).
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.harness import Figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from benchmarks.report_figures import critical_path_s, journal_figure, report_figures
from cluster import Cluster
from cluster.kernel.events import Answered, Event, PlanReady, ProgramRan
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

GOAL = "Write a report on the market with a program that adds up its table."
TTFT_S = 0.3
TOKENS_PER_S = 50.0
WARM_UP_S = 5.0
"""How long a first task, which isn't counted, is ahead: imports and connections."""
GAP_S = 1.0
"""Between the starts of the tasks whose journalling is measured: they run beside each other."""


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


async def _wall_s(driver: Driver, delay_s: float) -> tuple[str, float]:
    """Return a task and how long it took at the driver, in seconds."""
    await asyncio.sleep(delay_s)
    started = time.perf_counter()
    task = await driver.submit(GOAL, collection="", timeout_s=120)
    *_, end = [event async for event in task]
    assert isinstance(end.detail, Answered), end
    return task.id, time.perf_counter() - started


async def _walls(cluster: PlainCluster, count: int) -> dict[str, float]:
    async with cluster.driver() as driver:
        starts = [0.0, *(WARM_UP_S + number * GAP_S for number in range(count))]
        _, *walls = await asyncio.gather(*(_wall_s(driver, start) for start in starts))
        return dict(walls)


def _measure_journal(server: ModelServerProcess, folder: Path, count: int) -> Figure:
    model = ModelSettings(uri="openai:report", base_url=server.base_url)
    with PlainCluster(folder, model, host_module="benchmarks.timed_host") as cluster:
        walls = uvloop.run(_walls(cluster, count))
    logs = [host.log_file.read_text(encoding="utf-8") for host in cluster.hosts.values()]
    return journal_figure(walls, [json.loads(log.splitlines()[-1]) for log in logs])


async def _measure(server: ModelServerProcess, folder: Path, count: int) -> list[Figure]:
    config = folder / "fleet.toml"
    config.write_text(f'[model]\nuri = "openai:report"\nbase_url = "{server.base_url}"\n')
    async with Cluster(config=config) as cluster:
        await measure_task(cluster, server)  # imports and connections
        pairs = [await measure_task(cluster, server) for _ in range(count)]
    return report_figures(pairs)


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `report`."""
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TTFT_S, TOKENS_PER_S) as server,
    ):
        figures = asyncio.run(_measure(server, Path(name), 2 if is_quick else 7))
        return [*figures, _measure_journal(server, Path(name), 3 if is_quick else 9)]
