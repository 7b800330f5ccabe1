"""What the runtime adds to the time until a user sees the model's first token.

Eight tasks at once on hosts without Ray: from submission to the first `Thought` at the driver,
without the time that the model server took for it. Each runs to its end, so that connections to the
server are kept as in use; the server is fast, or this would take many minutes.

Between two rounds, a plain script asks the same server eight times at once over connections that it
keeps. What it waits beyond the server's own time is the server's queue and the machine's noise: the
floor, which no runtime gets under.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import uvloop

from agents.models.endpoint import chat
from agents.models.port import Asker
from agents.models.simulated.model import Timing
from benchmarks.harness import Figure, Goal, p99_figure, percentile, sample_figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from cluster.kernel.events import Thought
from cluster.kernel.ids import PLAN_STEP
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

AT_ONCE = 8
WORKLOAD = "report"
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


class _Script:
    """Asks the model server for a plan as plainly as can be."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._url = f"{base_url}/chat/completions"
        self._asked = 0
        self._random = random.Random(1)

    async def first_block_s(self) -> tuple[str, float]:
        """Return the name of a request, and the seconds until its stream began to speak."""
        self._asked += 1
        name = f"floor-{self._asked}"
        content = {
            "model": WORKLOAD,
            "stream": True,
            "messages": [{"role": "user", "content": GOAL}],
        }
        headers = chat.headers(Asker(name, "manager", PLAN_STEP), self._random)
        started = time.monotonic()
        taken = 0.0
        async with self._http.post(self._url, json=content, headers=headers) as response:
            async for _ in response.content.iter_any():
                taken = taken or time.monotonic() - started
        return name, taken


async def _first_tokens(
    cluster: PlainCluster, base_url: str, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the seconds until the first token, of tasks and of plain requests."""
    ours: dict[str, float] = {}
    floor: dict[str, float] = {}
    async with cluster.driver() as driver, aiohttp.ClientSession() as http:
        script = _Script(http, base_url)
        for number in range(rounds + 1):
            thoughts = await asyncio.gather(*(_first_thought_s(driver) for _ in range(AT_ONCE)))
            blocks = await asyncio.gather(*(script.first_block_s() for _ in range(AT_ONCE)))
            if number:  # the first round warms up
                ours |= dict(thoughts)
                floor |= dict(blocks)
    return ours, floor


def own_shares_ms(seen: Mapping[str, float], model_s: Mapping[str, float]) -> list[float]:
    """Return of each task what the model's time to its first token leaves, in milliseconds."""
    return [(taken - model_s[task]) * 1000 for task, taken in seen.items()]


def run(*, is_quick: bool) -> list[Figure]:
    """Measure it."""
    with (
        tempfile.TemporaryDirectory() as name,
        ModelServerProcess(Path(name), TIMING.ttft_s, TIMING.tokens_per_s) as server,
        PlainCluster(
            Path(name), ModelSettings(uri=f"openai:{WORKLOAD}", base_url=server.base_url)
        ) as cluster,
    ):
        rounds = 3 if is_quick else 25
        ours, floor = uvloop.run(_first_tokens(cluster, server.base_url, rounds))
        model_s = {
            entry["headers"]["X-Fleetmind-Task"]: entry["first_token"] - entry["received"]
            for entry in server.log()
            if entry["headers"]["X-Fleetmind-Step"] == PLAN_STEP and entry["first_token"]
        }
    shares = own_shares_ms(floor, model_s)
    note = f"{AT_ONCE} requests at once of a script without agents: what no runtime gets under"
    return [
        p99_figure(
            "first_token.runtime_share_p99_ms",
            own_shares_ms(ours, model_s),
            WITHIN,
            note=f"{AT_ONCE} tasks at once",
        ),
        replace(
            sample_figure("first_token.floor_p99_ms", "ms", shares, note=note),
            value=percentile(shares, 0.99),
        ),
    ]
