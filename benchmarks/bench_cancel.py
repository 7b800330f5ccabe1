"""Cancellation: how soon everything stops, and that 10,000 of them leave nothing behind.

A plain-host cluster with the model server, real sandboxes and an embedded Redis. The first half
cancels one task at a time while a model streams to the Researcher and a program of the Coder runs;
the second cancels thousands at random moments and watches memory, tasks, connections and streams.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop
from redis import Redis

from benchmarks.harness import Figure, Goal, judged, percentile, sample_figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster, descendants, rss_bytes, until
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask

GOAL = "Write a program that prints 42."
DEADLINE_S = 60.0
TOKENS_PER_S = 20.0
LIMIT_MS = 250.0
WARM_UP_SHARE = 0.3
SAMPLE_S = 0.5
WORKERS = 32
STAY_S_MAX = 0.6
"""A task of the storm is cancelled at a random moment up to this after its submission."""
CONCURRENCY = dict.fromkeys(("manager", "researcher", "coder"), 2 * WORKERS)
_PLAN = {
    "steps": [
        {"id": "r1", "agent": "researcher", "instruction": "Find out about 42.", "needs": []},
        {"id": "c1", "agent": "coder", "instruction": GOAL, "needs": []},
    ]
}
_PROGRAM = "```python\nimport time\ntime.sleep(60)\n```\n"
_STARTED = "-I -u /program.py"
"""What a program's command line ends with, and all that follows the interpreter's name."""
SCRIPT = {
    "manager": {"plan": {"text": json.dumps(_PLAN), "tokens": 4}},
    "researcher": {
        "*": {"text": "The answer to all of it is known to be 42. " * 200, "tokens": 4000}
    },
    "coder": {"*": {"text": _PROGRAM, "tokens": 2}},
}


@contextmanager
def cancel_cluster() -> Iterator[tuple[PlainCluster, ModelServerProcess]]:
    """Start a cluster whose tasks never end by themselves."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "script.json"
        script.write_text(json.dumps(SCRIPT), encoding="utf-8")
        server = ModelServerProcess(folder, 0.0, TOKENS_PER_S, script=script)
        stack.enter_context(server)
        model = ModelSettings("openai:simulated", server.base_url)
        cluster = PlainCluster(folder, model, concurrency=CONCURRENCY)
        yield stack.enter_context(cluster), server


# ---- one at a time ---------------------------------------------------------------------------


@dataclass
class Stopped:
    """Milliseconds from a cancel to what it stops, one a cancelled task."""

    terminal: list[float] = field(default_factory=list)
    sandbox: list[float] = field(default_factory=list)
    model: list[float] = field(default_factory=list)


async def stop_times(cluster: PlainCluster, server: ModelServerProcess, count: int) -> Stopped:
    """Cancel tasks one after the other, each while a model streams and a program runs."""
    stopped = Stopped()
    rng = random.Random(1)
    cancelled_at: dict[str, float] = {}
    async with cluster.driver() as driver:
        for _ in range(count):
            task = await driver.submit(GOAL, collection="", timeout_s=DEADLINE_S)
            await _until_streaming_and_running(task)
            await until(lambda: bool(_sandbox(cluster)))
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            handles = _opened(_sandbox(cluster))
            cancelled_at[task.id] = now = time.monotonic()
            await task.cancel()
            ending, killed_at = await asyncio.gather(_ended_at(task), _all_gone_at(handles))
            stopped.terminal.append((ending - now) * 1000)
            stopped.sandbox.append((killed_at - now) * 1000)
        await until(lambda: server.counts()["running"] == 0)
    for entry in server.log():
        since = cancelled_at.get(entry["headers"]["X-Fleetmind-Task"])
        if since is not None and entry["ended"] == "cancelled":
            stopped.model.append((entry["ended_at"] - since) * 1000)
    return stopped


