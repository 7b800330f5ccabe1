"""The whole job on a whole cluster, beside the same job by hand and on other frameworks.

The workload 'report' (see `benchmarks.workloads`) against the model server at 0.3 s to the first
token and 50 tokens a second, ours and the rivals in turns (`benchmarks.report_jobs`). Overhead is
what the critical path, of the model server's and the tools' own timestamps, leaves of the wall time
at the driver. What journalling takes is measured inside the hosts of a cluster without Ray (see
`benchmarks.timed_host`).
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
from benchmarks.report_figures import (
    OVERHEAD_GOAL,
    REPORT_GOALS,
    job_figures,
    journal_figure,
    rival_figures,
)
from benchmarks.report_jobs import GOAL, Bench
from benchmarks.report_outcomes import TIMING, Alternations
from benchmarks.report_rivals import FRAMEWORKS, PLAIN, STREAMED
from cluster.kernel.events import Answered
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

WORKLOAD = "report"
WARM_UP_S = 5.0
"""How long a first task, which isn't counted, is ahead: imports and connections."""
GAP_S = 1.0
"""Between the starts of the tasks whose journalling is measured: they run beside each other."""


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


async def _measure(server: ModelServerProcess, folder: Path, count: int) -> Alternations:
    bench = Bench(WORKLOAD, server, folder)
    async with bench.cluster():
        return await bench.alternate([[STREAMED], [PLAIN], FRAMEWORKS], count)


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `report`."""
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TIMING.ttft_s, TIMING.tokens_per_s) as server,
    ):
        done = asyncio.run(_measure(server, Path(name), 1 if is_quick else 7))
        return [
            *job_figures(WORKLOAD, done.jobs, OVERHEAD_GOAL),
            *rival_figures(WORKLOAD, done, REPORT_GOALS),
            _measure_journal(server, Path(name), 3 if is_quick else 9),
        ]
