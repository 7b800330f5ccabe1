"""A host's cache of the central store's knowledge: what its agents search, and what keeps it near.

It is the port `agents.tools.ports.Knowledge`, which this layer must not import. Look-ups ask
nobody: they answer from what is here, and `cluster.memory.cache.follower` keeps that current.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from cluster.kernel.cache_statistics import CacheStatistics, NamespaceStatistics
from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError
from cluster.kernel.lookup import Lookup, Tier
from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.filters import EVERYTHING, Filter
from cluster.memory.cache.follower import Follower
from cluster.memory.cache.segments import namespace_folder
from cluster.memory.knowledge.embedder import Embedder, WordLlamaEmbedder
from cluster.memory.knowledge.names import KnowledgeVersion
from cluster.memory.knowledge.records import CODE, TEXT
from cluster.memory.knowledge.side_thread import Aside, in_side_thread
from cluster.memory.namespaces.port import Namespaces

if TYPE_CHECKING:
    from cluster.memory.cache.shelf import Shelf
    from cluster.memory.cache.view import KnowledgeView
    from cluster.memory.knowledge.vectors import Vector

BYTES_MAX = 4_000_000_000
"""What the namespaces of a host may take, those of its node's files that it maps included."""
INLINE_PASSAGES_MAX = 1_000
"""Up to here a search takes less than 1 ms and needs no thread (benchmark search.query_ms)."""
SEARCHES_MAX = 4
QUESTION_CHARS_MAX = 2_000
MEMO_MAX = 1_024
REFRESHES_MAX = 3
"""One may be under way that began too early, one may read for a copy that is just replaced."""
TEXTS = Filter(kind=TEXT)
EXAMPLES = Filter(kind=CODE)

_Asked = tuple[str, int, Filter]
"""Question, limit and filter."""