async def _until_streaming_and_running(task: SubmittedTask) -> None:
    missing = {"r1", "program"}
    async for event in task:
        missing.discard("program" if event.kind == "program" else event.step)
        if not missing:
            return
    raise AssertionError("the task ended by itself")


async def _ended_at(task: SubmittedTask) -> float:
    async for event in task:
        if event.is_terminal:
            assert event.kind == "cancelled", event
    return time.monotonic()


def _sandbox(cluster: PlainCluster) -> list[int]:
    """Return all processes of the one sandbox, once the program in it has started."""
    below = descendants(cluster.hosts["coder-0"].pid)
    found = {pid: command for pid, command in below.items() if command.endswith(_STARTED)}
    has_started = any(command.partition(" ")[2] == _STARTED for command in found.values())
    return [*found] if has_started else []


def _opened(pids: Sequence[int]) -> list[int]:
    return [os.pidfd_open(pid) for pid in pids]


async def _all_gone_at(handles: Sequence[int]) -> float:
    """Return when the last of the processes has ended, exactly."""
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[float]] = []
    for handle in handles:
        end: asyncio.Future[float] = loop.create_future()
        loop.add_reader(handle, _note_end, loop, handle, end)
        ends.append(end)
    async with asyncio.timeout(DEADLINE_S):
        return max(await asyncio.gather(*ends))


def _note_end(loop: asyncio.AbstractEventLoop, handle: int, end: asyncio.Future[float]) -> None:
    loop.remove_reader(handle)
    os.close(handle)
    end.set_result(time.monotonic())


# ---- thousands -------------------------------------------------------------------------------


@dataclass
class Storm:
    """What thousands of cancellations came to."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Terminal events."""
    terminal: list[float] = field(default_factory=list)
    """Milliseconds from cancel to terminal event."""
    done: list[float] = field(default_factory=list)
    """Cancellations at the moments of the samples."""
    rss: dict[str, list[float]] = field(default_factory=dict)
    """Bytes at those moments, by process."""
    seconds: float = 0.0
    before: dict[str, dict[str, int]] = field(default_factory=dict)
    after: dict[str, dict[str, int]] = field(default_factory=dict)
    connections: list[int] = field(default_factory=list)
    """Of the store: before, after, and once all hosts have ended."""
    streams: int = 0
    """Requests that the model server still answers in the end."""


async def storm(cluster: PlainCluster, server: ModelServerProcess, count: int) -> Storm:
    """Cancel so many tasks at random moments, and look at what grows meanwhile."""
    result = Storm()
    store = Redis.from_url(cluster.redis_url)
    watched = {name: host.pid for name, host in cluster.hosts.items()}
    watched |= {"driver": os.getpid(), "store": int(store.info("server")["process_id"])}
    first = int(count * WARM_UP_SHARE)
    async with cluster.driver() as driver:
        sampling = asyncio.ensure_future(_sample(watched, result))
        started = time.monotonic()
        await _cancel_many(driver, result, first)
        await _quiet(cluster, server)
        result.before = _gauges(cluster)
        result.connections.append(len(store.client_list()))
        await _cancel_many(driver, result, count - first)
        result.seconds = time.monotonic() - started
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        await _quiet(cluster, server)
        result.after = _gauges(cluster)
        result.connections.append(len(store.client_list()))
        result.streams = server.counts()["running"]
    cluster.stop()
    result.connections.append(len(store.client_list()) - 1)  # this one
    store.close()
    return result


async def _cancel_many(driver: Driver, result: Storm, count: int) -> None:
    numbers = iter(range(count))
    rng = random.Random(count)

    async def work() -> None:
        for _ in numbers:
            task = await driver.submit(GOAL, collection="", timeout_s=DEADLINE_S)
            await asyncio.sleep(rng.uniform(0.0, STAY_S_MAX))
            now = time.monotonic()
            await task.cancel()
            kinds = [event.kind async for event in task if event.is_terminal]
            result.terminal.append((time.monotonic() - now) * 1000)
            result.kinds.update(kinds)

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


