"""Jobs of a workload on a whole cluster and by its rivals, in turns within one run.

Used by the groups `report`, `uneven` and `ablations`. Ours is a cluster as it ships (Ray, Redis,
sandbox); only its knowledge is `benchmarks.report_parts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from benchmarks.critical_path import measured_path_s, planned_steps
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.report_outcomes import Alternations, Job, spans_of
from benchmarks.report_parts import FACTORY, LOG_VARIABLE
from benchmarks.report_rivals import Rival, RunningRival, start_all
from benchmarks.sandbox_service import sandbox_service
from benchmarks.workloads import WORKLOADS
from cluster import Cluster
from cluster.kernel.events import Answered, Event
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.names import LEARNED
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore

GOAL = "Write a report on the market with a program that adds up its table."
APART_S = 0.5
"""Between the starts of jobs that run beside each other."""


class Bench:
    """A model server, and a cluster of ours that it serves."""

    def __init__(self, workload: str, server: ModelServerProcess, folder: Path) -> None:
        self.workload = workload
        self._server = server
        self._folder = folder
        self._cluster: Cluster | None = None

    @contextlib.asynccontextmanager
    async def cluster(self, settings: str = "") -> AsyncIterator[None]:
        """Run a cluster with the settings that are given as TOML beside the bench's own."""
        config = self._folder / "fleet.toml"
        config.write_text(
            f'[model]\nuri = "openai:{self.workload}"\nbase_url = "{self._server.base_url}"\n'
            f'[parts]\nfactory = "{FACTORY}"\n{settings}',
            encoding="utf-8",
        )
        with EmbeddedRedis(is_temporary=True) as redis, _tool_log(self._folder / "tools.jsonl"):
            await _learn_something(redis.url, self._folder)
            async with Cluster(config=config, redis=redis.url) as self._cluster:
                yield
        self._cluster = None

    async def job(self) -> Job:
        """Do the job once."""
        assert self._cluster is not None
        began_at, started = time.monotonic(), time.perf_counter()
        task = await self._cluster.submit(GOAL, deadline_s=120)
        events: list[Event] = [event async for event in task]
        wall_s = time.perf_counter() - started
        assert isinstance(events[-1].detail, Answered), events[-1]
        entries = self._server.entries(task.id)
        steps = planned_steps(WORKLOADS[self.workload]["manager"]["plan"])
        plan = next(each for each in entries if each["headers"]["X-Fleetmind-Step"] == "plan")
        spans = spans_of(entries, _lines(self._folder / "tools.jsonl"), began_at)
        return Job(wall_s, measured_path_s(steps, plan["written"], spans))

    async def alternate(self, turns: Sequence[Sequence[Rival]], count: int) -> Alternations:
        """Do the job so often, ours and each turn of the rivals one after another.

        The rivals of one turn run beside each other. A first round, in which all run beside each
        other, is not counted: imports and connections.
        """
        socket = self._folder / "sandbox"
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(sandbox_service(socket))
            arguments = (self._server.base_url, str(socket))
            flat = [rival for turn in turns for rival in turn]
            started, missing = await start_all(stack, flat, *arguments)
            about = {each.rival.name: each for each in started}
            await asyncio.gather(self.job(), _beside_each_other(started, self.workload))
            jobs: list[Job] = []
            rivals: dict[str, list[float]] = {name: [] for name in about}
            for _ in range(count):
                jobs.append(await self.job())
                for turn in turns:
                    there = [about[each.name] for each in turn if each.name in about]
                    taken = await _beside_each_other(there, self.workload)
                    for each, seconds in zip(there, taken, strict=True):
                        rivals[each.rival.name].append(seconds)
        return Alternations(jobs, rivals, about, missing)


async def _beside_each_other(rivals: Sequence[RunningRival], workload: str) -> list[float]:
    async def job_s(number: int, rival: RunningRival) -> float:
        await asyncio.sleep(number * APART_S)
        return await rival.job_s(workload)

    return await asyncio.gather(*(job_s(*each) for each in enumerate(rivals)))


def _lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@contextlib.contextmanager
def _tool_log(file: Path) -> Iterator[None]:
    """Have the agents' processes that are started meanwhile write to a file."""
    file.touch()
    os.environ[LOG_VARIABLE] = str(file)
    try:
        yield
    finally:
        del os.environ[LOG_VARIABLE]


async def _learn_something(redis_url: str, folder: Path) -> None:
    """Have the store know something, without which nothing is looked up."""
    known = folder / "known.md"
    known.write_text("The market is what this bench is about.\n", encoding="utf-8")
    store = await RedisStore.connect(redis_url)
    try:
        await learn(RedisNamespaces(store), [known], name=LEARNED)
    finally:
        await store.close()
