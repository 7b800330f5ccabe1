"""What was learned is found, loaded once for all who ask, and only the latest few are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from cluster.kernel.clock import Clock
from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError
from cluster.memory.knowledge import stored as module
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.records import collection_key, document_key
from cluster.memory.knowledge.stored import StoredKnowledge
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder

PAGE = """\
# Heaps

A heap keeps its smallest element first.

```python
import heapq
print(heapq.nsmallest(1, [3, 1, 2]))
```
"""


class CountingStore(LocalStore):
    """Counts the reads of collections, and holds them up where a test wants it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.loads: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self.loads += [key for key in keys if key.startswith(collection_key(""))]
        await self.may_answer.wait()
        return await super().get_many(keys)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore(ManualClock())


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
async def knowledge(
    store: CountingStore, embedder: HashingEmbedder
) -> AsyncIterator[StoredKnowledge]:
    opened = StoredKnowledge(store, embedder, collections_max=2)
    yield opened
    await opened.close()


def write(folder: Path, pages: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)


async def learned(store: CountingStore, folder: Path, **pages: str) -> str:
    """Learns pages and returns their collection, with the reads that took forgotten."""
    write(folder, pages)
    done = await learn(store, [folder], embedder=HashingEmbedder())
    store.loads.clear()
    return done.collection


async def test_passages_are_found_with_their_lines_and_titles(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE, other="Something else entirely.")

    first, *_ = await knowledge.search(collection, "Which element does a heap keep first?")

    assert first.source == f"{tmp_path}/heaps.md"
    assert (first.start_line, first.end_line, first.title) == (1, 8, "Heaps")
    assert first.text == PAGE.rstrip()
    assert (first.kind, first.score > 0.1) == ("text", True)


async def test_examples_are_found_apart_from_texts(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)

    (example,) = await knowledge.examples(collection, "smallest of a heap")
    texts = await knowledge.search(collection, "heapq nsmallest", limit=10)

    assert example.text == "import heapq\nprint(heapq.nsmallest(1, [3, 1, 2]))\n"
    assert (example.kind, example.start_line, example.end_line) == ("code", 6, 7)
    assert [text.kind for text in texts] == ["text"]


async def test_nothing_is_found_without_a_collection_or_a_question(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, page="Text without examples")

    assert await knowledge.search("", "text") == []
    assert await knowledge.search(collection, " \n") == []
    assert await knowledge.examples(collection, "text") == []


async def test_all_who_ask_at_once_share_one_load(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)

    found = await asyncio.gather(
        *(knowledge.search(collection, "heap") for _ in range(5)),
        knowledge.examples(collection, "heap"),
    )

    assert all(found)
    assert len(store.loads) == 1


async def test_one_who_stops_waiting_does_not_stop_the_others(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)
    store.may_answer.clear()
    impatient = asyncio.create_task(knowledge.search(collection, "heap"))
    patient = asyncio.create_task(knowledge.search(collection, "heap"))
    await asyncio.sleep(0)

    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    store.may_answer.set()

    assert impatient.cancelled()
    assert await patient
    assert len(store.loads) == 1


async def test_only_the_latest_collections_are_kept(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    one, two, three = [await learned(store, tmp_path / name, page=f"Text {name}") for name in "abc"]

    for collection in (one, two, one, three, one, two):
        await knowledge.search(collection, "text")

    assert store.loads == [collection_key(each) for each in (one, two, three, two)]


async def test_a_collection_that_is_not_there_is_an_error_that_can_pass(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="is not in the central store"):
        await knowledge.search("0123", "heap")

    collection = await learned(store, tmp_path, heaps=PAGE)
    value = (await store.get_many([collection_key(collection)]))[0]
    await store.put_many({collection_key("0123"): value or b""})

    assert await knowledge.search("0123", "heap")


async def test_a_collection_that_lost_a_document_is_learned_anew(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)
    await store.delete(list(await store.items(document_key(""))))

    with pytest.raises(StoreUnavailable, match="no longer whole"):
        await knowledge.search(collection, "heap")
    again = await learn(store, [tmp_path], embedder=HashingEmbedder())

    assert (again.collection, again.embedded) == (collection, 1)
    assert await knowledge.search(collection, "heap")


async def test_vectors_of_another_embedder_are_not_compared(
    store: CountingStore, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)
    other = StoredKnowledge(store, HashingEmbedder("another"))

    with pytest.raises(UsageError, match="embedded by hashing-64"):
        await other.search(collection, "heap")

    await other.close()


async def test_a_large_collection_is_searched_off_the_event_loop(
    store: CountingStore,
    knowledge: StoredKnowledge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "INLINE_PASSAGES_MAX", 0)
    collection = await learned(store, tmp_path, heaps=PAGE)

    found = await asyncio.gather(*(knowledge.search(collection, "heap") for _ in range(10)))

    assert all(found)


async def test_closing_ends_a_load_that_is_under_way(
    store: CountingStore, embedder: HashingEmbedder, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)
    store.may_answer.clear()
    opened = StoredKnowledge(store, embedder)
    search = asyncio.create_task(opened.search(collection, "heap"))
    await asyncio.sleep(0)

    await opened.close()

    with pytest.raises(Stopped):
        await search


async def test_a_load_that_fails_when_nobody_waits_any_more_is_tried_again(
    store: CountingStore, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)
    key = collection_key(collection)
    (value,) = await store.get_many([key])
    await store.delete([key])
    store.may_answer.clear()
    impatient = asyncio.create_task(knowledge.search(collection, "heap"))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    store.may_answer.set()
    for _ in range(5):
        await asyncio.sleep(0)

    await store.put_many({key: value or b""})

    assert await knowledge.search(collection, "heap")


async def test_warming_up_embeds_something(
    knowledge: StoredKnowledge, embedder: HashingEmbedder
) -> None:
    await knowledge.warm()

    assert len(embedder.texts) == 1


async def test_only_the_beginning_of_an_endless_question_counts(
    store: CountingStore,
    knowledge: StoredKnowledge,
    embedder: HashingEmbedder,
    tmp_path: Path,
) -> None:
    collection = await learned(store, tmp_path, heaps=PAGE)

    assert await knowledge.search(collection, "heap " * 1_000_000)
    assert len(embedder.texts[-1]) == module.QUESTION_CHARS_MAX
