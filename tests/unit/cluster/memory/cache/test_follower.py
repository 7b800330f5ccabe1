"""What is written elsewhere is found here, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.cache import follower
from cluster.memory.cache.follower import Follower
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.cache.shelf import Shelf
from cluster.memory.knowledge.forgetting import forget
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.namespaces.port import NamespaceLog, SourceChange
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder
from tests.support.knowledge import PAGE, CountingNamespaces, caught_up, learned


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def namespaces(clock: ManualClock) -> CountingNamespaces:
    return CountingNamespaces(clock)


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
async def knowledge(
    namespaces: CountingNamespaces, embedder: HashingEmbedder
) -> AsyncIterator[KnowledgeCache]:
    opened = KnowledgeCache(namespaces, embedder)
    yield opened
    await opened.close()


async def test_what_was_changed_is_heard_of_and_found(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")

    await learned(namespaces, tmp_path, heaps="A heap of hay, and more of it.")
    await caught_up(knowledge, 2)
    found = await knowledge.search(collection, "heap")

    assert [each.text for each in found.passages] == ["A heap of hay, and more of it."]
    assert (found.version, found.tier) == (2, "local")


async def test_a_small_change_is_read_in_one_round_trip(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")
    name = collection.partition("@")[0]
    (entry,) = (await namespaces.entries(name)).entries

    await namespaces.apply(name, [SourceChange("more", 1, entry.document, entry.record)])
    before = namespaces.documents_read
    await caught_up(knowledge, 2)

    assert namespaces.documents_read == before


async def test_what_was_read_is_found_while_other_documents_are_missing(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")
    name, lost = collection.partition("@")[0], "0" * 32
    (entry,) = (await namespaces.entries(name)).entries

    await namespaces.store_documents({lost: b"what is gone before anybody has read it"})
    documents = {"more": entry.document, "lost": lost}
    puts = [SourceChange(key, 1, named, entry.record) for key, named in documents.items()]
    await namespaces.apply(name, puts)
    await namespaces.discard([lost])
    with pytest.raises(StoreUnavailable, match="no longer whole"):
        await knowledge.search(f"{name}@3", "heap")

    assert len((await knowledge.search(collection, "heap")).passages) == 2


async def test_a_change_whose_wake_up_is_lost_is_found_at_the_next_look(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_S", 0.01)
    namespaces.is_silent = True
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")

    await learned(namespaces, tmp_path, heaps="A heap of hay.")
    await caught_up(knowledge, 2)

    [found] = (await knowledge.search(collection, "heap")).passages
    assert found.text == "A heap of hay."


async def test_a_store_that_was_emptied_and_filled_again_is_noticed_at_the_same_version(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")

    namespaces.empty()
    await learned(namespaces, tmp_path, heaps="A heap of hay.")
    async with asyncio.timeout(10.0):
        while [each.text for each in (await knowledge.search(collection, "heap")).passages] != [  # noqa: ASYNC110 - no event
            "A heap of hay."
        ]:
            await asyncio.sleep(0)


async def test_an_error_that_nobody_foresaw_does_not_end_the_following(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(follower, "RETRY_S", (0.0,))
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")
    namespaces.errors.append(OSError("a disk"))
    while namespaces.errors:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0)

    await learned(namespaces, tmp_path, heaps="A heap of hay.")
    await caught_up(knowledge, 2)

    assert "can't be followed for the moment" in caplog.text


async def test_without_the_store_what_is_here_is_searched_and_called_stale(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, clock: ManualClock, tmp_path: Path
) -> None:
    knowledge = KnowledgeCache(namespaces, embedder, clock=clock)
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    fresh = await knowledge.search(collection, "heap")

    namespaces.is_gone = True
    clock.advance(60.0)
    stale = await knowledge.search(collection, "heap")
    await knowledge.close()

    assert stale.passages == fresh.passages != ()
    assert (fresh.stale_s, stale.stale_s) == (0.0, 60.0)


async def test_what_is_known_to_be_behind_is_stale_until_it_was_read(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, clock: ManualClock, tmp_path: Path
) -> None:
    name = (await learned(namespaces, tmp_path, heaps=PAGE)).rpartition("@")[0]
    shelf = Shelf(name, namespaces, embedder, in_side_thread, clock=clock, root=None)
    following = Follower(namespaces, {name: shelf}, None, clock, in_side_thread)

    shelf.behind_since = clock.now() - 60.0
    stale = following.stale_s_of(name, clock.now())
    await shelf.refresh()

    assert (stale, following.stale_s_of(name, clock.now())) == (60.0, 0.0)


async def test_a_store_that_answers_and_hands_over_nothing_new_leaves_a_host_stale(
    embedder: HashingEmbedder,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_S", 0.01)
    namespaces = NothingNew(clock)
    knowledge = KnowledgeCache(namespaces, embedder, clock=clock)
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    await knowledge.search(collection, "heap")

    await learned(namespaces, tmp_path, heaps="A heap of hay.")
    clock.advance(60.0)
    while knowledge.statistics().stale_s:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0)
    found = await knowledge.search(collection, "heap")
    await knowledge.close()

    assert found.stale_s == 60.0


class NothingNew(CountingNamespaces):
    """Says where it is, and hands over its entries only from the beginning."""

    async def entries(self, name: str, after: int = 0, *, documents_max: int = 0) -> NamespaceLog:
        if after:
            raise StoreUnavailable("the entries don't come")
        return await super().entries(name, after, documents_max=documents_max)


async def test_what_was_forgotten_is_not_found_by_tasks_that_run(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE, trees="All about a heap.")
    await knowledge.search(collection, "heap")

    await forget(namespaces, [f"{tmp_path}/heaps.md"])
    await caught_up(knowledge, 3)
    found = [await knowledge.search(collection, "heap", limit) for limit in (1, 5)]

    assert [[each.text for each in some.passages] for some in found] == [["All about a heap."]] * 2


async def test_what_is_read_after_nothing_was_followed_for_long_is_not_stale(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, clock: ManualClock, tmp_path: Path
) -> None:
    knowledge = KnowledgeCache(namespaces, embedder, clock=clock)
    await knowledge.warm()
    await asyncio.sleep(0)

    clock.advance(60.0)
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    for _ in range(5):  # the follower is woken by the write
        await asyncio.sleep(0)
    found = await knowledge.search(collection, "heap")
    await knowledge.close()

    assert found.passages
    assert found.stale_s == 0.0
