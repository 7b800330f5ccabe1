"""What was learned is found, loaded once for all who ask, and what was forgotten is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from cluster.kernel.clock import Clock
from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError
from cluster.memory.knowledge import stored as module
from cluster.memory.knowledge.forgetting import forget
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.stored import StoredKnowledge
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import Head, NamespaceLog, document_key
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


class CountingNamespaces(LocalNamespaces):
    """Counts the reads of whole namespaces, and holds them up where a test wants it."""

    def __init__(self, clock: Clock) -> None:
        self.store = LocalStore(clock)
        super().__init__(self.store, clock)
        self.loads: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_gone = False

    async def entries(self, name: str, after: int = 0) -> NamespaceLog:
        if not after:
            self.loads.append(name)
            await self.may_answer.wait()
        if self.is_gone:
            raise StoreUnavailable("the store is gone")
        return await super().entries(name, after)

    async def heads(self, names: Sequence[str]) -> dict[str, Head]:
        if self.is_gone:
            raise StoreUnavailable("the store is gone")
        return await super().heads(names)


@pytest.fixture
def namespaces() -> CountingNamespaces:
    return CountingNamespaces(ManualClock())


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
async def knowledge(
    namespaces: CountingNamespaces, embedder: HashingEmbedder
) -> AsyncIterator[StoredKnowledge]:
    opened = StoredKnowledge(namespaces, embedder, namespaces_max=2)
    yield opened
    await opened.close()


def write(folder: Path, pages: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)


async def learned(namespaces: CountingNamespaces, folder: Path, **pages: str) -> str:
    """Learns pages and returns the version they have, with the reads that took forgotten."""
    write(folder, pages)
    done = await learn(namespaces, [folder], embedder=HashingEmbedder())
    namespaces.loads.clear()
    return done.collection


async def test_passages_are_found_with_their_lines_and_titles(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE, other="Something else entirely.")

    first, *_ = await knowledge.search(collection, "Which element does a heap keep first?")

    assert first.source == f"{tmp_path}/heaps.md"
    assert (first.start_line, first.end_line, first.title) == (1, 8, "Heaps")
    assert first.text == PAGE.rstrip()
    assert (first.kind, first.score > 0.1) == ("text", True)
    assert [document_key(first.document)] == [
        key for key, data in (await namespaces.store.items("")).items() if b"smallest" in data
    ]


async def test_examples_are_found_apart_from_texts(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    (example,) = await knowledge.examples(collection, "smallest of a heap")
    texts = await knowledge.search(collection, "heapq nsmallest", limit=10)

    assert example.text == "import heapq\nprint(heapq.nsmallest(1, [3, 1, 2]))\n"
    assert (example.kind, example.start_line, example.end_line) == ("code", 6, 7)
    assert [text.kind for text in texts] == ["text"]


async def test_nothing_is_found_without_a_collection_or_a_question(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, page="Text without examples")

    assert await knowledge.search("", "text") == []
    assert await knowledge.search(collection, " \n") == []
    assert await knowledge.examples(collection, "text") == []


async def test_all_who_ask_at_once_share_one_load(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    found = await asyncio.gather(
        *(knowledge.search(collection, "heap") for _ in range(5)),
        knowledge.examples(collection, "heap"),
    )

    assert all(found)
    assert len(namespaces.loads) == 1


async def test_one_who_stops_waiting_does_not_stop_the_others(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
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
    assert await patient
    assert len(namespaces.loads) == 1


async def test_only_the_latest_collections_are_kept(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    one, two, three = [
        await learned(namespaces, tmp_path / name, page=f"Text {name}") for name in "abc"
    ]

    for collection in (one, two, one, three, one, two):
        await knowledge.search(collection, "text")

    assert namespaces.loads == [each.partition("@")[0] for each in (one, two, three, two)]


async def test_a_version_that_is_not_there_is_an_error_that_can_pass(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    later = collection.replace("@1", "@2")
    with pytest.raises(StoreUnavailable, match="is not in the central store"):
        await knowledge.search(later, "heap")

    await learned(namespaces, tmp_path, heaps=PAGE, more="More on the heap")

    assert await knowledge.search(later, "heap")


async def test_what_an_earlier_version_called_its_knowledge_is_to_be_named_again(
    knowledge: StoredKnowledge,
) -> None:
    with pytest.raises(StoreUnavailable, match="earlier version: name its files again"):
        await knowledge.search("0123456789abcdef", "heap")


@pytest.mark.parametrize("spoilt", [None, b"\xff\xff"])
async def test_a_namespace_that_lost_a_document_is_learned_anew(
    namespaces: CountingNamespaces,
    knowledge: StoredKnowledge,
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
    assert await knowledge.search(again.collection, "heap")


async def test_a_task_reads_what_was_written_before_it(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    earlier = await learned(namespaces, tmp_path, heaps=PAGE)
    await knowledge.search(earlier, "tree")
    later = await learned(namespaces, tmp_path, heaps=PAGE, trees="All about a tree.")

    best, *_ = await knowledge.search(later, "tree")

    assert best.text == "All about a tree."


async def test_what_was_forgotten_is_not_found_by_tasks_that_run(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE, trees="All about a heap.")
    await knowledge.search(collection, "heap")

    await forget(namespaces, [f"{tmp_path}/heaps.md"])
    namespaces.may_answer.clear()
    found = [await knowledge.search(collection, "heap", limit) for limit in (1, 5)]

    assert [[each.text for each in some] for some in found] == [["All about a heap."]] * 2


async def test_what_was_changed_is_found_once_it_is_loaded(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    await knowledge.search(collection, "heap")
    later = await learned(namespaces, tmp_path, heaps="A heap of hay, and more of it.")

    before = await knowledge.search(collection, "heap")
    await knowledge.search(later, "heap")
    after = await knowledge.search(collection, "heap")

    assert before == []
    assert [each.text for each in after] == ["A heap of hay, and more of it."]


async def test_without_the_store_what_is_loaded_is_still_searched(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    await knowledge.search(collection, "heap")
    namespaces.is_gone = True

    assert await knowledge.search(collection, "heap")


async def test_vectors_of_another_embedder_are_not_compared(
    namespaces: CountingNamespaces, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    other = StoredKnowledge(namespaces, HashingEmbedder("another"))

    with pytest.raises(UsageError, match="embedded by hashing-64"):
        await other.search(collection, "heap")

    await other.close()


async def test_a_large_collection_is_searched_off_the_event_loop(
    namespaces: CountingNamespaces,
    knowledge: StoredKnowledge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "INLINE_PASSAGES_MAX", 0)
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    found = await asyncio.gather(*(knowledge.search(collection, "heap") for _ in range(10)))

    assert all(found)


async def test_closing_ends_a_load_that_is_under_way(
    namespaces: CountingNamespaces, embedder: HashingEmbedder, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)
    namespaces.may_answer.clear()
    opened = StoredKnowledge(namespaces, embedder)
    search = asyncio.create_task(opened.search(collection, "heap"))
    await asyncio.sleep(0)

    await opened.close()

    with pytest.raises(Stopped):
        await search


async def test_a_load_that_fails_when_nobody_waits_any_more_is_tried_again(
    namespaces: CountingNamespaces, knowledge: StoredKnowledge, tmp_path: Path
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

    assert await knowledge.search(collection, "heap")


async def test_warming_up_embeds_something(
    knowledge: StoredKnowledge, embedder: HashingEmbedder
) -> None:
    await knowledge.warm()

    assert len(embedder.texts) == 1


async def test_only_the_beginning_of_an_endless_question_counts(
    namespaces: CountingNamespaces,
    knowledge: StoredKnowledge,
    embedder: HashingEmbedder,
    tmp_path: Path,
) -> None:
    collection = await learned(namespaces, tmp_path, heaps=PAGE)

    assert await knowledge.search(collection, "heap " * 1_000_000)
    assert len(embedder.texts[-1]) == module.QUESTION_CHARS_MAX
