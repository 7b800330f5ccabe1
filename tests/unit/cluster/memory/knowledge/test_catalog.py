"""What a namespace has is read from its log, and what earlier versions have left is taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.catalog import (
    Catalog,
    KnownSource,
    adopt_collection,
    read_catalog,
)
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.names import LEARNED, source_key
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import SourceChange, document_key
from cluster.memory.store.local import LocalStore
from protos.v1 import memory_pb2
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> LocalStore:
    return LocalStore(clock)


@pytest.fixture
def namespaces(store: LocalStore, clock: ManualClock) -> LocalNamespaces:
    return LocalNamespaces(store, clock)


async def left_behind(store: LocalStore, folder: Path) -> None:
    """Put into a store what `fleetmind learn` did before there were namespaces."""
    made = LocalStore(ManualClock())
    namespaces = LocalNamespaces(made, ManualClock())
    await learn(namespaces, [folder], embedder=HashingEmbedder())
    [name] = await namespaces.names()
    collection = memory_pb2.StoredCollection()
    for each in (await read_catalog(namespaces, name)).citable():
        collection.sources.add(
            source=each.record.source,
            document=each.document,
            path=each.record.path,
            passages=each.record.passages,
        )
    await store.put_many(
        {
            **await made.items(document_key("")),
            "knowledge/collection/0123": collection.SerializeToString(),
            "knowledge/name/default": b"0123",
        }
    )


async def test_what_an_earlier_version_learned_is_found(
    store: LocalStore, namespaces: LocalNamespaces, clock: ManualClock, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("A heap of sand.")
    await left_behind(store, tmp_path)

    for _ in range(2):
        await adopt_collection(store, namespaces)
    clock.advance(10_000.0)

    knowledge = KnowledgeCache(namespaces, HashingEmbedder())
    [found] = (await knowledge.search(f"{LEARNED}@1", "heap")).passages
    await knowledge.close()
    assert (found.text, await store.items("knowledge/collection/")) == ("A heap of sand.", {})


async def test_what_an_earlier_version_learned_is_read_again_and_not_embedded(
    store: LocalStore, namespaces: LocalNamespaces, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("A heap of sand.")
    await left_behind(store, tmp_path)
    await adopt_collection(store, namespaces)

    learned = await learn(namespaces, [tmp_path], embedder=HashingEmbedder(), name=LEARNED)

    assert (learned.files, learned.embedded, learned.news) == (1, 0, ())


async def test_what_was_forgotten_since_does_not_come_back_from_an_earlier_version(
    store: LocalStore, namespaces: LocalNamespaces, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("A heap of sand.")
    await left_behind(store, tmp_path)
    left = await store.items("knowledge/")
    await adopt_collection(store, namespaces)
    key = source_key(str(tmp_path / "a.md"))
    await namespaces.apply(LEARNED, [SourceChange(key, 1)])

    await store.put_many(left)
    await adopt_collection(store, namespaces)

    assert (await read_catalog(namespaces, LEARNED)).sources == {}


async def test_only_what_is_newer_is_read_again(namespaces: LocalNamespaces) -> None:
    document = "1" * 32
    await namespaces.store_documents({document: b""})
    changes = [SourceChange(key, 0, document) for key in "ab"]
    await namespaces.apply("n", changes)
    known = await read_catalog(namespaces, "n")
    await namespaces.apply("n", [SourceChange("a", 2), SourceChange("c", 2, document)])

    catalog = await read_catalog(namespaces, "n", known)

    assert (catalog.version, list(catalog.sources)) == (4, ["b", "c"])
    assert list(known.sources) == ["a", "b"]
    assert catalog == await read_catalog(namespaces, "n")


async def test_a_store_that_has_lost_everything_is_believed(namespaces: LocalNamespaces) -> None:
    known = Catalog(7, {"a": KnownSource("a", "d", SourceRecord("a.md", "/a.md"))})

    assert await read_catalog(namespaces, "n", known) == Catalog(0, {})


def test_of_files_of_one_name_the_latest_has_it() -> None:
    records = [SourceRecord("a.md", path) for path in ("/1/a.md", "/2/a.md", "/3/a.md")]
    sources = {each.path: KnownSource(each.path, "d", each) for each in records}

    shown = [each.record.source for each in Catalog(3, sources).citable()]

    assert shown == ["/1/a.md", "/2/a.md", "a.md"]
