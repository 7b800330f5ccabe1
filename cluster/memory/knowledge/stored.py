"""Knowledge as agents search it: namespaces of the central store, loaded beside the agent.

It is the port `agents.tools.ports.Knowledge`, which this layer must not import. What
`cluster.memory.knowledge.learning` puts into the store in any process, any other one can search:
every look-up asks the store for the namespace's version. What was changed since it was loaded is
not shown any more from that moment on; what it was changed to, as soon as it is loaded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError, WireError
from cluster.kernel.vocabulary import Passage
from cluster.memory.knowledge.catalog import Catalog, KnownSource, read_catalog
from cluster.memory.knowledge.embedder import Embedder, WordLlamaEmbedder
from cluster.memory.knowledge.names import KnowledgeVersion
from cluster.memory.knowledge.records import TEXT, Chunk, StoredDocument
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.wire import document_from_bytes
from cluster.memory.namespaces.port import Namespaces

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from cluster.memory.knowledge.search import Entry, HybridIndex
    from cluster.memory.knowledge.vectors import Vectors

NAMESPACES_MAX = 4
"""Namespaces a `StoredKnowledge` keeps ready to be searched."""
INLINE_PASSAGES_MAX = 1_000
"""Up to here a search takes less than 1 ms and needs no thread (benchmark search.query_ms)."""
SEARCHES_MAX = 4
DOCUMENTS_PER_READ = 64
QUESTION_CHARS_MAX = 2_000
READS_MAX = 3
"""So often a namespace is read again whose documents vanish meanwhile, since they were replaced."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A namespace as it was at a version."""

    catalog: Catalog
    documents: Mapping[str, StoredDocument]
    """By their ids: what stays is not fetched again."""
    names: Mapping[str, str]
    """What citations call each source, by its key."""
    texts: HybridIndex
    examples: HybridIndex


@dataclass(slots=True)
class _Shelf:
    """The place of a namespace: what is loaded of it, and what loads something newer."""

    loaded: _Loaded | None = None
    loading: asyncio.Task[_Loaded] | None = None


class StoredKnowledge:
    """Searches namespaces; loads each when it is first asked for and keeps the latest few."""

    def __init__(
        self,
        namespaces: Namespaces,
        embedder: Embedder | None = None,
        *,
        namespaces_max: int = NAMESPACES_MAX,
    ) -> None:
        self._namespaces = namespaces
        self._embedder = embedder or WordLlamaEmbedder()
        self._namespaces_max = namespaces_max
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        """The latest namespaces, each loaded once for all who wait for it; oldest use first."""
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
        self._shelves.clear()

    async def _search(
        self, collection: str, query: str, limit: int, part: Callable[[_Loaded], HybridIndex]
    ) -> list[Passage]:
        question = query.strip()[:QUESTION_CHARS_MAX]
        if not collection or not question:
            return []
        asked = KnowledgeVersion.parse(collection)
        if asked is None:
            raise StoreUnavailable(
                f"the knowledge {collection} was learned by an earlier version: name its files "
                "again"
            )
        loaded, stale = await self._current(asked)
        index = part(loaded)
        if not len(index):
            return []
        vector = (await self._embedder.embed([question]))[0]
        if len(index) <= INLINE_PASSAGES_MAX:
            return _best(index, question, vector, limit, stale)
        async with self._threads:
            return await asyncio.to_thread(_best, index, question, vector, limit, stale)

    async def _current(self, asked: KnowledgeVersion) -> tuple[_Loaded, Collection[str]]:
        """Return a namespace at the version that is asked for or newer, and what is stale in it."""
        shelf = self._shelf(asked.namespace)
        loaded = shelf.loaded
        if loaded is None or loaded.catalog.version < asked.version:
            # One that is under way may have begun before the version was there.
            loaded = await self._load(shelf, asked.namespace)
            if loaded.catalog.version < asked.version:
                loaded = await self._load(shelf, asked.namespace)
        if loaded.catalog.version < asked.version:
            raise StoreUnavailable(
                f"the knowledge {asked} is not in the central store: name its files again"
            )
        try:
            version, newer = await self._newer(loaded, asked.namespace)
        except StoreUnavailable:
            return loaded, ()  # what is here is at least what was asked for
        if version != loaded.catalog.version:
            self._start(shelf, asked.namespace)
        return loaded, newer

    async def _newer(self, loaded: _Loaded, namespace: str) -> tuple[int, Collection[str]]:
        """Return the version there is, and the names of what has changed since it was loaded."""
        head = (await self._namespaces.heads([namespace]))[namespace]
        if head.version == loaded.catalog.version:
            return head.version, ()
        log = await self._namespaces.entries(namespace, loaded.catalog.version)
        sources = loaded.catalog.sources
        return log.version, {
            loaded.names[each.key]
            for each in log.entries
            if each.key in sources and sources[each.key].document != each.document
        }

    def _shelf(self, namespace: str) -> _Shelf:
        shelf = self._shelves.setdefault(namespace, _Shelf())
        self._shelves.move_to_end(namespace)
        while len(self._shelves) > self._namespaces_max:
            self._shelves.popitem(last=False)
        return shelf

    def _start(self, shelf: _Shelf, namespace: str) -> asyncio.Task[_Loaded]:
        """Load what there is now, unless that is under way."""
        if shelf.loading is None:
            read = self._read(namespace, shelf.loaded)
            shelf.loading = asyncio.create_task(read, name=f"load {namespace}")
            self._loading.add(shelf.loading)
            shelf.loading.add_done_callback(lambda load: self._settle(shelf, load))
        return shelf.loading

    async def _load(self, shelf: _Shelf, namespace: str) -> _Loaded:
        load = self._start(shelf, namespace)
        try:
            # One who stops waiting must not stop the others' loading.
            return await asyncio.shield(load)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if load.cancelled() and waiter is not None and not waiter.cancelling():
                raise Stopped("the knowledge base is shutting down") from None
            raise

    def _settle(self, shelf: _Shelf, load: asyncio.Task[_Loaded]) -> None:
        self._loading.discard(load)
        shelf.loading = None
        # Whoever waited has the error; where nobody is left, it is not worth a complaint.
        if not load.cancelled() and load.exception() is None:
            shelf.loaded = load.result()

    async def _read(self, namespace: str, before: _Loaded | None) -> _Loaded:
        catalog = before.catalog if before else None
        documents = dict(before.documents) if before else {}
        lost: set[str] = set()
        for _ in range(READS_MAX):
            catalog = await read_catalog(self._namespaces, namespace, catalog)
            named = dict.fromkeys(each.document for each in catalog.sources.values())
            lost = await self._fetch([each for each in named if each not in documents], documents)
            if not lost:
                kept = {document: documents[document] for document in named}
                return await in_side_thread(_build, catalog, kept, self._embedder.dimensions)
        raise StoreUnavailable(
            f"the knowledge {namespace} is no longer whole in the central store, {len(lost)} of "
            "its documents are missing: name its files again"
        )

    async def _fetch(self, wanted: Sequence[str], into: dict[str, StoredDocument]) -> set[str]:
        """Read documents, and return those that are not there, or no longer readable."""
        lost: set[str] = set()
        for at in range(0, len(wanted), DOCUMENTS_PER_READ):
            some = wanted[at : at + DOCUMENTS_PER_READ]
            stored = await self._namespaces.documents(some)
            read = dict(zip(some, await in_side_thread(_parse, stored), strict=True))
            spoilt = [
                document
                for document, data in zip(some, stored, strict=True)
                if data is not None and read[document] is None
            ]
            if spoilt:
                # Where it is missing, the next `learn` makes it again.
                await self._namespaces.discard(spoilt)
            for document, parsed in read.items():
                if parsed is None:
                    lost.add(document)
                else:
                    self._check_embedder(parsed)
                    into[document] = parsed
        return lost

    def _check_embedder(self, document: StoredDocument) -> None:
        if document.embedder != self._embedder.name:
            raise UsageError(
                f"the knowledge was embedded by {document.embedder}, and the question would "
                f"be by {self._embedder.name}: name its files again"
            )