async def _sample(watched: Mapping[str, int], result: Storm) -> None:
    while True:
        result.done.append(sum(result.kinds.values()))
        for name, pid in watched.items():
            result.rss.setdefault(name, []).append(rss_bytes(pid))
        await asyncio.sleep(SAMPLE_S)


async def _quiet(cluster: PlainCluster, server: ModelServerProcess) -> None:
    """Wait until no model generates and no program runs."""
    await until(lambda: server.counts()["running"] == 0)
    await until(lambda: not _sandbox(cluster))


def _gauges(cluster: PlainCluster) -> dict[str, dict[str, int]]:
    return {name: host.gauges() for name, host in cluster.hosts.items()}


def slope(done: Sequence[float], sizes: Sequence[float]) -> float:
    """Return the bytes a cancellation adds, by least squares, the warm-up cut off."""
    begin = next(index for index, count in enumerate(done) if count >= WARM_UP_SHARE * done[-1])
    return statistics.linear_regression(done[begin:], sizes[begin:]).slope


# ---- figures ---------------------------------------------------------------------------------


def stop_figures(stopped: Stopped) -> list[Figure]:
    """Return how soon everything stops; each goal is met where the p99 is."""
    goal = Goal("<=", LIMIT_MS)
    samples = {
        "cancel.to_terminal_event_ms": stopped.terminal,
        "cancel.to_model_closed_ms": stopped.model,
        "cancel.to_sandbox_killed_ms": stopped.sandbox,
    }
    return [_p99_figure(name, taken, goal) for name, taken in samples.items()]


def _p99_figure(name: str, samples: Sequence[float], goal: Goal) -> Figure:
    value = percentile(samples, 0.99)
    verdict = "met" if goal.is_met(value, value) else "NOT met"
    note = f"{verdict}; the value is the p99, the interval the median's; max {max(samples):.0f} ms"
    return replace(sample_figure(name, "ms", samples, note=note), value=value, goal=str(goal))


def storm_figures(result: Storm) -> list[Figure]:
    """Return what a storm left behind."""
    n = int(sum(result.kinds.values()))
    note = ", ".join(f"{kind} {count}" for kind, count in sorted(result.kinds.items()))
    figures = [
        Figure("cancel.per_s", n / result.seconds, "1/s", n=n, note=note),
        sample_figure("cancel.storm_to_terminal_event_ms", "ms", result.terminal),
        judged(Figure("cancel.model_streams_left", result.streams, "streams", n=n), Goal("<=", 0)),
    ]
    warm, end, stopped = result.connections
    note = f"{warm} after the warm-up, {end} at the end, the hosts' pools included"
    left = Figure("cancel.store_connections_left", stopped, "connections", n=n, note=note)
    figures.append(judged(left, Goal("<=", 0)))
    for name, sizes in result.rss.items():
        grown = f"{sizes[0] / 2**20:.0f} to {sizes[-1] / 2**20:.0f} MiB"
        role = name.removesuffix("-0")
        parts = {"cancellations": result.done, "bytes": sizes}
        value = slope(result.done, sizes)
        rss = Figure(f"cancel.rss_slope.{role}", value, "B/cancel", n=n, parts=parts, note=grown)
        figures.append(rss)
    for name, before in result.before.items():
        after = result.after[name]
        more = {each: after[each] - count for each, count in before.items()}
        note = ", ".join(
            f"{each} {before[each]} to {after[each]}" for each in ("objects", "handles")
        )
        role = name.removesuffix("-0")
        figures.append(Figure(f"cancel.tasks_left.{role}", more["tasks"], "tasks", n=n, note=note))
    return figures


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `cancel`."""
    with cancel_cluster() as (cluster, server):
        stopped = uvloop.run(stop_times(cluster, server, 20 if is_quick else 200))
    with cancel_cluster() as (cluster, server):
        result = uvloop.run(storm(cluster, server, 1_000 if is_quick else 10_000))
    return stop_figures(stopped) + storm_figures(result)
