"""Knowledge as agents search it: collections of the central store, loaded beside the agent.

It is the port `agents.tools.ports.Knowledge`, which this layer must not import. What
`cluster.memory.knowledge.learning` puts into the store in any process, any other one can search.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError
from cluster.kernel.vocabulary import Passage
from cluster.memory.knowledge.collections import stored_collection
from cluster.memory.knowledge.embedder import Embedder, WordLlamaEmbedder
from cluster.memory.knowledge.records import (
    TEXT,
    Chunk,
    Collection,
    StoredDocument,
    collection_key,
    document_key,
)
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.wire import document_from_bytes
from cluster.memory.store.port import Store

if TYPE_CHECKING:
    from cluster.memory.knowledge.search import Entry, HybridIndex
    from cluster.memory.knowledge.vectors import Vectors

COLLECTIONS_MAX = 4
"""Collections a `StoredKnowledge` keeps ready to be searched."""
INLINE_PASSAGES_MAX = 1_000
"""Up to here a search takes less than 1 ms and needs no thread (benchmark search.query_ms)."""
SEARCHES_MAX = 4
DOCUMENTS_PER_READ = 64
QUESTION_CHARS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class _Loaded:
    texts: HybridIndex
    examples: HybridIndex


class StoredKnowledge:
    """Searches collections; loads each when it is first asked for and keeps the latest few."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder | None = None,
        *,
        collections_max: int = COLLECTIONS_MAX,
    ) -> None:
        self._store = store
        self._embedder = embedder or WordLlamaEmbedder()
        self._collections_max = collections_max
        self._loaded: OrderedDict[str, asyncio.Task[_Loaded]] = OrderedDict()
        """The latest collections, each loaded once for all who wait for it; oldest use first."""
        self._loading: set[asyncio.Task[_Loaded]] = set()
        self._threads = asyncio.Semaphore(SEARCHES_MAX)

    async def search(self, collection: str, query: str, limit: int = 5) -> list[Passage]:
        """Return the best passages, best first; none for an empty collection id or query.

        Raises:
            StoreUnavailable: the collection could not be loaded.
        """
        return await self._search(collection, query, limit, lambda loaded: loaded.texts)

    async def examples(self, collection: str, query: str, limit: int = 3) -> list[Passage]:
        """Return runnable Python examples of the collection, best first.

        Raises:
            StoreUnavailable: the collection could not be loaded.
        """
        return await self._search(collection, query, limit, lambda loaded: loaded.examples)

    async def warm(self) -> None:
        """Load what the first search would have to wait for, about 0.6 s."""
        await self._embedder.embed(["warm"])

    async def close(self) -> None:
        """Stop loading, and forget what was loaded."""
        loading = tuple(self._loading)
        for load in loading:
            load.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        self._loaded.clear()

    async def _search(
        self, collection: str, query: str, limit: int, part: Callable[[_Loaded], HybridIndex]
    ) -> list[Passage]:
        question = query.strip()[:QUESTION_CHARS_MAX]
        if not collection or not question:
            return []
        index = part(await self._load(collection))
        if not len(index):
            return []
        vector = (await self._embedder.embed([question]))[0]
        if len(index) <= INLINE_PASSAGES_MAX:
            return index.search(question, vector, limit)
        async with self._threads:
            return await asyncio.to_thread(index.search, question, vector, limit)

    async def _load(self, collection: str) -> _Loaded:
        load = self._loaded.get(collection)
        if load is None or (load.done() and (load.cancelled() or load.exception())):
            load = asyncio.create_task(self._read(collection), name=f"load {collection}")
            self._loading.add(load)
            load.add_done_callback(self._settle)
            self._loaded[collection] = load
        self._loaded.move_to_end(collection)
        while len(self._loaded) > self._collections_max:
            self._loaded.popitem(last=False)
        try:
            # One who stops waiting must not stop the others' loading.
            return await asyncio.shield(load)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if load.cancelled() and waiter is not None and not waiter.cancelling():
                raise Stopped("the knowledge base is shutting down") from None
            raise

    def _settle(self, load: asyncio.Task[_Loaded]) -> None:
        self._loading.discard(load)
        if not load.cancelled():
            # Whoever waited has the error; where nobody is left, it is not worth a complaint.
            load.exception()

    async def _read(self, collection: str) -> _Loaded:
        found = await stored_collection(self._store, collection)
        if found is None:
            raise StoreUnavailable(
                f"the knowledge {collection} is not in the central store: name its files again"
            )
        documents: dict[str, StoredDocument] = {}
        wanted = list(dict.fromkeys(each.document for each in found.sources))
        for at in range(0, len(wanted), DOCUMENTS_PER_READ):
            some = wanted[at : at + DOCUMENTS_PER_READ]
            stored = await self._store.get_many([document_key(document) for document in some])
            if None in stored:
                # Without its list, the next `learn` writes the documents again.
                await self._store.delete([collection_key(collection)])
                raise StoreUnavailable(
                    f"the knowledge {collection} is no longer whole in the central store: name "
                    "its files again"
                )
            parsed = await in_side_thread(_parse, [data for data in stored if data is not None])
            self._check_embedder(parsed)
            documents.update(zip(some, parsed, strict=True))
        return await in_side_thread(_build, found, documents, self._embedder.dimensions)

    def _check_embedder(self, documents: Sequence[StoredDocument]) -> None:
        for document in documents:
            if document.embedder != self._embedder.name:
                raise UsageError(
                    f"the knowledge was embedded by {document.embedder}, and the question would "
                    f"be by {self._embedder.name}: name its files again"
                )


def _parse(stored: Sequence[bytes]) -> list[StoredDocument]:
    return [document_from_bytes(data) for data in stored]


def _build(
    collection: Collection, documents: Mapping[str, StoredDocument], dimensions: int
) -> _Loaded:
    """Build the indexes of a collection; takes about 0.1 s per 1,000 passages."""
    import numpy as np

    from cluster.memory.knowledge.search import Entry, HybridIndex
    from cluster.memory.knowledge.vectors import from_int8

    halves: dict[bool, list[Entry]] = {True: [], False: []}
    rows: dict[bool, list[Vectors]] = {True: [], False: []}
    for each in collection.sources:
        document = documents[each.document]
        vectors = from_int8(document.vectors, document.scales, dimensions)
        for chunk, vector in zip(document.chunks, vectors, strict=True):
            is_text = chunk.kind == TEXT
            halves[is_text].append(Entry(_passage(each.source, chunk), chunk.context))
            rows[is_text].append(vector)
    empty = np.empty((0, dimensions), dtype=np.float32)
    texts, examples = (
        HybridIndex(halves[is_text], np.stack(rows[is_text]) if rows[is_text] else empty)
        for is_text in (True, False)
    )
    return _Loaded(texts, examples)


def _passage(source: str, chunk: Chunk) -> Passage:
    return Passage(
        source=source,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        kind=chunk.kind,
        title=chunk.title,
        breaks=chunk.breaks,
        page=chunk.page,
    )