def _best(
    index: HybridIndex,
    question: str,
    vector: NDArray[float32],
    limit: int,
    stale: Collection[str],
) -> list[Passage]:
    """Search past the passages of stale sources; ``vector`` is float32[dimensions], unit norm."""
    wanted = limit
    while True:
        found = index.search(question, vector, wanted)
        fresh = [each for each in found if each.source not in stale]
        if len(fresh) >= limit or len(found) < wanted:
            return fresh[:limit]
        wanted *= 4


def _parse(stored: Sequence[bytes | None]) -> list[StoredDocument | None]:
    """Return documents, None where there is none or it can't be read."""
    parsed: list[StoredDocument | None] = []
    for data in stored:
        try:
            parsed.append(None if data is None else document_from_bytes(data))
        except WireError:
            parsed.append(None)
    return parsed


def _build(catalog: Catalog, documents: Mapping[str, StoredDocument], dimensions: int) -> _Loaded:
    """Build the indexes of a namespace; takes about 0.1 s per 1,000 passages."""
    import numpy as np

    from cluster.memory.knowledge.search import Entry, HybridIndex
    from cluster.memory.knowledge.vectors import rows_of

    halves: dict[bool, list[Entry]] = {True: [], False: []}
    rows: dict[bool, list[Vectors]] = {True: [], False: []}
    sources: Sequence[KnownSource] = catalog.citable()
    for each in sources:
        document = documents[each.document]
        vectors = rows_of(document.vectors, document.scales, dimensions)
        for chunk, vector in zip(document.chunks, vectors, strict=True):
            is_text = chunk.kind == TEXT
            halves[is_text].append(Entry(_passage(each, chunk), chunk.context))
            rows[is_text].append(vector)
    empty = np.empty((0, dimensions), dtype=np.float32)
    texts, examples = (
        HybridIndex(halves[is_text], np.stack(rows[is_text]) if rows[is_text] else empty)
        for is_text in (True, False)
    )
    names = {each.key: each.record.source for each in sources}
    return _Loaded(catalog, documents, names, texts, examples)


def _passage(source: KnownSource, chunk: Chunk) -> Passage:
    return Passage(
        source=source.record.source,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        kind=chunk.kind,
        title=chunk.title,
        breaks=chunk.breaks,
        page=chunk.page,
        document=source.document,
    )
