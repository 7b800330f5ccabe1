"""What no messaging on this machine can be below: a blocking unix socket, and an asyncio task.

The other floors are measured where they are compared with: bare grpc.aio in the group `messaging`.
`python -m benchmarks.bench_floors HANDLE` is the socket's other end.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time

import uvloop

from benchmarks.harness import Figure, sample_figure

BODY = b"x" * 100
PER_SAMPLE = 10
"""Tasks that are timed together: one alone is too short for the clock."""


def socket_rtt_us(count: int) -> list[float]:
    """Return round trips of 100 bytes between two processes that do nothing else."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bench_floors", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        taken = []
        for _ in range(count):
            started = time.perf_counter()
            ours.sendall(BODY)
            ours.recv(len(BODY), socket.MSG_WAITALL)
            taken.append((time.perf_counter() - started) * 1e6)
    process.wait(10)
    return taken[count // 10 :]


async def task_us(count: int) -> list[float]:
    """Return what starting an asyncio task and waiting for it takes."""

    async def nothing() -> None:
        pass

    taken = []
    for _ in range(count):
        started = time.perf_counter()
        for _ in range(PER_SAMPLE):
            await asyncio.ensure_future(nothing())
        taken.append((time.perf_counter() - started) * 1e6 / PER_SAMPLE)
    return taken[count // 10 :]


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `floors`."""
    count = 2000 if is_quick else 20_000
    tasks = uvloop.run(task_us(count // PER_SAMPLE))
    return [
        sample_figure("floor.unix_socket_rtt_us", "us", socket_rtt_us(count), note="blocking"),
        sample_figure("floor.asyncio_task_us", "us", tasks, note="uvloop, one task and its end"),
    ]


def _echo(handle: int) -> None:
    with socket.socket(fileno=handle) as other:
        while data := other.recv(len(BODY), socket.MSG_WAITALL):
            other.sendall(data)


if __name__ == "__main__":
    _echo(int(sys.argv[1]))
