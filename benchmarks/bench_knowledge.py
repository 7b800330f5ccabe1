"""The cache of knowledge at 10,000 and 100,000 passages, on an embedded Redis that syncs writes.

Passages are real text (`benchmarks.knowledge_corpus`), questions are sentences of passages that are
not among them. Beside it in the same run: bare hnswlib tuned to equal recall, and a GET of the same
answer from Redis. What another process of the node takes and how fast it sees a write is measured
by `benchmarks.knowledge_host`.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Figure, Goal, not_run, percentile, sample_figure
from benchmarks.knowledge_forgetting import forgetting
from benchmarks.knowledge_host import HostProcess
from benchmarks.knowledge_peer import ASKED, Corpus, Hnswlib, K, exact, recall_of, sync_us
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from cluster.memory.knowledge.records import Chunk, SourceRecord, StoredDocument
from cluster.memory.knowledge.vectors import Vectors, to_half
from cluster.memory.knowledge.wire import document_to_bytes, record_to_bytes
from cluster.memory.namespaces.port import SourceChange
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore

SIZES = (10_000, 100_000)
QUICK_SIZES = (5_000,)
PER_DOCUMENT = 10
ROUNDS = 5
LOOKUP_GOALS = {10_000: Goal("<=", 1.5), 100_000: Goal("<=", 1.3)}
RECALL_GOAL = Goal(">=", 0.99)
MEMO_GOAL = Goal(">=", 25.0)
HYBRID_GOAL = Goal("<=", 5.0)
LAG_GOAL = Goal("<=", 10.0)
READY_GOAL = Goal("<=", 1.0)
PRIVATE_GOAL = Goal("<=", 50.0)
VISIBLE_GOAL = Goal("<=", 20.0)
LAG_LOOK_S = 0.002


def run(*, is_quick: bool = False) -> list[Figure]:
    """Measure; with ``is_quick`` one small size, and no goal."""
    figures = []
    for size in QUICK_SIZES if is_quick else SIZES:
        figures += asyncio.run(_measure(size))
    return figures


async def _measure(size: int) -> list[Figure]:
    corpus = await Corpus.of(size)
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(data_root=Path(folder) / "data") as server,
    ):
        store = await RedisStore.connect(server.url)
        try:
            return await _figures(store, server.url, corpus, Path(folder) / "cache")
        finally:
            await store.close()


async def _figures(store: RedisStore, url: str, corpus: Corpus, folder: Path) -> list[Figure]:
    size = len(corpus.texts)
    namespaces = RedisNamespaces(store)
    version = await fill(namespaces, corpus.texts, corpus.vectors)
    collection = f"bench@{version}"
    cache = KnowledgeCache(namespaces, folder=folder)
    figures = []
    try:
        async with _lag_ms() as lags:
            started = time.perf_counter()
            await cache.warm("bench")
            built_s = time.perf_counter() - started
        figures += [
            Figure(
                f"cache.build_s_{size}", built_s, "s", n=1, note="from the store, nothing local"
            ),
            sample_figure(f"cache.loop_lag_ms_{size}", "ms", lags, note="while it is built"),
            _p99(f"cache.loop_lag_p99_ms_{size}", lags, LAG_GOAL),
        ]
        figures += await _lookups(cache, collection, corpus)
        figures += await _questions(cache, collection, corpus, store)
        figures += await _other_process(cache, url, folder, collection)
        figures += await _with_delta(cache, namespaces, corpus)
        figures += await _visibility(cache, namespaces, url, folder, corpus)
        figures += await forgetting(namespaces, url, folder, WordLlamaEmbedder.name, size)
    finally:
        await cache.close()
    return figures


async def fill(
    namespaces: RedisNamespaces, texts: Sequence[str], vectors: Vectors, prefix: str = "docs"
) -> int:
    """Put texts into the namespace `bench`, ten a document, and return its version."""
    version = 0
    for at in range(0, len(texts), PER_DOCUMENT * 100):
        changes, documents = [], {}
        for start in range(at, min(at + PER_DOCUMENT * 100, len(texts)), PER_DOCUMENT):
            end = start + PER_DOCUMENT
            change, data = put_of(f"{prefix}/{start}.md", texts[start:end], vectors[start:end])
            changes.append(change)
            documents[change.document] = data
        version = (await namespaces.apply("bench", changes, documents=documents)).version
    return version


def put_of(source: str, texts: Sequence[str], vectors: Vectors) -> tuple[SourceChange, bytes]:
    """Return the change that puts some texts as one source, and their document."""
    chunks = tuple(Chunk(at, at, text) for at, text in enumerate(texts, 1))
    document = StoredDocument(
        b"", "text", 1, WordLlamaEmbedder.name, vectors.shape[1], chunks, to_half(vectors), ()
    )
    data = document_to_bytes(document)
    record = SourceRecord(source, f"/{source}", passages=len(texts))
    key = hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
    name = hashlib.sha256(data + source.encode()).hexdigest()[:32]
    return SourceChange(key, 1 << 40, name, record_to_bytes(record)), data


async def _lookups(cache: KnowledgeCache, collection: str, corpus: Corpus) -> list[Figure]:
    """Compare look-ups by vector with bare hnswlib of equal recall, in turns."""
    size = len(corpus.texts)
    truth = exact(corpus)
    ids = {text: number for number, text in enumerate(corpus.texts)}
    found = [
        np.array([ids[each.text] for each in (await cache.nearest(collection, each, K)).passages])
        for each in corpus.asked
    ]
    recall = recall_of(found, truth)
    name = f"cache.lookup_vs_hnswlib_{size}"
    figures = [
        Figure(
            f"cache.lookup_recall8_{size}", recall, "share", goal=str(RECALL_GOAL), n=len(truth),
            note=RECALL_GOAL.verdict(recall, recall),
        )
    ]  # fmt: skip
    try:
        peer = Hnswlib.quickest(corpus, truth, recall)
    except ImportError:
        return [*figures, not_run(name, str(LOOKUP_GOALS.get(size, "")), "hnswlib isn't installed")]
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours += [await _timed_us(cache.nearest, collection, each, K) for each in corpus.asked]
        theirs += [sync_us(peer.ask, each) for each in corpus.asked]
    ratios = [
        percentile(ours[at : at + ASKED], 0.5) / percentile(theirs[at : at + ASKED], 0.5)
        for at in range(0, len(ours), ASKED)
    ]
    note = f"recall {recall:.4f}, hnswlib {peer.recall:.4f}: M {peer.links}, ef {peer.ef}"
    return [
        *figures,
        sample_figure(f"cache.lookup_us_{size}", "us", ours),
        sample_figure(f"cache.lookup_us_{size}.hnswlib", "us", theirs, note=note),
        sample_figure(name, "x", ratios, LOOKUP_GOALS.get(size), note=note),
    ]


async def _timed_us(ask: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    await ask(*arguments)
    return (time.perf_counter() - started) * 1e6


async def _questions(
    cache: KnowledgeCache, collection: str, corpus: Corpus, store: RedisStore
) -> list[Figure]:
    """Ask whole questions for the first time, then again, beside a GET of the same answer."""
    size = len(corpus.texts)
    async with _lag_ms() as lags:
        first = [
            await _timed_us(cache.lookup, collection, each, 5) / 1_000 for each in corpus.questions
        ]
    question = corpus.questions[0]
    found = await cache.lookup(collection, question, 5)
    await store.put_many({"bench/answer": "\n".join(each.text for each in found.passages).encode()})
    again: list[float] = []
    gets: list[float] = []
    for _ in range(ROUNDS):
        again += [await _timed_us(cache.lookup, collection, question, 5) for _ in range(ASKED)]
        gets += [await _timed_us(store.get_many, ["bench/answer"]) for _ in range(ASKED)]
    ratios = [
        percentile(gets[at : at + ASKED], 0.5) / percentile(again[at : at + ASKED], 0.5)
        for at in range(0, len(again), ASKED)
    ]
    goal = HYBRID_GOAL if size == SIZES[-1] else None
    return [
        sample_figure(f"search.hybrid_ms_{size}", "ms", first, goal, note="embedded, off the loop"),
        _p99(f"search.loop_lag_p99_ms_{size}", lags, LAG_GOAL),
        sample_figure(f"cache.memo_us_{size}", "us", again),
        sample_figure(f"cache.redis_get_us_{size}", "us", gets),
        sample_figure(f"cache.exact_vs_redis_get_{size}", "x", ratios, MEMO_GOAL),
    ]


async def _other_process(
    cache: KnowledgeCache, url: str, folder: Path, collection: str
) -> list[Figure]:
    size = len_of(cache)
    figures = []
    ready, private = [], []
    for _ in range(ROUNDS):
        async with HostProcess.started(url, folder, collection) as host:
            ready.append(host.ready_s)
            private.append(host.private_mb)
    goals = (READY_GOAL, PRIVATE_GOAL) if size >= SIZES[-1] else (None, None)
    figures.append(sample_figure(f"cache.second_process_ready_s_{size}", "s", ready, goals[0]))
    figures.append(sample_figure(f"cache.second_process_mb_{size}", "MB", private, goals[1]))
    return figures


def len_of(cache: KnowledgeCache) -> int:
    """Return how many passages a cache holds."""
    return sum(each.passages for each in cache.statistics().namespaces)


async def _with_delta(
    cache: KnowledgeCache, namespaces: RedisNamespaces, corpus: Corpus
) -> list[Figure]:
    """Look up beside a delta of 1 %."""
    size = len(corpus.texts)
    count = size // 100
    turned = np.roll(corpus.vectors[:count], 1, axis=1)
    version = await fill(
        namespaces, [f"{text} again" for text in corpus.texts[:count]], turned, "new"
    )
    collection = f"bench@{version}"
    await cache.nearest(collection, corpus.asked[0], K)
    times = [await _timed_us(cache.nearest, collection, each, K) for each in corpus.asked]
    asked = [
        await _timed_us(cache.lookup, collection, each, 5) / 1_000 for each in corpus.questions
    ]
    return [
        sample_figure(f"cache.lookup_us_{size}.delta", "us", times, note=f"{count} in the delta"),
        sample_figure(f"search.hybrid_ms_{size}.delta", "ms", asked, note=f"{count} in the delta"),
    ]


async def _visibility(
    cache: KnowledgeCache, namespaces: RedisNamespaces, url: str, folder: Path, corpus: Corpus
) -> list[Figure]:
    """Write 1,000 sources a second for some seconds; another host says when it finds each."""
    size = len(corpus.texts)
    statistics = cache.statistics().namespaces[0]
    async with HostProcess.started(url, folder / "other", f"bench@{statistics.version}") as host:
        written, took_ms = await _write_steadily(namespaces, corpus)
        seen = await host.seen(max(written))
    delays = [(seen[version] - began) * 1_000 for version, (began, _) in written.items()]
    since = [(seen[version] - acked) * 1_000 for version, (_, acked) in written.items()]
    return [
        sample_figure(
            f"cache.visibility_ms_{size}.writes", "ms", took_ms, note="what a write took"
        ),
        sample_figure(f"cache.visibility_ms_{size}", "ms", delays, note="by source and by vector"),
        sample_figure(
            f"cache.visibility_ms_{size}.acked",
            "ms",
            since,
            note="since the write was acknowledged",
        ),
        _p99(f"cache.visibility_p99_ms_{size}", delays, VISIBLE_GOAL),
    ]


WRITES_PER_S = 1_000
WRITES_S = 10.0
WRITES_AT_ONCE = 10


async def _write_steadily(
    namespaces: RedisNamespaces, corpus: Corpus
) -> tuple[dict[int, tuple[float, float]], list[float]]:
    """Write ten at a time; return from when to when each version was written, and what it took."""
    written: dict[int, tuple[float, float]] = {}
    took_ms = []
    started = time.monotonic()
    count = int(WRITES_PER_S * WRITES_S)
    for at in range(0, count, WRITES_AT_ONCE):
        await asyncio.sleep(max(0.0, started + at / WRITES_PER_S - time.monotonic()))
        made = [
            put_of(
                f"live/{number % 2_000}.md",
                [f"Write {number}."],
                corpus.vectors[number % 1_000][None],
            )
            for number in range(at, at + WRITES_AT_ONCE)
        ]
        began = time.monotonic()
        changes = [change for change, _ in made]
        documents = {change.document: data for change, data in made}
        version = (await namespaces.apply("bench", changes, documents=documents)).version
        ended = time.monotonic()
        took_ms.append((ended - began) * 1_000)
        for each in range(version - WRITES_AT_ONCE + 1, version + 1):
            written[each] = began, ended
    return written, took_ms


@asynccontextmanager
async def _lag_ms() -> AsyncIterator[list[float]]:
    """Look every 2 ms how much later than that the loop comes back."""
    lags: list[float] = []

    async def look() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(LAG_LOOK_S)
            lags.append((time.perf_counter() - started - LAG_LOOK_S) * 1_000)

    looking = asyncio.create_task(look())
    try:
        yield lags
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _p99(name: str, samples: Sequence[float], goal: Goal) -> Figure:
    value = percentile(samples, 0.99)
    return Figure(
        name, value, "ms", goal=str(goal), n=len(samples), note=goal.verdict(value, value)
    )
