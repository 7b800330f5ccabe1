"""What the runtime adds to the time until a user sees the model's first token.

Eight tasks at once on hosts without Ray: from submission to the first `Thought` at the driver,
without the time that the model server took for it. Each runs to its end, so that connections to the
server are kept as in use; the server is fast, or this would take many minutes.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import uvloop

from agents.models.simulated.model import Timing
from benchmarks.harness import Figure, Goal, p99_figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from cluster.kernel.events import Thought
from cluster.kernel.ids import PLAN_STEP
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

AT_ONCE = 8
GOAL = "Write a report on the market with a program that adds up its table."
TIMING = Timing(ttft_s=0.3, tokens_per_s=400.0)
WITHIN = Goal("<=", 5)


async def _first_thought_s(driver: Driver) -> tuple[str, float]:
    """Return a task, and the seconds until it showed what its model said."""
    started = time.monotonic()
    task = await driver.submit(GOAL, collection="", timeout_s=60)
    taken = 0.0
    async for event in task:
        if not taken and isinstance(event.detail, Thought):
            taken = time.monotonic() - started
    return task.id, taken


async def _first_thoughts(cluster: PlainCluster, rounds: int) -> dict[str, float]:
    seen: dict[str, float] = {}
    async with cluster.driver() as driver:
        for number in range(rounds + 1):
            found = await asyncio.gather(*(_first_thought_s(driver) for _ in range(AT_ONCE)))
            if number:  # the first round warms up
                seen |= dict(found)
    return seen


def own_shares_ms(seen: Mapping[str, float], model_s: Mapping[str, float]) -> list[float]:
    """Return of each task what the model's time to its first token leaves, in milliseconds."""
    return [(taken - model_s[task]) * 1000 for task, taken in seen.items()]


def run(*, is_quick: bool) -> Figure:
    """Measure it."""
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TIMING.ttft_s, TIMING.tokens_per_s) as server,
        PlainCluster(
            Path(name), ModelSettings(uri="openai:report", base_url=server.base_url)
        ) as cluster,
    ):
        seen = uvloop.run(_first_thoughts(cluster, 3 if is_quick else 25))
        model_s = {
            entry["headers"]["X-Fleetmind-Task"]: entry["first_token"] - entry["received"]
            for entry in server.log()
            if entry["headers"]["X-Fleetmind-Step"] == PLAN_STEP and entry["first_token"]
        }
    return p99_figure(
        "first_token.runtime_share_p99_ms",
        own_shares_ms(seen, model_s),
        WITHIN,
        note=f"{AT_ONCE} tasks at once",
    )
