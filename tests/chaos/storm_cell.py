"""A cancellation storm: a thousand cancels a second, at random moments of many tasks.

Before they start, while they run, while their end is being journaled, twice, and long after. Each
task must have one end, the same for its driver and its journal, and afterwards the cluster must be
as it was: tasks are answered, and no process holds more than before.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from tests.chaos.figures import Figures
from tests.chaos.journal_reader import judge_tasks
from tests.chaos.supervisor import ChaosCluster
from tests.chaos.task_cell import DRIVER, ROLES, drain, ended_again
from tests.chaos.zygote import Zygote

CANCELS_PER_S = 1000
TASKS_PER_S = 60.0
LEASE_S = 5.0
STORM_S_MAX = 180.0
CONNECTIONS_MAX = 16
"""What one process may hold to the store, as `RedisStore.connect` has it."""


async def run_storm_cell(zygote: Zygote, runs: int, seed: int, folder: Path) -> Figures:
    """Send that many cancels; the folder is made for the cell."""
    rng = random.Random(seed)
    figures = Figures("cancellation storm", seed)
    cluster = ChaosCluster(zygote, folder, rng, lease_s=LEASE_S, has_proxies=False)
    async with cluster:
        agents = [(f"{role}-{replica}", role) for replica in range(2) for role in ROLES]
        await asyncio.gather(*[cluster.add(agent, role) for agent, role in agents])
        await cluster.add(
            DRIVER,
            "submitter",
            rate=TASKS_PER_S,
            seed=seed,
            cancels_per_s=CANCELS_PER_S,
            cancels=runs,
        )
        began = time.monotonic()
        async with asyncio.timeout(STORM_S_MAX):
            await cluster.events.until("storm over", STORM_S_MAX)
        figures.recover_s.append(await _until_answered(cluster, figures))
        figures.note(f"{runs / (time.monotonic() - began):.0f} cancels/s")
        await _look_for_leaks(cluster, figures)
        await drain(cluster, figures)
        await judge_tasks(cluster.events.read(), cluster.redis.url, figures)
        for end in cluster.unexpected:
            figures.ended_by_itself += 1
            figures.note(end)
    figures.runs = runs
    return figures


async def _until_answered(cluster: ChaosCluster, figures: Figures) -> float:
    """Return how long it takes until a task is answered again."""
    started = time.monotonic()
    await ended_again(cluster, figures)
    return time.monotonic() - started


async def _look_for_leaks(cluster: ChaosCluster, figures: Figures) -> None:
    """No process holds more connections to the store than its pool has."""
    told = await cluster.redis.command(b"INFO", b"clients")
    found = [line for line in told.decode().splitlines() if line.startswith("connected_clients:")]
    connected = int(found[0].partition(":")[2]) if found else 0
    allowed = (len(cluster.members) + 1) * CONNECTIONS_MAX + 1
    if not 0 < connected <= allowed:
        figures.leaked += 1
        figures.note(f"{connected} connections to the store, {allowed} are allowed")
