"""The workload 'uneven', whose steps are of unequal length, beside the frameworks.

As the group `report`: who waits for all steps of a round before the next one loses most of it.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.harness import Figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.report_figures import UNEVEN_GOALS, job_figures, rival_figures
from benchmarks.report_jobs import Bench
from benchmarks.report_outcomes import TIMING, Alternations
from benchmarks.report_rivals import FRAMEWORKS

WORKLOAD = "uneven"


async def _measure(server: ModelServerProcess, folder: Path, count: int) -> Alternations:
    bench = Bench(WORKLOAD, server, folder)
    async with bench.cluster():
        return await bench.alternate([FRAMEWORKS], count)


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `uneven`."""
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TIMING.ttft_s, TIMING.tokens_per_s) as server,
    ):
        done = asyncio.run(_measure(server, Path(name), 1 if is_quick else 7))
        return [*job_figures(WORKLOAD, done.jobs), *rival_figures(WORKLOAD, done, UNEVEN_GOALS)]
