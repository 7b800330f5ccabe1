"""Learning stores each content once, and says what it did."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge import documents, sources
from cluster.memory.knowledge.collections import named_collection, stored_collection
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.knowledge.records import LEARNED, collection_key, document_key
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder


@pytest.fixture
def store() -> LocalStore:
    return LocalStore(ManualClock())


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current one, with two pages in `docs`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nAbout heaps.\n")
    (tmp_path / "docs" / "b.md").write_text("# B\n\nAbout sorting.\n")
    return tmp_path


async def source_names(store: LocalStore, collection: str) -> list[str]:
    found = await stored_collection(store, collection)
    assert found is not None
    return [each.source for each in found.sources]


async def test_what_was_done_is_said(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "c.png").write_bytes(b"\0")

    learned = await learn(store, ["docs"], embedder=embedder)

    assert (learned.files, learned.passages) == (2, 2)
    assert (learned.embedded, learned.reused) == (2, 0)
    assert left_out_line(learned.left_out) == "Left out: 1 image"
    assert await source_names(store, learned.collection) == ["docs/a.md", "docs/b.md"]


def test_learning_can_be_given_up_while_a_file_is_split(
    here: Path, store: LocalStore, embedder: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(documents, "chunks_of", lambda *_: over.wait() and [])

    async def give_up() -> None:
        async with asyncio.timeout(0.1):
            await learn(store, ["docs"], embedder=embedder)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert not over.is_set()
    over.set()


async def test_a_second_run_embeds_nothing(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    first = await learn(store, ["docs"], embedder=embedder)
    embedder.texts.clear()

    second = await learn(store, ["docs"], embedder=embedder)

    assert embedder.texts == []
    assert (second.collection, second.passages) == (first.collection, first.passages)
    assert (second.embedded, second.reused) == (0, 2)


async def test_only_what_changed_is_embedded_again(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    first = await learn(store, ["docs"], embedder=embedder)
    embedder.texts.clear()
    (here / "docs" / "b.md").write_text("# B\n\nAbout searching.\n")

    second = await learn(store, ["docs"], embedder=embedder)

    assert embedder.texts == ["B\n# B\n\nAbout searching."]
    assert second.collection != first.collection
    assert (second.embedded, second.reused) == (1, 1)


async def test_equal_contents_are_stored_once(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "copy.md").write_text("# A\n\nAbout heaps.\n")

    learned = await learn(store, ["docs"], embedder=embedder)

    assert (learned.files, learned.passages, learned.embedded) == (3, 3, 2)
    assert len(await store.items(document_key(""))) == 2


async def test_a_content_that_is_read_in_another_way_is_another_document(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "a.txt").write_text("# A\n\nAbout heaps.\n")
    await learn(store, ["docs"], embedder=embedder)

    await learn(store, ["docs/a.md"], embedder=HashingEmbedder("another"))

    assert len(await store.items(document_key(""))) == 4


async def test_a_document_that_was_spoilt_is_made_again(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    learned = await learn(store, ["docs/a.md"], embedder=embedder)
    (key,) = await store.items(document_key(""))
    await store.put_many({key: b"\xff\xff"})
    await store.delete([collection_key(learned.collection)])

    again = await learn(store, ["docs/a.md"], embedder=embedder)

    assert again.embedded == 1


async def test_progress_is_told_in_files(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    for at in range(20):
        (here / "docs" / f"{at}.md").write_text(f"Page {at}")
    heard: list[tuple[int, int]] = []

    await learn(
        store, ["docs"], embedder=embedder, progress=lambda done, of: heard.append((done, of))
    )

    assert heard == [(16, 22), (22, 22)]


async def test_many_passages_are_embedded_and_written_in_parts(
    here: Path, store: LocalStore, embedder: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "TEXTS_PER_CALL", 2)
    monkeypatch.setattr(documents, "BYTES_PER_WRITE", 10)
    (here / "docs" / "long.md").write_text("Word after word. " * 500)

    learned = await learn(store, ["docs"], embedder=embedder)

    assert learned.passages == len(embedder.texts) > 8
    assert len(await store.items(document_key(""))) == 3


@pytest.mark.parametrize("path", ["nothing", "pictures", "scripts.html"])
async def test_a_path_without_any_text_is_refused(
    here: Path, store: LocalStore, embedder: HashingEmbedder, path: str
) -> None:
    (here / "nothing").mkdir()
    (here / "pictures").mkdir()
    (here / "pictures" / "a.png").write_bytes(b"\0")
    (here / "scripts.html").write_text("<script>1</script>")

    with pytest.raises(UsageError, match="holds no text that can be read"):
        await learn(store, [path], embedder=embedder)


async def test_a_folder_whose_files_were_reached_by_another_path_is_no_empty_one(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    learned = await learn(store, ["docs/a.md", "docs/b.md", "docs"], embedder=embedder)

    assert learned.files == 2


async def test_a_file_that_changes_while_it_is_read_is_refused(
    here: Path, store: LocalStore, embedder: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = iter([b"first", b"second"])
    monkeypatch.setattr(sources, "_read", lambda _: next(contents))

    with pytest.raises(UsageError, match=r"docs/a\.md changed while it was being read"):
        await learn(store, ["docs/a.md"], embedder=embedder)


async def test_a_log_that_grows_while_it_is_read_is_read_up_to_where_it_was(
    here: Path, store: LocalStore, embedder: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = iter([b"first\n", b"first\nsecond\n"])
    monkeypatch.setattr(sources, "_read", lambda _: next(contents))
    (here / "a.log").touch()

    await learn(store, ["a.log"], embedder=embedder)

    assert embedder.texts == ["first"]


async def test_a_table_is_found_by_the_names_of_its_columns(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    rows = "\n".join(f"city-{at:04},{at}" for at in range(300))
    (here / "a.csv").write_text(f"town,people\n{rows}\n")

    learned = await learn(store, ["a.csv"], embedder=embedder)

    assert learned.passages > 2
    assert all(text.startswith("town,people\n") for text in embedder.texts)


async def test_a_name_collects_what_is_learned_under_it(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    assert await named_collection(store) == ""

    await learn(store, ["docs/a.md"], embedder=embedder, name=LEARNED)
    learned = await learn(store, ["docs/b.md"], embedder=embedder, name=LEARNED)

    assert (learned.files, learned.passages) == (2, 2)
    assert await named_collection(store) == learned.collection
    assert await source_names(store, learned.collection) == ["docs/a.md", "docs/b.md"]


async def test_learning_a_folder_again_forgets_what_is_no_longer_in_it(
    here: Path, store: LocalStore, embedder: HashingEmbedder
) -> None:
    (here / "other.md").write_text("Other")
    await learn(store, ["docs", "other.md"], embedder=embedder, name=LEARNED)
    (here / "docs" / "a.md").unlink()

    learned = await learn(store, ["docs"], embedder=embedder, name=LEARNED)

    assert await source_names(store, learned.collection) == ["docs/b.md", "other.md"]


async def test_two_files_of_one_name_are_kept_apart(
    here: Path, store: LocalStore, embedder: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(store, ["docs/a.md"], embedder=embedder, name=LEARNED)
    elsewhere = here / "elsewhere"
    (elsewhere / "docs").mkdir(parents=True)
    (elsewhere / "docs" / "a.md").write_text("Another A")
    monkeypatch.chdir(elsewhere)

    learned = await learn(store, ["docs/a.md"], embedder=embedder, name=LEARNED)

    assert await source_names(store, learned.collection) == [f"{here}/docs/a.md", "docs/a.md"]
