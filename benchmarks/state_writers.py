"""Eight processes that write documents of shared state, seen from the one that started them.

Used by `benchmarks.bench_state`. After each slot everything is added up: what the document says was
spent, each writer's own counter in it, and whether all replicas are equal to the last byte.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from redis.asyncio import Redis

from benchmarks.state_boards import Board, board, fact_name, fill
from benchmarks.state_watch import fields_of, json_of
from benchmarks.state_writer import LEAN, TYPED, digest_of
from cluster.kernel.clock import SystemClock
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from cluster.state.editing import plain_fields, policies_of

WRITERS = 8
START_S = 0.4
"""From the order to the first edit: all have opened their documents by then."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What all writers together did in one slot."""

    rate: float
    """Durable commits a second."""
    tries_per_commit: float
    commits_per_append: float
    wrong: int
    """By how many edits the documents are off, lost or counted twice."""


class WriterProcess:
    """One of them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(cls, url: str, number: int) -> AsyncIterator[Self]:
        """Run one until the block ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.state_writer", url, str(number),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            writer = cls(process)
            await writer.told()
            yield writer
        finally:
            process.kill()
            await process.wait()

    def order(self, **what: object) -> None:
        """Send an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    async def told(self) -> dict[str, Any]:
        """Return the next answer."""
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return told


class Writers:
    """All of them, and the server."""

    def __init__(self, url: str, writers: Sequence[WriterProcess]) -> None:
        self._url = url
        self._writers = writers
        self._slots = 0

    @classmethod
    @asynccontextmanager
    async def started(cls, url: str) -> AsyncIterator[Self]:
        """Run them until the block ends."""
        async with AsyncExitStack() as stack:
            starts = (WriterProcess.started(url, number) for number in range(WRITERS))
            yield cls(
                url, await asyncio.gather(*(stack.enter_async_context(each) for each in starts))
            )

    async def slot(self, side: str, seconds: float, *, is_hot: bool) -> Slot:
        """Let all write for a time, one document or each its own, and add up what came of it."""
        self._slots += 1
        base = f"cluster/Board/{self._slots}"
        names = [base if is_hot else f"{base}-{number}" for number in range(WRITERS)]
        async with _store(self._url, side) as store:
            for name in set(names):
                await store.fill(name)
            start = time.monotonic() + START_S
            for writer, name in zip(self._writers, names, strict=True):
                writer.order(side=side, document=name, start=start, seconds=seconds)
            written = [await writer.told() for writer in self._writers]
            commits = [each["commits"] for each in written]
            spent = [sum(commits) if is_hot else each for each in commits]
            digests = await self._digests(spent) if side not in (LEAN, TYPED) else []
            wrong = 0
            for number, name in enumerate(names):
                fields = await store.fields(name)
                wrong += abs(fields["spent"] - spent[number])
                wrong += abs(fields["facts"][fact_name(number)]["seen"] - commits[number])
                wrong += bool(digests) and digests[number] != digest_of(fields)
        total = sum(commits)
        return Slot(
            total / (max(each["ended"] for each in written) - start),
            sum(each["tries"] for each in written) / total,
            total / sum(each["appends"] for each in written),
            wrong,
        )

    async def _digests(self, spent: Sequence[int]) -> list[str]:
        """Return what each replica is, once it has all edits."""
        for writer, each in zip(self._writers, spent, strict=True):
            writer.order(spent=each)
        return [(await writer.told())["digest"] for writer in self._writers]


class _Watched:
    """The rival's documents."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def fill(self, name: str) -> None:
        await self._client.set(name, json_of(plain_fields(board())))

    async def fields(self, name: str) -> dict[str, Any]:
        return fields_of(await self._client.get(name) or b"{}")


class _Shared:
    """Ours, read from their logs by a host that hasn't written them."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @asynccontextmanager
    async def _documents(self) -> AsyncIterator[Documents]:
        documents = Documents(RedisStateLog(self._store), SystemClock(), policies_of(Board))
        try:
            yield documents
        finally:
            await documents.close()

    async def fill(self, name: str) -> None:
        async with self._documents() as documents:
            document = await documents.open(name)
            fill(document, documents.person("bench"), board())
            await document.flushed()

    async def fields(self, name: str) -> dict[str, Any]:
        async with self._documents() as documents:
            return dict((await documents.open(name)).fields)


@asynccontextmanager
async def _store(url: str, side: str) -> AsyncIterator[_Watched | _Shared]:
    if side in (LEAN, TYPED):
        async with Redis.from_url(url) as client:
            yield _Watched(client)
        return
    store = await RedisStore.connect(url)
    try:
        yield _Shared(store)
    finally:
        await store.close()
