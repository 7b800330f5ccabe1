"""A process that keeps a cache of a namespace, for `benchmarks.bench_knowledge`.

It first says how long it took to be ready and how much memory is its own, beyond what a host
without knowledge has; then, of each version it can search, when that was.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

LOOK_S = 0.0005


@dataclass(slots=True)
class HostProcess:
    """The process, seen from the one that started it."""

    process: asyncio.subprocess.Process
    ready_s: float = 0.0
    private_mb: float = 0.0
    _seen: dict[int, float] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def started(cls, url: str, folder: Path, collection: str) -> AsyncIterator[Self]:
        """Run one until the block ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.knowledge_host", url, str(folder), collection,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        host = cls(process)
        try:
            told = await host._told()
            host.ready_s, host.private_mb = told["ready_s"], told["private_mb"]
            yield host
        finally:
            process.kill()
            await process.wait()

    async def seen(self, version: int) -> dict[int, float]:
        """Return when each version was seen, once this one was: by the monotonic clock."""
        seen: dict[int, float] = {}
        last = 0
        while last < version:
            told = await self._told()
            now = int(told["version"])
            seen.update(dict.fromkeys(range(last + 1, now + 1), told["at"]))
            last = now
        return seen

    async def _told(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        told: dict[str, float] = json.loads(line)
        return told


async def main(url: str, folder: str, collection: str) -> None:
    """Be a host: what every host imports is there before the time begins."""
    from cluster.memory.cache.knowledge_cache import KnowledgeCache
    from cluster.memory.namespaces.redis import RedisNamespaces
    from cluster.memory.store.redis import RedisStore
    from cluster.transport import nearest  # noqa: F401 - with gRPC, as every host

    store = await RedisStore.connect(url)
    gc.collect()
    gc.freeze()  # as `cluster.placement.actor.actors` does
    before = private_mb()
    started = time.perf_counter()
    cache = KnowledgeCache(RedisNamespaces(store), folder=Path(folder))
    await cache.lookup(collection, "Is everything there?", 5)
    ready_s = time.perf_counter() - started
    say(ready_s=ready_s, private_mb=private_mb() - before)
    version = 0
    while True:
        now = cache.statistics().namespaces[0].version
        if now != version:
            version = now
            say(version=version, at=time.monotonic())
        await asyncio.sleep(LOOK_S)


def say(**what: float) -> None:
    """Write a line for who started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def private_mb() -> float:
    """Return the memory that no other process shares, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kilobytes = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return kilobytes * 1024 / 1e6


if __name__ == "__main__":
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    asyncio.run(main(*sys.argv[1:]))
