"""What was learned is found, loaded once for all who ask, and what was forgotten is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError
from cluster.memory.cache import knowledge_cache as module
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.vectors import Vector
from cluster.memory.namespaces.port import document_key
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder
from tests.support.knowledge import PAGE, CountingNamespaces, learned


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


async def test_passages_are_found_with_their_lines_and_titles(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE, other="Something else entirely.")

    first, *_ = (
        await knowledge.search(collection, "Which element does a heap keep first?")
    ).passages

    assert first.source == f"{tmp_path}/heaps.md"
    assert (first.start_line, first.end_line, first.title) == (1, 8, "Heaps")
    assert first.text == PAGE.rstrip()
    assert (first.kind, first.score > 0.1) == ("text", True)
    assert [document_key(first.document)] == [
        key for key, data in (await namespaces.store.items("")).items() if b"smallest" in data
    ]


async def test_examples_are_found_apart_from_texts(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    (example,) = (await knowledge.examples(collection, "smallest of a heap")).passages
    texts = (await knowledge.search(collection, "heapq nsmallest", limit=10)).passages

    assert example.text == "import heapq\nprint(heapq.nsmallest(1, [3, 1, 2]))\n"
    assert (example.kind, example.start_line, example.end_line) == ("code", 6, 7)
    assert [text.kind for text in texts] == ["text"]


async def test_nothing_is_found_without_a_collection_or_a_question(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, page="Text without examples")

    assert (await knowledge.search("", "text")).passages == ()
    assert (await knowledge.search(collection, " \n")).passages == ()
    assert (await knowledge.search(collection, "text", 0)).passages == ()
    assert (await knowledge.examples(collection, "text")).passages == ()


async def test_all_who_ask_at_once_share_one_load(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    found = await asyncio.gather(
        *(knowledge.search(collection, "heap") for _ in range(5)),
        knowledge.examples(collection, "heap"),
    )

    assert all(each.passages for each in found)
    assert len(namespaces.loads) == 1


async def test_one_who_stops_waiting_does_not_stop_the_others(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    namespaces.may_answer.clear()
    impatient = asyncio.create_task(knowledge.search(collection, "heap"))
    patient = asyncio.create_task(knowledge.search(collection, "heap"))
    await asyncio.sleep(0)

    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    namespaces.may_answer.set()

    assert impatient.cancelled()
    assert (await patient).passages
    assert len(namespaces.loads) == 1


async def test_what_was_not_used_for_longest_goes_for_what_does_not_fit(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, tmp_path: Path
) -> None:
    small = KnowledgeCache(namespaces, embedder, bytes_max=1)
    one, two = [await learned(namespaces, tmp_path / name, page=f"Text {name}") for name in "ab"]

    for collection in (one, one, two, one):
        await small.search(collection, "text")
    held, evicted = small.statistics().namespaces, small.statistics().evicted
    await small.close()

    assert [each.name for each in held] == [one.partition("@")[0]]
    assert evicted == 2


async def test_what_is_being_read_does_not_go_for_what_does_not_fit(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, tmp_path: Path
) -> None:
    small = KnowledgeCache(namespaces, embedder, bytes_max=1)
    one, two = [await learned(namespaces, tmp_path / name, page=f"Text {name}") for name in "ab"]

    found = await asyncio.gather(*(small.search(each, "text") for each in (one, two, one, two)))
    await small.close()

    assert all(each.passages for each in found)


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        (np.zeros(3, dtype=np.float32), "the shape"),
        (np.zeros((1, 64), dtype=np.float32), "the shape"),
        (np.full(64, np.nan, dtype=np.float32), "not finite"),
    ],
)
async def test_a_vector_that_is_none_of_the_embedders_is_refused(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    tmp_path: Path,
    vector: Vector,
    why: str,
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    with pytest.raises(UsageError, match=why):
        await knowledge.nearest(collection, vector, 5)


async def test_the_nearest_to_a_vector_are_found(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.", trees="All on trees.")
    [vector] = await HashingEmbedder().embed(["heap of sand"])

    found = await knowledge.nearest(collection, vector, 1)

    assert [each.text for each in found.passages] == ["A heap of sand."]


async def test_a_version_that_is_not_there_is_an_error_that_can_pass(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    later = collection.replace("@1", "@2")
    with pytest.raises(StoreUnavailable, match="is not in the central store"):
        await knowledge.search(later, "heap")

    await learned(namespaces, tmp_path, heaps=PAGE, more="More on the heap")

    assert (await knowledge.search(later, "heap")).passages


async def test_what_an_earlier_version_called_its_knowledge_is_to_be_named_again(
    knowledge: KnowledgeCache,
) -> None:
    with pytest.raises(StoreUnavailable, match="earlier version: name its files again"):
        await knowledge.search("0123456789abcdef", "heap")


@pytest.mark.parametrize("spoilt", [None, b"\xff\xff"])
async def test_a_namespace_that_lost_a_document_is_learned_anew(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    tmp_path: Path,
    spoilt: bytes | None,
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    [key] = await namespaces.store.items(document_key(""))
    await namespaces.store.delete([key])
    if spoilt is not None:
        await namespaces.store.put_many({key: spoilt})

    with pytest.raises(StoreUnavailable, match="no longer whole"):
        await knowledge.search(collection, "heap")
    again = await learn(namespaces, [tmp_path], embedder=HashingEmbedder())

    assert again.embedded == 1
    assert (await knowledge.search(again.collection, "heap")).passages


async def test_a_task_reads_what_was_written_before_it(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    earlier = await learned(namespaces, tmp_path, heaps=PAGE)
    await knowledge.search(earlier, "tree")
    later = await learned(namespaces, tmp_path, heaps=PAGE, trees="All about a tree.")

    best, *_ = (await knowledge.search(later, "tree")).passages

    assert best.text == "All about a tree."


async def test_a_look_up_is_remembered_until_something_changes(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    embedder: HashingEmbedder,
    tmp_path: Path,
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    tiers = [(await knowledge.search(collection, "heap")).tier for _ in range(2)]
    later = await learned(namespaces, tmp_path, more="More on the heap")
    tiers += [(await knowledge.search(later, "heap")).tier for _ in range(2)]

    assert tiers == ["central", "memo", "central", "memo"]
    assert embedder.texts.count("heap") == 2
    told = knowledge.statistics()
    assert (told.memo_lookups, told.local_lookups, told.central_lookups) == (2, 0, 2)


async def test_vectors_of_another_embedder_are_not_compared(
    namespaces: CountingNamespaces, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    other = KnowledgeCache(namespaces, HashingEmbedder("another"))

    with pytest.raises(UsageError, match="embedded by hashing-64"):
        await other.search(collection, "heap")

    await other.close()


async def test_a_large_collection_is_searched_off_the_event_loop(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "INLINE_PASSAGES_MAX", 0)
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    found = await asyncio.gather(*(knowledge.search(collection, "heap") for _ in range(10)))

    assert all(each.passages for each in found)


async def test_closing_ends_a_load_that_is_under_way(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    namespaces.may_answer.clear()
    opened = KnowledgeCache(namespaces, embedder)
    search = asyncio.create_task(opened.search(collection, "heap"))
    await asyncio.sleep(0)

    await opened.close()

    with pytest.raises(Stopped):
        await search


async def test_while_it_closes_it_takes_no_look_up(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, tmp_path: Path
) -> None:
    knowledge = KnowledgeCache(namespaces, embedder)
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    await knowledge.search(collection, "heap")

    closing = asyncio.create_task(knowledge.close())
    await asyncio.sleep(0)
    with pytest.raises(Stopped):
        await knowledge.search(collection, "heap")
    await closing


async def test_a_load_that_fails_when_nobody_waits_any_more_is_tried_again(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    namespaces.is_gone = True
    namespaces.may_answer.clear()
    impatient = asyncio.create_task(knowledge.search(collection, "heap"))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    namespaces.may_answer.set()
    for _ in range(5):
        await asyncio.sleep(0)

    namespaces.is_gone = False

    assert (await knowledge.search(collection, "heap")).passages


async def test_warming_up_embeds_something(
    knowledge: KnowledgeCache, embedder: HashingEmbedder
) -> None:
    await knowledge.warm()

    assert len(embedder.texts) == 1


async def test_only_the_beginning_of_an_endless_question_counts(
    namespaces: CountingNamespaces,
    knowledge: KnowledgeCache,
    embedder: HashingEmbedder,
    tmp_path: Path,
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    assert (await knowledge.search(collection, "heap " * 1_000_000)).passages
    assert len(embedder.texts[-1]) == module.QUESTION_CHARS_MAX


async def test_a_look_up_is_current_until_something_changes(
    namespaces: CountingNamespaces, knowledge: KnowledgeCache, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    found = await knowledge.search(collection, "heap")
    assert knowledge.is_current(found)

    later = await learned(namespaces, tmp_path, more="More on the heap")
    await knowledge.search(later, "heap")

    assert not knowledge.is_current(found)
