"""Index segments, built by a process of their own and shared by the caches of a node."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.kernel.cache_statistics import NamespaceStatistics
from cluster.memory.cache import care, node_segments
from cluster.memory.cache.builder import BuildFailed
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.forgetting import forget
from cluster.memory.knowledge.learning import learn
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder

FILES = 12


class Node:
    """A node with documents, and caches over them that share a folder."""

    def __init__(self, root: Path) -> None:
        self.docs = root / "docs"
        self.docs.mkdir()
        self.folder = root / "cache"
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.namespaces = LocalNamespaces(self.store, self.clock)
        self.caches: list[KnowledgeCache] = []

    async def learn(self, **pages: str) -> str:
        """Writes pages, learns the folder, and returns the version it has then."""
        for name, text in pages.items():
            (self.docs / f"{name}.md").write_text(text)
        learned = await learn(
            self.namespaces, [self.docs], embedder=HashingEmbedder(), name="default"
        )
        return learned.collection

    def cache(self) -> KnowledgeCache:
        """Opens another process's cache, as it were."""
        opened = KnowledgeCache(
            self.namespaces, HashingEmbedder(), folder=self.folder, clock=self.clock
        )
        self.caches.append(opened)
        return opened

    @property
    def segments(self) -> list[Path]:
        """What lies on the disk."""
        return sorted(self.folder.glob("*/segment-*"))


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    for module in (care, node_segments):
        monkeypatch.setattr(module, "SEGMENT_PASSAGES_MIN", 10)
    monkeypatch.setattr(care, "FORGOTTEN_S", 0.0)
    opened = Node(tmp_path)
    await opened.learn(**{f"p{number}": f"Page {number} on heaps." for number in range(FILES)})
    yield opened
    for cache in opened.caches:
        await cache.close()


def of(cache: KnowledgeCache) -> NamespaceStatistics:
    (told,) = cache.statistics().namespaces
    return told


async def test_what_is_large_is_searched_in_a_segment(node: Node) -> None:
    cache = node.cache()

    found = await cache.search("default@1", "page 7", 1)

    assert [each.text for each in found.passages] == ["Page 7 on heaps."]
    assert (of(cache).passages, of(cache).delta_passages, of(cache).builds) == (FILES, 0, 1)
    assert len(node.segments) == 1


async def test_another_process_of_the_node_maps_what_is_there(node: Node) -> None:
    first, second = node.cache(), node.cache()
    await first.search("default@1", "page 7")

    found = await second.search("default@1", "page 7", 1)

    assert [each.text for each in found.passages] == ["Page 7 on heaps."]
    assert (of(first).builds, of(second).builds) == (1, 0)


async def test_who_waits_for_another_process_to_build_finds_its_segment(node: Node) -> None:
    caches = [node.cache() for _ in range(3)]

    found = await asyncio.gather(*(each.search("default@1", "page 7", 1) for each in caches))

    assert len({each.passages for each in found}) == 1
    assert sum(of(each).builds for each in caches) == 1


async def test_what_came_since_is_found_beside_the_segment(node: Node) -> None:
    cache = node.cache()
    await cache.search("default@1", "page 7")

    later = await node.learn(p7="Page 7 on trees.", new="A page on graphs.")
    found = [await cache.search(later, question, 1) for question in ("page 7", "graphs")]

    assert [each.passages[0].text for each in found] == ["Page 7 on trees.", "A page on graphs."]
    assert of(cache).delta_passages == 2


async def test_what_is_forgotten_leaves_the_segments_on_the_disk(node: Node) -> None:
    cache = node.cache()
    await cache.search("default@1", "page 7")
    assert holds(node.folder, b"Page 7 on heaps.")

    await forget(node.namespaces, [f"{node.docs}/p7.md"])
    await until(lambda: not holds(node.folder, b"Page 7 on heaps."), node)

    assert holds(node.folder, b"Page 8 on heaps.")
    found = await cache.search("default@1", "page 7 on heaps", FILES)
    assert len(found.passages) == FILES - 1