class KnowledgeCache:
    """Searches namespaces of the central store, each kept current from its first look-up on.

    Args:
        namespaces: the central store.
        embedder: makes the vectors of questions; WordLlama, unless told.
        folder: where this node keeps index segments; None keeps everything in memory.
        bytes_max: what is held at most; the namespace that was used last is held in any case.
        clock: for what has to be renewed when.
        aside: where is computed.
    """

    def __init__(
        self,
        namespaces: Namespaces,
        embedder: Embedder | None = None,
        *,
        folder: Path | None = None,
        bytes_max: int = BYTES_MAX,
        clock: Clock | None = None,
        aside: Aside = in_side_thread,
    ) -> None:
        self._namespaces = namespaces
        self._embedder = embedder or WordLlamaEmbedder()
        self._folder = folder
        self._bytes_max = bytes_max
        self._clock = clock or SystemClock()
        self._aside = aside
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        """Oldest use first."""
        self._follower = Follower(namespaces, self._shelves, folder, self._clock, aside)
        self._threads = asyncio.Semaphore(SEARCHES_MAX)
        self._lookups: Counter[Tier] = Counter()
        self._evicted = 0
        self._is_closed = False
        self._closing: set[asyncio.Task[None]] = set()
        """Of namespaces that had to go."""
        self._memo: WeakKeyDictionary[KnowledgeView, dict[_Asked, tuple[Passage, ...]]] = (
            WeakKeyDictionary()
        )
        """What was found, as long as it is what would be found: a view goes when the next comes."""

    async def search(self, collection: str, query: str, limit: int = 5) -> Lookup:
        """Return the best passages, best first; none for an empty collection id or query.

        Args:
            collection: a namespace and the version that it must have at least, as
                `KnowledgeVersion` writes it.
            query: a question.
            limit: how many at most.

        Raises:
            StoreUnavailable: the namespace isn't here and can't be read.
            UsageError: another embedder has made its vectors.
        """
        return await self.lookup(collection, query, limit, TEXTS)

    async def examples(self, collection: str, query: str, limit: int = 3) -> Lookup:
        """Return runnable Python examples, best first; raises what `search` does."""
        return await self.lookup(collection, query, limit, EXAMPLES)

    def is_current(self, found: Lookup) -> bool:
        """Say whether a look-up would find the same now, and could be relied on as far."""
        if not found.namespace:
            return True
        shelf = self._shelves.get(found.namespace)
        view = shelf.view if shelf is not None else None
        stale_s = self._follower.stale_s_of(found.namespace, self._clock.now())
        return view is not None and view.version == found.version and not stale_s

    async def lookup(
        self, collection: str, query: str, limit: int, where: Filter = EVERYTHING
    ) -> Lookup:
        """Return the best of those passages that a filter lets through; raises as `search`."""
        started = self._clock.now()
        question = query.strip()[:QUESTION_CHARS_MAX]
        if not collection or not question or limit < 1:
            return Lookup()
        asked = _asked(collection)
        view, tier = await self._view(asked)
        memo, key = self._memo.setdefault(view, {}), (question, limit, where)
        passages = memo.get(key)
        if passages is not None:
            return self._told(asked.namespace, passages, Tier.MEMO, view, started)
        vector = (await self._embedder.embed([question]))[0]
        found = await self._computed(view, lambda: view.search(question, vector, limit, where))
        passages = memo[key] = tuple(found)
        if len(memo) > MEMO_MAX:
            memo.pop(next(iter(memo)))
        return self._told(asked.namespace, passages, tier, view, started)

    async def nearest(
        self, collection: str, vector: Vector, limit: int, where: Filter = EVERYTHING
    ) -> Lookup:
        """Return the passages of the largest cosines with a vector; raises as `search` does.

        Args:
            collection: as for `search`.
            vector: float32[dimensions], unit L2 norm.
            limit: how many at most.
            where: what they must be.

        Raises:
            UsageError: the vector has other dimensions, or numbers that are not finite.
        """
        started = self._clock.now()
        _check_vector(vector, self._embedder.dimensions)
        asked = _asked(collection)
        view, tier = await self._view(asked)
        if where.is_of_sources:  # which takes a look at each of them
            found = await self._computed(view, lambda: view.nearest(vector, limit, where))
        else:
            found = view.nearest(vector, limit, where)
        return self._told(asked.namespace, tuple(found), tier, view, started)

    async def warm(self, *namespaces: str) -> None:
        """Load what the first look-ups would have to wait for: what is written of some namespaces.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        await self._embedder.embed(["warm"])
        self._follower.start()
        heads = await self._namespaces.heads(namespaces) if namespaces else {}
        for name, head in heads.items():
            if head.version:
                await (await self._shelf(name)).refresh()

    def statistics(self) -> CacheStatistics:
        """Return what is held, and what was done."""
        held = [(shelf, shelf.copy) for shelf in self._shelves.values()]
        return CacheStatistics(
            tuple(
                NamespaceStatistics(
                    shelf.name,
                    copy.version,
                    copy.passages,
                    copy.delta_passages,
                    copy.size,
                    shelf.segments.builds if shelf.segments is not None else 0,
                    shelf.trouble,
                )
                for shelf, copy in held
                if copy is not None
            ),
            self._lookups[Tier.MEMO],
            self._lookups[Tier.LOCAL],
            self._lookups[Tier.CENTRAL],
            self._evicted,
            self._follower.stale_s,
        )

    async def close(self) -> None:
        """Stop following the store, and forget what was read."""
        self._is_closed = True
        await self._follower.stop()
        for shelf in list(self._shelves.values()):
            await shelf.close()
        self._shelves.clear()
        self._memo.clear()

    async def _view(self, asked: KnowledgeVersion) -> tuple[KnowledgeView, Tier]:
        """Return a namespace at the version that is asked for or newer."""
        shelf = await self._shelf(asked.namespace)
        view = shelf.view
        if view is not None and view.version >= asked.version:
            return view, Tier.LOCAL
        # One that is under way may have begun before the version was there.
        for _ in range(REFRESHES_MAX):
            await shelf.refresh()
            view = shelf.view
            if view is not None and view.version >= asked.version:
                return view, Tier.CENTRAL
        raise StoreUnavailable(
            f"the knowledge {asked} is not in the central store: name its files again"
        )

    async def _computed(
        self, view: KnowledgeView, search: Callable[[], list[Passage]]
    ) -> list[Passage]:
        if view.passages <= INLINE_PASSAGES_MAX:
            return search()
        async with self._threads:
            found: list[Passage] = await self._aside(search)
        return found

    def _told(
        self,
        name: str,
        passages: tuple[Passage, ...],
        tier: Tier,
        view: KnowledgeView,
        started: float,
    ) -> Lookup:
        self._lookups[tier] += 1
        if tier is not Tier.MEMO:
            self._evict()
        now = self._clock.now()
        stale_s = self._follower.stale_s_of(name, now)
        return Lookup(passages, tier, view.version, now - started, stale_s, name)

    async def _shelf(self, name: str) -> Shelf:
        new_shelf = None if name in self._shelves else await self._aside(_shelf_class)
        if self._is_closed:
            raise Stopped("the knowledge base is shutting down")
        if new_shelf is not None:
            embedder = self._embedder.name
            root = self._folder and namespace_folder(self._folder, name, embedder)
            shelf = new_shelf(
                name, self._namespaces, self._embedder, self._aside, clock=self._clock, root=root
            )
            self._shelves.setdefault(name, shelf)
        self._shelves.move_to_end(name)
        self._follower.start()
        return self._shelves[name]

    def _evict(self) -> None:
        """Let go of the namespaces that were not used for longest, until the rest fits."""
        for name, shelf in list(self._shelves.items())[:-1]:
            if self._bytes() <= self._bytes_max:
                return
            if shelf.is_busy:
                continue
            del self._shelves[name]
            self._evicted += 1
            closing = asyncio.create_task(shelf.close(), name=f"close {shelf.name}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _bytes(self) -> int:
        copies = (shelf.copy for shelf in self._shelves.values())
        return sum(copy.size for copy in copies if copy is not None)


def _shelf_class() -> type[Shelf]:
    """Import what searches: numpy and faiss take 0.2 s, which hosts without knowledge don't pay."""
    from cluster.memory.cache.shelf import Shelf

    return Shelf


@lru_cache(maxsize=256)
def _asked(collection: str) -> KnowledgeVersion:
    """Return what a task may know.

    Raises:
        StoreUnavailable: it was learned before there were namespaces.
    """
    asked = KnowledgeVersion.parse(collection)
    if asked is None:
        raise StoreUnavailable(
            f"the knowledge {collection} was learned by an earlier version: name its files again"
        )
    return asked


def _check_vector(vector: Vector, dimensions: int) -> None:
    if vector.shape != (dimensions,):
        raise UsageError(f"the vector has the shape {vector.shape}, and {dimensions} are compared")
    if not math.isfinite(float(vector.sum())):
        raise UsageError("the vector has numbers that are not finite")
