"""How soon a user sees something on a resident cluster: the first event, and a whole command.

A resident cluster of its own, with the simulated model at zero latency; beside it, what the runtime
adds to the time to the first token (`benchmarks.first_tokens`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import first_tokens
from benchmarks.harness import Figure, Goal, p99_figure, sample_figure
from cluster import Cluster

GOAL = "What is a heap?"
AT_ONCE = 64
WITHIN = Goal("<=", 100)
COMMAND_TIMEOUT_S = 120.0
_FLEETMIND = (sys.executable, "-m", "cluster")


@contextlib.contextmanager
def resident_cluster() -> Iterator[None]:
    """Bring a cluster up whose files lie in a folder of its own, and down again."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
            old = os.environ.get(variable)
            os.environ[variable] = str(Path(name) / variable)
            stack.callback(_restore, variable, old)
        command("up", "--model", "simulated:")
        stack.callback(command, "down")
        yield


def _restore(variable: str, old: str | None) -> None:
    if old is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = old


def command(*arguments: str) -> float:
    """Run a command of the CLI; return its seconds from shell to exit."""
    started = time.perf_counter()
    subprocess.run(
        [*_FLEETMIND, *arguments], check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S
    )
    return time.perf_counter() - started


async def first_event_ms(cluster: Cluster) -> float:
    """Return milliseconds from submission to the first event from the Manager's host."""
    started = time.perf_counter()
    task = await cluster.submit(GOAL, deadline_s=60)
    async for _ in task:
        break
    taken = time.perf_counter() - started
    await task
    return taken * 1000


async def _first_events(rounds: int) -> tuple[list[float], list[float]]:
    async with Cluster(model="simulated:") as cluster:
        await first_event_ms(cluster)
        alone = [await first_event_ms(cluster) for _ in range(10 * rounds)]
        together: list[float] = []
        for _ in range(rounds):
            together += await asyncio.gather(*(first_event_ms(cluster) for _ in range(AT_ONCE)))
        return alone, together


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `attach`."""
    rounds = 2 if is_quick else 7
    with resident_cluster():
        command("run", GOAL, "--model", "simulated:")
        commands = [command("run", GOAL, "--model", "simulated:") for _ in range(3 * rounds)]
        alone, together = asyncio.run(_first_events(rounds))
    return [
        sample_figure("attach.run_s", "s", commands, Goal("<=", 1.0), note="shell to exit"),
        sample_figure("first_event.ms", "ms", alone, WITHIN, note="one task at a time"),
        p99_figure("first_event.p99_ms", together, WITHIN, note=f"{AT_ONCE} tasks at once"),
        *first_tokens.run(is_quick=is_quick),
    ]
