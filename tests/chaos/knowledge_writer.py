"""A writer of the knowledge campaign: puts, overwrites and removes small sources, all the time.

Most of its sources are its own, some are every writer's. What the store hasn't acknowledged is
sent again until it has; what it refuses is looked at again where the source is the writer's own,
as `fleetmind learn` does, and left to the others where it isn't.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.knowledge.records import Chunk, SourceRecord, StoredDocument
from cluster.memory.knowledge.vectors import to_half, unit
from cluster.memory.knowledge.wire import document_to_bytes, record_to_bytes
from cluster.memory.namespaces.port import SourceChange
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from tests.chaos.host_process import Surroundings
from tests.chaos.knowledge_ledger import DIMENSIONS, EMBEDDER, NAMESPACES, SHARED, Ledger

OWN_SOURCES = 5_000
"""With eight writers, and what they share, at most 42,000 live records."""
SHARED_SOURCES = 2_000
SHARED_SHARE = 0.1
REMOVED_SHARE = 0.2
COMMON_SHARE = 0.05
"""Of documents whose content others have as well."""
COMMON = 40
PASSAGES = (1, 1, 1, 2, 3)
CHANGES_PER_WRITE = 64
KEPT_S = 10.0
"""How long the store keeps what nothing names any more: a host that is behind finds some gone."""
CHANGES_PER_S = 200.0
"""Of a writer: as much as the hosts can follow on two cores."""
_RETRY_S = 0.05
_WORDS = tuple(f"word{number}" for number in range(400))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change that a writer wants, until the store has said yes or no."""

    key: str
    document: str = ""
    record: bytes = b""
    data: bytes = b""

    @property
    def is_own(self) -> bool:
        """Whether nobody else changes the source."""
        return not self.key.startswith(SHARED)


class Writer:
    """Writes until its process is to stop, then until everything has been answered."""

    def __init__(self, around: Surroundings, namespaces: RedisNamespaces) -> None:
        self._agent = around.spec["agent"]
        self._sources = around.spec.get("sources", OWN_SOURCES)
        self._around = around
        self._namespaces = namespaces
        self._ledger = Ledger(around.folder, self._agent)
        self._rng = random.Random(os.getpid())
        self._numbers = np.random.default_rng(os.getpid())
        self._seen = dict.fromkeys(NAMESPACES, 0)
        """The version of each namespace that the next changes depend on."""
        self._written = 0

    async def run(self) -> None:
        """Write."""
        await self._look()
        due = time.monotonic()
        while not self._around.stopping.is_set():
            due = max(due + CHANGES_PER_WRITE / CHANGES_PER_S, time.monotonic())
            name = self._rng.choice(NAMESPACES)
            await self._hold(name, self._wanted(NAMESPACES.index(name)))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._around.stopping.wait()

    async def _look(self) -> None:
        while True:
            try:
                heads = await self._namespaces.heads(NAMESPACES)
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_S)
            else:
                self._seen.update({name: head.version for name, head in heads.items()})
                return

    async def _hold(self, name: str, wanted: dict[str, Wanted]) -> None:
        """Have the store take changes, by their ids, or refuse them."""
        while wanted:
            base = self._seen[name]
            told = {change: (each.key, bool(each.document)) for change, each in wanted.items()}
            self._ledger.begin(name, told)
            refused, missing = await self._apply(name, wanted, base)
            again = {
                change: each
                for change, each in wanted.items()
                if each.document in missing or (each.key in refused and each.is_own)
            }
            lost = [change for change, each in wanted.items() if each.key in refused]
            held = wanted.keys() - again.keys() - set(lost)
            self._ledger.end(sorted(held), [change for change in lost if change not in again])
            wanted = again

    async def _apply(
        self, name: str, wanted: Mapping[str, Wanted], base: int
    ) -> tuple[frozenset[str], frozenset[str]]:
        documents = {each.document: each.data for each in wanted.values() if each.document}
        changes = [
            SourceChange(each.key, base, each.document, each.record) for each in wanted.values()
        ]
        while True:
            try:
                applied = await self._namespaces.apply(
                    name, changes, documents=documents, kept_s=KEPT_S
                )
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_S)
            else:
                self._seen[name] = applied.version
                return applied.refused, applied.missing

    def _wanted(self, place: int) -> dict[str, Wanted]:
        keys = {self._key(place) for _ in range(CHANGES_PER_WRITE)}
        wanted = {}
        for key in sorted(keys):
            self._written += 1
            change = f"{self._agent}/{os.getpid()}/{self._written}"
            is_removed = self._rng.random() < REMOVED_SHARE
            wanted[change] = Wanted(key) if is_removed else self._put(key, change)
        return wanted

    def _key(self, place: int) -> str:
        """Return a source of a namespace: its number says which namespace that is."""
        is_shared = self._rng.random() < SHARED_SHARE
        owner = SHARED if is_shared else self._agent
        sources = min(SHARED_SOURCES, self._sources) if is_shared else self._sources
        number = self._rng.randrange(sources // len(NAMESPACES)) * len(NAMESPACES) + place
        return f"{owner}-{number}"

    def _put(self, key: str, change: str) -> Wanted:
        if self._rng.random() < COMMON_SHARE:
            rng = random.Random(self._rng.randrange(COMMON))
            numbers = np.random.default_rng(rng.randrange(1 << 32))
            count, data = small_document("what many say", rng, numbers)
        else:
            count, data = small_document(change, self._rng, self._numbers)
        name = hashlib.sha256(data).hexdigest()[:32]
        record = SourceRecord(key, f"/{change}", passages=count, stored_bytes=len(data))
        return Wanted(key, name, record_to_bytes(record), data)


def small_document(
    title: str, rng: random.Random, numbers: np.random.Generator
) -> tuple[int, bytes]:
    """Return how many passages a document of a few words has, and its bytes."""
    count = rng.choice(PASSAGES)
    chunks = tuple(
        Chunk(at, at, f"{title} {at}: {' '.join(rng.choices(_WORDS, k=8))}")
        for at in range(1, count + 1)
    )
    vectors = unit(numbers.standard_normal((count, DIMENSIONS)).astype(np.float32))
    document = StoredDocument(b"", "text", 1, EMBEDDER, DIMENSIONS, chunks, to_half(vectors))
    return count, document_to_bytes(document)


async def write(around: Surroundings) -> None:
    """Be a writer, until the process is to stop."""
    store = await around.store(RedisStore)
    around.log.write("ready")
    try:
        await Writer(around, RedisNamespaces(store)).run()
    finally:
        await store.close()
