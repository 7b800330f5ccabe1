"""A host of the knowledge campaign: the cache of production, asked all the time.

In the end it waits until it has what the store has, and says what that is: every source with its
version and document, and the nearest passages of some vectors, compared with all of them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cluster.kernel.errors import ClusterError
from cluster.kernel.lookup import Lookup
from cluster.memory.cache.delta import DeltaPart
from cluster.memory.cache.filters import EVERYTHING
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.cache.segment import SegmentPart
from cluster.memory.cache.view import IndexPart, KnowledgeView
from cluster.memory.knowledge.vectors import Vector
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from tests.chaos.host_process import Surroundings
from tests.chaos.knowledge_ledger import (
    DIMENSIONS,
    EMBEDDER,
    NAMESPACES,
    K,
    found_path,
    queries,
    quiesced_path,
)
from tests.support.hashing_embedder import HashingEmbedder

QUIESCE_S = 80.0
"""How long a cache may take to have what the store has, when nothing is hurt any more."""
_ASK_S = 0.1
_LOOK_S = 0.05

Hit = tuple[float, int, int]
"""Cosine, version of the put, number of the passage in it."""


class CacheHost:
    """Asks its cache until its process is to stop, then says what is in it."""

    def __init__(self, around: Surroundings, cache: KnowledgeCache) -> None:
        self._around = around
        self._cache = cache
        self._versions: dict[str, int] = {}
        """Of the latest answer of each namespace."""

    async def run(self) -> None:
        """Ask, then tell."""
        number = 0
        asked = queries()
        while not self._around.stopping.is_set():
            number += 1
            await self._ask(NAMESPACES[number % len(NAMESPACES)], number, asked)
            await asyncio.sleep(_ASK_S)
        heads = json.loads(quiesced_path(self._around.folder).read_text(encoding="utf-8"))
        await self._settle(heads)
        told = {name: await self._tell(name) for name, (version, _) in heads.items() if version}
        path = found_path(self._around.folder, self._around.spec["agent"])
        path.write_text(json.dumps(told), encoding="utf-8")

    async def _ask(self, name: str, number: int, asked: Any) -> None:
        """Ask once. What was there once is there, whatever becomes of the store."""
        try:
            if number % 5:
                found = await self._cache.nearest(f"{name}@0", asked[number % len(asked)], K)
            else:
                found = await self._cache.lookup(f"{name}@0", f"word{number % 400} word7", K)
        except ClusterError as error:
            if name in self._versions:
                self._around.log.write("look-up failed", error=str(error), name=name)
            return
        self._check(name, found)

    def _check(self, name: str, found: Lookup) -> None:
        if found.version < self._versions.get(name, 0):
            self._around.log.write(
                "went back", name=name, to=found.version, since=self._versions[name]
            )
        if found.version:
            self._versions[name] = found.version

    async def _settle(self, heads: dict[str, list[int]]) -> None:
        """Wait until the cache is where the store is."""
        started = time.monotonic()
        wanted = {name: tuple(head) for name, head in heads.items() if head[0]}
        while time.monotonic() - started < QUIESCE_S:
            views = {name: self._view(name) for name in wanted}
            has = {name: (view.version, view.digest) for name, view in views.items() if view}
            if has == wanted:
                self._around.log.write("settled", took_s=time.monotonic() - started)
                return
            for name in wanted.keys() - has.keys():
                await self._ask(name, 1, queries())
            await asyncio.sleep(_LOOK_S)

    def _view(self, name: str) -> KnowledgeView | None:
        shelf = self._cache._shelves.get(name)  # noqa: SLF001 - the very thing that is judged
        return shelf.view if shelf is not None else None

    async def _tell(self, name: str) -> dict[str, Any]:
        view = self._view(name)
        if view is None:
            return {}
        best = [_exact(view, each) for each in queries()]
        near = [
            [
                float(each.score)
                for each in (await self._cache.nearest(f"{name}@0", asked, K)).passages
            ]
            for asked in queries()
        ]
        return {
            "version": view.version,
            "digest": view.digest,
            "sources": sorted(_sources(view)),
            "best": best,
            "near": near,
        }


def _sources(view: KnowledgeView) -> Iterator[tuple[str, int, str]]:
    """Return key, version and document of all that a view has, from what is searched."""
    for part in view.parts:
        match part:
            case SegmentPart():
                table = part.segment.sources
                for put, version in enumerate(table.versions.tolist()):
                    if version not in part.dead:
                        key, document, *_ = table.source(put)
                        yield key, version, document
            case DeltaPart():
                for version, each in part._delta.puts.items():  # noqa: SLF001
                    if version not in part.dead:
                        yield each.put.key, version, each.put.document


def _exact(view: KnowledgeView, vector: Vector) -> list[Hit]:
    """Return the nearest passages of a view, all of its passages compared."""
    hits: list[Hit] = []
    for part in view.parts:
        rows = np.flatnonzero(part.allowed(EVERYTHING).mask)
        scores = part.cosines(rows, vector)
        for at in np.argsort(-scores)[: 2 * K].tolist():
            row = int(rows[at])
            hits.append((float(scores[at]), part.origin(row).version, _place(part, row)))
    return sorted(hits, key=lambda hit: (-hit[0], hit[1:]))[:K]


def _place(part: IndexPart, row: int) -> int:
    """Return which passage of its put a row is: the rows of one follow each other."""
    version, first = part.origin(row).version, row
    while first and part.origin(first - 1).version == version:
        first -= 1
    return row - first


async def keep_cache(around: Surroundings) -> None:
    """Be a host with a cache, until the process is to stop."""
    store = await around.store(RedisStore)
    node = around.spec.get("node")
    cache = KnowledgeCache(
        RedisNamespaces(store),
        HashingEmbedder(EMBEDDER, DIMENSIONS),
        folder=Path(around.folder, node) if node else None,
    )
    around.log.write("ready")
    try:
        await CacheHost(around, cache).run()
    finally:
        await cache.close()
        await store.close()
