"""Seeded plans through a whole cluster without Ray, against what their times allow.

The model server writes each plan, each step's text and the answer by the clock, so the shortest
wall time there is follows from the script: the plan's steps are sealed at known instants, each
starts once it is sealed and its needs have ended, and the answer is written when all have ended.
Nothing measured is in that bound: what the server or the machine is late counts against us.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from agents.planning.workflow import STEPS_MAX as PLAN_STEPS_MAX
from benchmarks.harness import Figure, Goal, judged, percentile, thinned
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from benchmarks.schedule_scripts import TIMING, Script, published_scripts, scripts
from cluster.kernel.events import Answered, Event, PlanReady
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

AT_ONCE = 32
GOAL = "Say what is known about the matter."
_PUBLISHED = (
    f"the worst of the published timings of up to {PLAN_STEPS_MAX} tools, against dispatch at the"
    " plan's end"
)


async def _wall_s(driver: Driver, server: ModelServerProcess, script: Script) -> float:
    await asyncio.to_thread(server.say, script.lines)
    began_at = time.perf_counter()
    task = await driver.submit(GOAL, collection="", timeout_s=120)
    events: list[Event] = [event async for event in task]
    wall_s = time.perf_counter() - began_at
    assert isinstance(events[-1].detail, Answered), events[-1]
    planned = next(each.detail.plan for each in events if isinstance(each.detail, PlanReady))
    assert [each.needs for each in planned.steps] == [each.needs for each in script.load.steps]
    return wall_s


async def _walls(
    cluster: PlainCluster, server: ModelServerProcess, played: Sequence[Script]
) -> list[float]:
    async with cluster.driver() as driver:
        await _wall_s(driver, server, played[0])  # imports and connections
        return [await _wall_s(driver, server, script) for script in played]


def stack_figures(count: int) -> list[Figure]:
    """Return the makespans of so many seeded plans and of the published ones."""
    seeded, published = scripts(count), published_scripts()
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TIMING.ttft_s, TIMING.tokens_per_s) as server,
        PlainCluster(
            Path(name),
            ModelSettings("openai:simulated", server.base_url),
            concurrency={RESEARCHER: AT_ONCE},
        ) as cluster,
    ):
        walls = uvloop.run(_walls(cluster, server, [*seeded, *published]))
    return _figures(seeded, published, walls)


def _figures(
    seeded: Sequence[Script], published: Sequence[Script], walls: Sequence[float]
) -> list[Figure]:
    played = [*seeded, *published]
    ratios = [wall / each.bound_s for wall, each in zip(walls, played, strict=True)]
    overheads = [(wall - each.bound_s) * 1000 for wall, each in zip(walls, played, strict=True)]
    gained = [
        (each.after_s - wall) / (each.after_s - each.bound_s)
        for wall, each in zip(walls[len(seeded) :], published, strict=True)
    ]
    note = f"calls of 0.05 to 1 s at {TIMING.tokens_per_s:g} tokens/s, wall over what they allow"
    name = "schedule.full_stack"
    return [
        judged(_figure(f"{name}_makespan_p50", "ratio", ratios, 0.5, note), Goal("<=", 1.02)),
        judged(_figure(f"{name}_makespan_p99", "ratio", ratios, 0.99, note), Goal("<=", 1.05)),
        _figure(f"{name}_overhead_ms", "ms", overheads, 0.5, "wall less what they allow"),
        judged(
            _figure(f"{name}_early_dispatch_of_bound", "share", gained, 0.0, _PUBLISHED),
            Goal(">=", 0.97),
        ),
    ]


def _figure(name: str, unit: str, samples: Sequence[float], share: float, note: str) -> Figure:
    return Figure(
        name,
        percentile(samples, share),
        unit,
        n=len(samples),
        median=percentile(samples, 0.5),
        p99=percentile(samples, 0.99),
        samples=thinned(samples),
        note=note,
    )
