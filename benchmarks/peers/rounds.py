"""Rounds on command, so that the sides of a comparison can alternate within one run.

Runs under the peers' own interpreters: standard library only. A program prints one line of JSON
that says what it is; for each line ``BYTES COUNT`` on its standard input it runs one round and
prints the messages a second, until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

IN_FLIGHT = 64

Ask = Callable[[], Awaitable[object]]


async def requests_a_second(ask: Ask, count: int) -> float:
    """Return how many requests a second are answered with `IN_FLIGHT` outstanding."""
    numbers = iter(range(count))

    async def worker() -> None:
        for _ in numbers:
            await ask()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - started)


async def serve_rounds(
    about: Mapping[str, str], run_round: Callable[[int, int], Awaitable[float]]
) -> None:
    """Run a round of so many bytes and messages for each line, until standard input ends."""
    print(json.dumps(about), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        body_bytes, count = map(int, line.split())
        print(await run_round(body_bytes, count), flush=True)
