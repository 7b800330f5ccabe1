"""Pings of the messaging benchmark: a request/reply of one side, and how it is timed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc

from cluster.kernel.envelope import Kind
from cluster.kernel.events import FellBack
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.trace import new_traceparent
from cluster.runtime.messaging.sender import Sender, Unobserved

ASKED_TASK = TaskId("0123456789abcdef0")
FRAMING_BYTES = 22
"""What the fields of the body take beside its text."""
IN_FLIGHT = 64
ASK_TIMEOUT_S = 30.0

Ping = Callable[[int], Awaitable[object]]


@contextlib.contextmanager
def other_process(*arguments: str) -> Iterator[str]:
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


def agent_ping(sender: Sender, body_bytes: int = 100, *, to: str = "echo-0") -> Ping:
    """Return a request/reply between two agents with a protobuf body of that size, of two texts.

    One trace in a hundred is sampled, as where tasks are submitted.
    """
    rng = random.Random(1)
    traces = [new_traceparent(rng, sampled_share=float(each == 0)) for each in range(100)]
    text = "x" * (body_bytes - FRAMING_BYTES)
    _, body = sender.codec.encode(FellBack(ASKED_TASK, text))
    assert abs(len(body) - body_bytes) <= 1

    async def ping(number: int) -> object:
        agent = await sender.replica_of(to, frozenset())
        envelope = sender.envelope(agent, Kind.ASK, FellBack(ASKED_TASK, text))
        envelope.task = TaskId(str(number))
        envelope.traceparent = traces[number % 100]
        envelope.deadline_at = sender.clock.now() + ASK_TIMEOUT_S
        return await sender.ask(envelope)

    return ping


class _Delays(Unobserved):
    """Notes how long each token of an ask was under way."""

    def __init__(self) -> None:
        self.all_ms: list[float] = []

    def on_progress(self, _: AgentId, token: Any, /) -> None:
        self.all_ms.append((time.monotonic() - float(token.text)) * 1e3)


async def token_delays_ms(sender: Sender, agent: str) -> list[float]:
    """Ask an agent for tokens; return how long each was under way, in milliseconds."""
    delays = _Delays()
    envelope = sender.envelope(AgentId(agent), Kind.ASK, FellBack(ASKED_TASK, "go"))
    envelope.task = ASKED_TASK
    envelope.deadline_at = sender.clock.now() + ASK_TIMEOUT_S
    await sender.ask(envelope, delays)
    return delays.all_ms


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


class RayEcho:
    """The body of the Ray actor that is measured beside us."""

    async def echo(self, body: bytes) -> bytes:
        """Return the bytes."""
        return body


@contextlib.contextmanager
def ray_echo() -> Iterator[Callable[[int], Ping]]:
    """Start a Ray actor; yields what makes a ping of it with a body of a size."""
    import ray

    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False, logging_level=logging.ERROR)
    try:
        remote: Any = ray.remote  # its overloads know no actor options
        actor = remote(num_cpus=0, max_concurrency=1024)(RayEcho).remote()

        def make_ping(body_bytes: int) -> Ping:
            body = b"x" * body_bytes

            async def ping(_: int) -> object:
                return await actor.echo.remote(body)

            return ping

        yield make_ping
    finally:
        ray.shutdown()


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
