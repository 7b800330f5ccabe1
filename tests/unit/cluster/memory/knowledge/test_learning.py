"""Learning reads what has changed, stores each content once, loses nothing, says what it did."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge import documents, reading, upkeep
from cluster.memory.knowledge.catalog import read_catalog
from cluster.memory.knowledge.learning import PROGRESS_S, Learned, LearningProgress, learn
from cluster.memory.knowledge.names import LEARNED, KnowledgeVersion
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import NO_DOCUMENTS, Applied, SourceChange, document_key
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder

LONG_AGO_S = 1_600_000_000


class ScriptedNamespaces(LocalNamespaces):
    """Lets others write in between, or fails, where a test wants it."""

    def __init__(self, clock: Clock) -> None:
        self.store = LocalStore(clock)
        super().__init__(self.store, clock)
        self.before_apply: list[Sequence[SourceChange]] = []
        """Changes of others, one for each time somebody applies theirs."""
        self.applies = 0
        self.applies_max = 1_000
        self.are_documents_lost = False
        """Those that come along with the next changes."""

    async def apply(
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = 30.0,
    ) -> Applied:
        self.applies += 1
        if self.applies > self.applies_max:
            raise StoreUnavailable("the store is gone")
        if self.before_apply:
            await super().apply(name, self.before_apply.pop(0))
        if self.are_documents_lost:
            self.are_documents_lost, documents = False, NO_DOCUMENTS
        return await super().apply(name, changes, documents=documents, kept_s=kept_s)


@pytest.fixture
def namespaces() -> ScriptedNamespaces:
    return ScriptedNamespaces(ManualClock())


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current one, with two pages in `docs`."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "docs" / "a.md", "# A\n\nAbout heaps.\n")
    write(tmp_path / "docs" / "b.md", "# B\n\nAbout sorting.\n")
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    read: list[str] = []
    really = reading._read  # noqa: SLF001 - each opening of a file goes through it

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return really(path)

    monkeypatch.setattr(reading, "_read", counted)
    return read


def write(path: Path, text: str, at_s: int = LONG_AGO_S) -> None:
    """Write a file that was modified at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at_s, at_s))


async def source_names(namespaces: LocalNamespaces, learned: Learned) -> list[str]:
    asked = KnowledgeVersion.parse(learned.collection)
    assert asked is not None
    catalog = await read_catalog(namespaces, asked.namespace)
    assert catalog.version == asked.version
    return [each.record.source for each in catalog.citable()]


async def stored(namespaces: ScriptedNamespaces) -> int:
    return len(await namespaces.store.items(document_key("")))


async def test_what_was_done_is_said(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "c.png").write_bytes(b"\0")

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert (learned.files, learned.passages) == (2, 2)
    assert (learned.embedded, learned.reused) == (2, 0)
    assert left_out_line(learned.left_out) == "Left out: 1 image"
    assert await source_names(namespaces, learned) == ["docs/a.md", "docs/b.md"]