async def test_what_is_forgotten_leaves_the_disk_before_another_segment_is_built(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = node.cache()
    await cache.search("default@1", "page 7")
    (before,) = node.segments
    monkeypatch.setattr(node_segments.NodeSegments, "build", no_build)
    await forget(node.namespaces, [f"{node.docs}/p7.md"])
    await until(lambda: not holds(node.folder, b"Page 7 on heaps."), node)

    found = await cache.search("default@1", "page 7 on heaps", FILES)
    assert len(found.passages) == FILES - 1
    assert [each.name for each in node.segments] == [f"{before.name}-000001"]
    other = await node.cache().search("default@13", "page 8", FILES)
    assert other.passages[0].text == "Page 8 on heaps."
    assert "Page 7 on heaps." not in {each.text for each in other.passages}


async def test_what_the_store_no_longer_knows_to_be_forgotten_is_found(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.cache().search("default@1", "page 7")
    with monkeypatch.context() as without:
        without.setattr(node_segments.NodeSegments, "build", no_build)
        await forget(node.namespaces, [f"{node.docs}/p7.md"])
        await until(lambda: not holds(node.folder, b"Page 7 on heaps."), node)
        await node.caches.pop().close()

    node.namespaces = LocalNamespaces(LocalStore(node.clock), node.clock)
    cache = node.cache()
    found = await cache.search(await node.learn(), "page 7 on heaps", 1)

    assert [each.text for each in found.passages] == ["Page 7 on heaps."]
    await until(lambda: of(cache).builds == 1, node)


async def test_a_namespace_that_nobody_keeps_leaves_the_disk_when_it_changes(node: Node) -> None:
    first = node.cache()
    await first.search("default@1", "page 7")
    await first.close()
    await forget(node.namespaces, [f"{node.docs}/p7.md"])

    await node.cache().warm("elsewhere")

    await until(lambda: not holds(node.folder, b"Page 7 on heaps."), node)


async def test_a_segment_that_another_process_searches_is_not_swept_away(node: Node) -> None:
    first, second = node.cache(), node.cache()
    await first.search("default@1", "page 7")
    before = node.segments

    await node.learn(new="A page on graphs.")
    await second.warm("elsewhere")
    await until(lambda: of(first).delta_passages == 1, node)
    for _ in range(30):
        node.clock.advance(1.0)
        await asyncio.sleep(0.01)

    assert node.segments == before


async def test_a_damaged_segment_is_built_anew_and_said(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    await node.cache().search("default@1", "page 7")
    (folder,) = node.segments
    with (folder / "vectors.faiss").open("r+b") as file:
        file.write(b"nothing")

    cache = node.cache()
    found = await cache.search("default@1", "page 7", 1)

    assert [each.text for each in found.passages] == ["Page 7 on heaps."]
    assert of(cache).builds == 1
    assert "vectors.faiss of an index segment is damaged: it is built anew" in caplog.text


async def test_where_no_segment_can_be_written_all_is_searched_in_memory_and_said(
    node: Node,
) -> None:
    node.folder.write_text("a file where the folder should be")
    cache = node.cache()

    found = await cache.search("default@1", "page 7", 1)

    assert [each.text for each in found.passages] == ["Page 7 on heaps."]
    assert of(cache).delta_passages == FILES
    assert "is searched without an index" in of(cache).trouble


async def test_a_segment_of_another_store_is_not_believed(node: Node, tmp_path: Path) -> None:
    await node.cache().search("default@1", "page 7")
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    other = Node(elsewhere)
    collection = await other.learn(**{f"q{at}": f"Other page {at}." for at in range(3)})
    shutil.copytree(node.folder, other.folder)

    found = await other.cache().search(collection, "page", 20)
    await other.caches[0].close()

    assert sorted(each.text for each in found.passages) == [f"Other page {at}." for at in range(3)]
    assert other.segments == []


async def no_build(_: object) -> bool:
    raise BuildFailed("no build ends in time")


def holds(folder: Path, text: bytes) -> bool:
    """Says whether any file below a folder has a text."""
    for place, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):  # some go while we look
                if text in Path(place, name).read_bytes():
                    return True
    return False


async def until(is_so: Callable[[], bool], node: Node) -> None:
    """Waits until something is so; the clock goes on meanwhile."""
    async with asyncio.timeout(60.0):
        while not is_so():
            node.clock.advance(1.0)
            await asyncio.sleep(0.02)
