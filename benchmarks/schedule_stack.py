"""Seeded plans through a whole cluster without Ray, against what their times allow.

The model server writes each plan, each step's text and the answer by the clock, so the wall time
that a task is held against follows from its script: without limits the shortest there is, with few
calls at once that of the best of five list rules, which know the same. Nothing measured is in it:
what the server or the machine is late counts against us.

Some plans are played at once, each on a cluster with a model server of its own. A cluster's one
Researcher has all calls of its steps, so its process's limit is the endpoint's.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.harness import Figure, Goal, judged, percentile, thinned
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from benchmarks.schedule_ratios import CALLS
from benchmarks.schedule_scripts import (
    TIMING,
    Script,
    declared_published_scripts,
    limited_scripts,
    published_scripts,
    streamed_scripts,
)
from cluster.kernel.events import Answered, Event, PlanReady
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

AT_ONCE = 32
LANES = 2
"""Clusters without a limit, beside one for each number of calls."""
PLAYED_AT_ONCE = 3
"""So many plans leave most of two cores idle."""
GOAL = "Say what is known about the matter."
_AGENTS = ("manager-0", "researcher-0")
_NAME = "schedule.full_stack"
_CALLS = f"calls of 0.05 to 1 s at {TIMING.tokens_per_s:g} tokens/s"
_PUBLISHED = (
    "the worst of the published timings, planned by a model as far as a plan may have so many steps"
    " and all of them declared"
)


@dataclass(frozen=True, slots=True)
class _Lane:
    """A cluster that plays scripts one after another."""

    cluster: PlainCluster
    server: ModelServerProcess
    scripts: Sequence[Script]

    async def walls(self, turns: asyncio.Semaphore) -> list[float]:
        """Return the wall time of each, played when there is a turn for it."""
        walls: list[float] = []
        async with self.cluster.driver() as driver:
            for script in (self.scripts[0], *self.scripts):
                async with turns:
                    walls.append(await self._wall_s(driver, script))
        return walls[1:]  # the first one has waited for imports and connections

    async def _wall_s(self, driver: Driver, script: Script) -> float:
        await asyncio.to_thread(self.server.say, script.lines)
        began_at = time.perf_counter()
        task = await driver.submit(GOAL, collection="", timeout_s=120, workflow=script.workflow)
        events: list[Event] = [event async for event in task]
        wall_s = time.perf_counter() - began_at
        assert isinstance(events[-1].detail, Answered), events[-1]
        planned = next(each.detail.plan for each in events if isinstance(each.detail, PlanReady))
        assert [each.needs for each in planned.steps] == [each.needs for each in script.load.steps]
        return wall_s


@contextlib.contextmanager
def _lane(scripts: Sequence[Script]) -> Iterator[_Lane]:
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TIMING.ttft_s, TIMING.tokens_per_s) as server,
        PlainCluster(
            Path(name),
            ModelSettings("openai:simulated", server.base_url, calls_max=scripts[0].calls_max),
            agents=_AGENTS,
            concurrency={RESEARCHER: AT_ONCE},
        ) as cluster,
    ):
        yield _Lane(cluster, server, scripts)


async def _played(lanes: Sequence[_Lane]) -> list[tuple[Script, float]]:
    turns = asyncio.Semaphore(PLAYED_AT_ONCE)
    walls = await asyncio.gather(*[lane.walls(turns) for lane in lanes])
    return [
        each
        for lane, taken in zip(lanes, walls, strict=True)
        for each in zip(lane.scripts, taken, strict=True)
    ]


def stack_figures(count: int) -> list[Figure]:
    """Return the makespans of so many plans each way, and of the published ones."""
    published = [*declared_published_scripts(), *published_scripts()]
    free = [*published, *streamed_scripts(count)]
    limited = limited_scripts(count)
    parts = [free[number::LANES] for number in range(LANES)]
    parts += [[each for each in limited if each.calls_max == calls] for calls in CALLS]
    with contextlib.ExitStack() as stack:
        lanes = [stack.enter_context(_lane(part)) for part in parts if part]
        began_at = time.perf_counter()
        played = uvloop.run(_played(lanes))
        wall_s = time.perf_counter() - began_at
    return _figures(played, f"{PLAYED_AT_ONCE} at once, {wall_s:.0f} s in all")


def _figures(played: Sequence[tuple[Script, float]], note: str) -> list[Figure]:
    streamed = [each for each in played if each[0].workflow is None]
    limited = [each for each in played if each[0].calls_max is not None]
    overheads = [(wall_s - script.bound_s) * 1000 for script, wall_s in played]
    published = [each for each in played if each[0].is_published]
    return [
        *_makespans(f"{_NAME}_makespan", streamed, f"{_CALLS}, wall over what they allow; {note}"),
        *_makespans(
            f"{_NAME}_limited_vs_best_rule",
            limited,
            f"{_CALLS}, 1 to 4 at once, wall over that of the best of five list rules",
        ),
        _figure(f"{_NAME}_overhead_ms", "ms", overheads, 0.5, "wall less what they allow"),
        *_early_dispatch(published),
    ]


def _early_dispatch(played: Sequence[tuple[Script, float]]) -> list[Figure]:
    """Return the share of the possible speed-up, and that of the seconds which can be saved."""
    speedups = [script.bound_s / wall_s for script, wall_s in played]
    saved = [
        (script.after_s - wall_s) / (script.after_s - script.bound_s) for script, wall_s in played
    ]
    name, note = f"{_NAME}_early_dispatch", f"over dispatch at the plan's end; {_PUBLISHED}"
    shares = {f"{name}_speedup_of_bound": speedups, f"{name}_of_bound": saved}
    return [
        judged(_figure(each, "share", share, 0.0, note), Goal(">=", 0.97))
        for each, share in shares.items()
    ]


def _makespans(name: str, played: Sequence[tuple[Script, float]], note: str) -> list[Figure]:
    ratios = [wall_s / script.bound_s for script, wall_s in played]
    return [
        judged(_figure(f"{name}_p50", "ratio", ratios, 0.5, note), Goal("<=", 1.02)),
        judged(_figure(f"{name}_p99", "ratio", ratios, 0.99, note), Goal("<=", 1.05)),
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