def test_learning_can_be_given_up_while_a_file_is_split(
    here: Path,
    namespaces: ScriptedNamespaces,
    embedder: HashingEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(documents, "chunks_of", lambda *_: over.wait() and [])

    async def give_up() -> None:
        async with asyncio.timeout(0.1):
            await learn(namespaces, ["docs"], embedder=embedder)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert not over.is_set()
    over.set()


async def test_files_that_have_not_changed_are_not_read(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, reads: list[str]
) -> None:
    first = await learn(namespaces, ["docs"], embedder=embedder)
    embedder.texts.clear()
    reads.clear()

    second = await learn(namespaces, ["docs"], embedder=embedder)

    assert (embedder.texts, reads) == ([], [])
    assert (second.collection, second.passages) == (first.collection, first.passages)
    assert (second.embedded, second.reused) == (0, 2)


async def test_only_what_changed_is_read_and_embedded_again(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, reads: list[str]
) -> None:
    first = await learn(namespaces, ["docs"], embedder=embedder)
    embedder.texts.clear()
    reads.clear()
    write(here / "docs" / "b.md", "# B\n\nAbout searching.\n")

    second = await learn(namespaces, ["docs"], embedder=embedder)

    assert embedder.texts == ["B\n# B\n\nAbout searching."]
    assert reads == ["b.md"]
    assert second.collection != first.collection
    assert (second.embedded, second.reused) == (1, 1)
    assert (first.changed, second.changed) == (2, 1)


async def test_a_file_that_says_what_another_said_has_changed_all_the_same(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    await learn(namespaces, ["docs"], embedder=embedder)
    write(here / "docs" / "b.md", (here / "docs" / "a.md").read_text())

    again = await learn(namespaces, ["docs"], embedder=embedder)

    assert (again.embedded, again.changed) == (0, 1)


async def test_a_file_that_was_touched_is_read_and_not_embedded(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, reads: list[str]
) -> None:
    await learn(namespaces, ["docs"], embedder=embedder)
    reads.clear()
    os.utime(here / "docs" / "b.md", (LONG_AGO_S + 1, LONG_AGO_S + 1))

    learned = [await learn(namespaces, ["docs"], embedder=embedder) for _ in range(2)]

    assert reads == ["b.md"]
    assert [(each.embedded, each.changed) for each in learned] == [(0, 0), (0, 0)]


async def test_a_file_that_was_just_modified_is_read_again_next_time(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, reads: list[str]
) -> None:
    clock = ManualClock(wall=LONG_AGO_S + 1.0)
    await learn(namespaces, ["docs"], embedder=embedder, clock=clock)
    write(here / "docs" / "a.md", "# A\n\nAbout wells.\n")

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert reads == ["a.md", "b.md"] * 2
    assert learned.embedded == 1


async def test_another_embedder_embeds_everything_anew_and_says_so(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    await learn(namespaces, ["docs"], embedder=embedder)

    learned = await learn(namespaces, ["docs"], embedder=HashingEmbedder("another"))

    assert (learned.files, learned.embedded) == (2, 2)
    assert learned.news == (
        "2 files were embedded by hashing-64: they are embedded anew by another",
    )


async def test_equal_contents_are_stored_once(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "copy.md").write_text("# A\n\nAbout heaps.\n")

    learned = await learn(namespaces, ["docs"], embedder=embedder)
    elsewhere = await learn(namespaces, ["docs"], embedder=embedder, name="elsewhere")

    assert (learned.files, learned.passages, learned.embedded) == (3, 3, 2)
    assert (elsewhere.files, elsewhere.passages, elsewhere.embedded) == (3, 3, 0)
    assert await stored(namespaces) == 2


async def test_a_content_that_is_read_in_another_way_is_another_document(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "a.txt").write_text("# A\n\nAbout heaps.\n")

    await learn(namespaces, ["docs"], embedder=embedder)

    assert await stored(namespaces) == 3


async def test_a_document_that_was_lost_is_made_again(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    await learn(namespaces, ["docs"], embedder=embedder)
    key, *_ = await namespaces.store.items(document_key(""))
    await namespaces.store.delete([key])

    again = await learn(namespaces, ["docs"], embedder=embedder)

    assert (again.embedded, await stored(namespaces)) == (1, 2)


async def test_progress_is_told_of_what_has_to_be_read(
    here: Path,
    namespaces: ScriptedNamespaces,
    embedder: HashingEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "BATCH_FILES", 16)
    await learn(namespaces, ["docs"], embedder=embedder)
    for at in range(20):
        (here / "docs" / f"{at}.md").write_text(f"Page {at:2}")
    clock = ManualClock()
    heard: list[LearningProgress] = []

    def hear(progress: LearningProgress) -> None:
        heard.append(progress)
        clock.advance(PROGRESS_S)

    await learn(namespaces, ["docs"], name="other", embedder=embedder, progress=hear, clock=clock)

    assert [(each.files, each.of_files) for each in heard] == [(16, 22), (22, 22)]
    assert [(each.size, each.of_size) for each in heard][-1] == (178, 178)


async def test_progress_is_told_every_few_seconds_and_not_with_every_batch(
    here: Path,
    namespaces: ScriptedNamespaces,
    embedder: HashingEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "BATCH_FILES", 1)
    heard: list[LearningProgress] = []

    await learn(namespaces, ["docs"], embedder=embedder, progress=heard.append, clock=ManualClock())

    assert [each.files for each in heard] == [1]


async def test_many_passages_are_embedded_and_written_in_parts(
    here: Path,
    namespaces: ScriptedNamespaces,
    embedder: HashingEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "TEXTS_PER_CALL", 2)
    monkeypatch.setattr(documents, "BYTES_PER_WRITE", 10)
    (here / "docs" / "long.md").write_text("Word after word. " * 500)

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert learned.passages == len(embedder.texts) > 8
    assert await stored(namespaces) == 3


async def test_what_an_interruption_left_is_not_done_again(
    here: Path,
    namespaces: ScriptedNamespaces,
    embedder: HashingEmbedder,
    reads: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "BATCH_FILES", 1)
    namespaces.applies_max = 1
    with pytest.raises(StoreUnavailable):
        await learn(namespaces, ["docs"], embedder=embedder)
    namespaces.applies_max = 1_000
    reads.clear()

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert reads == ["b.md"]
    assert (learned.files, learned.embedded) == (2, 1)


@pytest.mark.parametrize("path", ["nothing", "pictures", "scripts.html"])
async def test_a_path_without_any_text_is_refused(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, path: str
) -> None:
    (here / "nothing").mkdir()
    (here / "pictures").mkdir()
    (here / "pictures" / "a.png").write_bytes(b"\0")
    (here / "scripts.html").write_text("<script>1</script>")

    with pytest.raises(UsageError, match="holds no text that can be read"):
        await learn(namespaces, [path], embedder=embedder)


async def test_a_file_without_text_is_read_once(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, reads: list[str]
) -> None:
    write(here / "docs" / "scripts.html", "<script>1</script>")

    learned = [await learn(namespaces, ["docs"], embedder=embedder) for _ in range(2)]

    assert reads == ["a.md", "b.md", "scripts.html"]
    assert [each.files for each in learned] == [2, 2]
    assert {left_out_line(each.left_out) for each in learned} == {
        "Left out: 1 file without text (docs/scripts.html)"
    }


async def test_a_file_that_is_known_to_have_no_text_is_refused_where_it_is_named(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder, reads: list[str]
) -> None:
    write(here / "docs" / "scripts.html", "<script>1</script>")
    await learn(namespaces, ["docs"], embedder=embedder, name=LEARNED)
    paths = ["docs/a.md", "docs/scripts.html"]

    with pytest.raises(UsageError, match=r"scripts\.html' holds no text .*1 file without text"):
        await learn(namespaces, paths, embedder=embedder, name=LEARNED)

    assert reads == ["a.md", "b.md", "scripts.html"]


async def test_a_folder_whose_files_were_reached_by_another_path_is_no_empty_one(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    learned = await learn(namespaces, ["docs/a.md", "docs/b.md", "docs"], embedder=embedder)

    assert learned.files == 2


async def test_a_table_is_found_by_the_names_of_its_columns(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    rows = "\n".join(f"city-{at:04},{at}" for at in range(300))
    (here / "a.csv").write_text(f"town,people\n{rows}\n")

    learned = await learn(namespaces, ["a.csv"], embedder=embedder)

    assert learned.passages > 2
    assert all(text.startswith("town,people\n") for text in embedder.texts)


async def test_a_name_collects_what_is_learned_under_it(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    await learn(namespaces, ["docs/a.md"], embedder=embedder, name=LEARNED)
    learned = await learn(namespaces, ["docs/b.md"], embedder=embedder, name=LEARNED)

    assert (learned.files, learned.passages) == (2, 2)
    assert learned.collection == f"{LEARNED}@2"
    assert await source_names(namespaces, learned) == ["docs/a.md", "docs/b.md"]


async def test_learning_a_folder_again_forgets_what_is_no_longer_in_it(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    (here / "other.md").write_text("Other")
    await learn(namespaces, ["docs", "other.md"], embedder=embedder, name=LEARNED)
    (here / "docs" / "a.md").unlink()

    learned = await learn(namespaces, ["docs"], embedder=embedder, name=LEARNED)

    assert learned.removed == 1
    assert await source_names(namespaces, learned) == ["docs/b.md", "other.md"]


async def test_a_file_that_comes_back_is_learned_again(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    await learn(namespaces, ["docs"], embedder=embedder)
    (here / "docs" / "a.md").unlink()
    await learn(namespaces, ["docs"], embedder=embedder)
    write(here / "docs" / "a.md", "# A\n\nAbout heaps.\n")

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert await source_names(namespaces, learned) == ["docs/a.md", "docs/b.md"]


async def test_two_files_of_one_name_are_kept_apart(
    here: Path,
    namespaces: ScriptedNamespaces,
    embedder: HashingEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await learn(namespaces, ["docs/a.md"], embedder=embedder, name=LEARNED)
    elsewhere = here / "elsewhere"
    write(elsewhere / "docs" / "a.md", "Another A")
    monkeypatch.chdir(elsewhere)

    learned = await learn(namespaces, ["docs/a.md"], embedder=embedder, name=LEARNED)

    assert await source_names(namespaces, learned) == [f"{here}/docs/a.md", "docs/a.md"]


async def test_two_who_learn_at_once_lose_nothing(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    write(here / "more" / "c.md", "# C\n\nAbout trees.\n")

    await asyncio.gather(
        learn(namespaces, ["docs"], embedder=embedder, name=LEARNED),
        learn(namespaces, ["more"], embedder=HashingEmbedder(), name=LEARNED),
        learn(namespaces, ["docs/a.md"], embedder=HashingEmbedder(), name=LEARNED),
    )
    learned = await learn(namespaces, ["docs"], embedder=embedder, name=LEARNED)

    assert learned.embedded == learned.removed == 0
    assert await source_names(namespaces, learned) == ["docs/a.md", "docs/b.md", "more/c.md"]


async def test_where_another_changes_the_same_file_the_file_decides(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    first = await learn(namespaces, ["docs"], embedder=embedder, name=LEARNED)
    catalog = await read_catalog(namespaces, LEARNED)
    write(here / "docs" / "a.md", "# A\n\nAbout wells.\n", LONG_AGO_S + 1)
    namespaces.before_apply.append([SourceChange(key, 2) for key in catalog.sources])

    learned = await learn(namespaces, ["docs"], embedder=embedder, name=LEARNED)

    assert (first.files, learned.files) == (2, 2)
    assert await source_names(namespaces, learned) == ["docs/a.md", "docs/b.md"]
    assert "A\n# A\n\nAbout wells." in embedder.texts


async def test_documents_that_vanish_as_they_are_named_are_stored_again(
    here: Path, namespaces: ScriptedNamespaces, embedder: HashingEmbedder
) -> None:
    namespaces.are_documents_lost = True

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert (learned.files, namespaces.applies) == (2, 2)
    assert await stored(namespaces) == 2
