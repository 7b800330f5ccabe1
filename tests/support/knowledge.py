"""Namespaces in memory that count, stall and fail as a test wants it, and pages to learn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.learning import learn
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import Feed, Head, NamespaceLog
from cluster.memory.store.local import LocalStore
from tests.support.hashing_embedder import HashingEmbedder

PAGE = """\
# Heaps

A heap keeps its smallest element first.

```python
import heapq
print(heapq.nsmallest(1, [3, 1, 2]))
```
"""


class Deaf:
    """A feed whose wake-ups are lost."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def wait(self, timeout_s: float) -> frozenset[str]:
        await self._feed.wait(timeout_s)
        return frozenset()

    async def close(self) -> None:
        await self._feed.close()


class CountingNamespaces(LocalNamespaces):
    """Counts the reads of whole namespaces, and holds them up where a test wants it."""

    def __init__(self, clock: Clock) -> None:
        self.store = LocalStore(clock)
        super().__init__(self.store, clock)
        self.loads: list[str] = []
        self.documents_read = 0
        """Round trips that only documents were read in."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_gone = False
        self.errors: list[Exception] = []
        """What the next looks at the heads raise."""
        self.is_silent = False
        """Whether its feeds say nothing."""

    def empty(self) -> None:
        """Lose everything, as a store that is flushed does."""
        self.__init__(self._clock)  # type: ignore[misc]

    async def feed(self) -> Feed:  # type: ignore[override]
        feed = await super().feed()
        return Deaf(feed) if self.is_silent else feed

    async def documents(self, ids: Sequence[str]) -> list[bytes | None]:
        self.documents_read += 1
        return await super().documents(ids)

    async def entries(self, name: str, after: int = 0, *, documents_max: int = 0) -> NamespaceLog:
        if not after:
            self.loads.append(name)
            await self.may_answer.wait()
        if self.is_gone:
            raise StoreUnavailable("the store is gone")
        return await super().entries(name, after, documents_max=documents_max)

    async def heads(self, names: Sequence[str]) -> dict[str, Head]:
        if self.is_gone:
            raise StoreUnavailable("the store is gone")
        if self.errors:
            raise self.errors.pop()
        return await super().heads(names)


def write(folder: Path, pages: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)


async def learned(namespaces: CountingNamespaces, folder: Path, **pages: str) -> str:
    """Learns pages and returns the version they have, with the reads that took forgotten."""
    write(folder, pages)
    done = await learn(namespaces, [folder], embedder=HashingEmbedder())
    namespaces.loads.clear()
    return done.collection


async def caught_up(knowledge: KnowledgeCache, version: int) -> None:
    """Waits until the only namespace that is held can be searched at a version."""
    async with asyncio.timeout(10.0):
        while knowledge.statistics().namespaces[0].version < version:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)
