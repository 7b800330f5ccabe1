"""Messaging between two agents in two processes, beside bare grpc.aio and Ray, in one run.

Round trip at 1 in flight and request/reply throughput at 64 in flight, with the full envelope,
receipts, done, dedupe and trace context on. All on uvloop; alternated, so that a slow moment of the
machine hits every side.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Any

import grpc
import uvloop

from benchmarks.echo_host import start_host
from benchmarks.harness import Figure, Goal, not_run, ratio_figure, sample_figure
from cluster.kernel.envelope import Kind
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks import Cancel
from cluster.kernel.trace import new_traceparent
from cluster.memory.embedded import EmbeddedRedis
from cluster.runtime.sender import Observed, Sender

BODY = "x" * 78
"""With the task's id, a 100-byte protobuf body."""
IN_FLIGHT = 64
ASK_TIMEOUT_S = 30.0

Ping = Callable[[int], Awaitable[object]]


@contextlib.contextmanager
def other_process(*arguments: str) -> Any:
    """Run `benchmarks.echo_host`; yields the line it prints when it is up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.echo_host", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=10)


def agent_ping(sender: Sender) -> Ping:
    """Return a request/reply between two agents."""
    trace = new_traceparent(random.Random(1))

    async def ping(number: int) -> object:
        message = Cancel(TaskId("0123456789abcdef0"), BODY)
        agent = await sender.replica_of("echo-0", frozenset())
        envelope = sender.envelope(agent, Kind.ASK, message)
        envelope.task = TaskId(str(number))
        envelope.traceparent = trace
        envelope.deadline_at = sender.clock.now() + ASK_TIMEOUT_S
        return await sender.ask(envelope, Observed())

    return ping


@contextlib.asynccontextmanager
async def grpc_ping(address: str) -> AsyncIterator[Ping]:
    """Yield a ping over one bare bidirectional stream: one message a write, one at a time."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.stream_stream("/bench.Echo/Open")()
        body = b"x" * 100

        async def ping(_: int) -> object:
            await call.write(body)
            return await call.read()

        yield ping
        await call.done_writing()


async def grpc_throughput(address: str, count: int) -> float:
    """Return messages a second over one bare stream with `IN_FLIGHT` outstanding."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.stream_stream("/bench.Echo/Open")()
        credit = asyncio.Semaphore(IN_FLIGHT)
        body = b"x" * 100

        async def write() -> None:
            for _ in range(count):
                await credit.acquire()
                await call.write(body)

        started = time.perf_counter()
        writer = asyncio.ensure_future(write())
        for _ in range(count):
            await call.read()
            credit.release()
        took = time.perf_counter() - started
        await writer
        await call.done_writing()
        return count / took


async def rtt_us(ping: Ping, count: int) -> list[float]:
    """Return round trips in microseconds, one at a time."""
    taken = []
    for number in range(count):
        started = time.perf_counter()
        await ping(number)
        taken.append((time.perf_counter() - started) * 1e6)
    return taken


async def throughput(ping: Ping, count: int) -> float:
    """Return requests a second with `IN_FLIGHT` outstanding."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await ping(number)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - started)


class RayEcho:
    """The body of the Ray actor that is measured beside us."""

    async def echo(self, body: bytes) -> bytes:
        """Return the bytes."""
        return body


@contextlib.contextmanager
def ray_echo() -> Any:
    """Yield a ping of an async Ray actor, or None where Ray can't be started."""
    import ray

    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False, logging_level=logging.ERROR)
    try:
        remote: Any = ray.remote  # its overloads know no actor options
        actor = remote(num_cpus=0, max_concurrency=1024)(RayEcho).remote()
        body = b"x" * 100

        async def ping(_: int) -> object:
            return await actor.echo.remote(body)

        yield ping
    finally:
        ray.shutdown()


async def _measure(redis_url: str, grpc_address: str, *, is_quick: bool) -> list[Figure]:
    rounds = 3 if is_quick else 9
    pings, messages, ray_messages = (100, 2000, 500) if is_quick else (500, 10_000, 2000)
    box: list[Sender] = []
    host = await start_host("asker-0", redis_url, box.append)
    ours = agent_ping(box[0])
    sides: dict[str, list[list[float]]] = {"ours": [], "grpc": [], "ray": []}
    rates: dict[str, list[float]] = {"ours": [], "grpc": [], "ray": []}
    async with grpc_ping(grpc_address) as bare:
        with ray_echo() as ray_ping:
            for ping in (ours, bare, ray_ping):
                await rtt_us(ping, 200)
            for _ in range(rounds):
                sides["ours"].append(await rtt_us(ours, pings))
                sides["grpc"].append(await rtt_us(bare, pings))
                sides["ray"].append(await rtt_us(ray_ping, pings))
                rates["ours"].append(await throughput(ours, messages))
                rates["grpc"].append(await grpc_throughput(grpc_address, messages))
                rates["ray"].append(await throughput(ray_ping, ray_messages))
    await host.stop()
    return _figures(sides, rates)


def _figures(sides: dict[str, list[list[float]]], rates: dict[str, list[float]]) -> list[Figure]:
    medians = {name: [statistics.median(r) for r in runs] for name, runs in sides.items()}
    flat = {name: [sample for run in runs for sample in run] for name, runs in sides.items()}
    ray_version, grpc_version = version("ray"), version("grpcio")
    figures = [
        ratio_figure(
            "messaging.throughput_vs_ray_async",
            Goal(">=", 15),
            rates["ours"],
            rates["ray"],
            peer="ray async actor call",
            peer_version=ray_version,
        ),
        ratio_figure(
            "messaging.rtt_vs_ray",
            Goal("<=", 0.4),
            medians["ours"],
            medians["ray"],
            peer="ray async actor call",
            peer_version=ray_version,
        ),
        ratio_figure(
            "messaging.rtt_vs_grpc",
            Goal("<=", 1.25),
            medians["ours"],
            medians["grpc"],
            peer="grpc.aio bidirectional ping-pong",
            peer_version=grpc_version,
        ),
    ]
    for name, title in (("ours", "two agents"), ("grpc", "bare grpc.aio"), ("ray", "ray call")):
        figures.append(sample_figure(f"messaging.rtt_us.{name}", "us", flat[name], note=title))
        figures.append(
            sample_figure(
                f"messaging.per_s.{name}", "1/s", rates[name], note=f"{title}, 64 in flight"
            )
        )
    return figures


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `messaging`."""
    try:
        with (
            EmbeddedRedis(is_temporary=True) as redis,
            other_process("agent", "--redis", redis.url),
            other_process("grpc") as grpc_address,
        ):
            return uvloop.run(_measure(redis.url, grpc_address, is_quick=is_quick))
    except ImportError as error:
        return [not_run("messaging.rtt_vs_ray", "<= 0.4", str(error))]
