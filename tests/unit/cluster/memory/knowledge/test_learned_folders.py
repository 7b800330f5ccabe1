"""Of what folders and pipes hold nothing is silently absent from the knowledge."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from cluster.memory.knowledge.catalog import read_catalog
from cluster.memory.knowledge.forgetting import forget
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.names import source_key
from cluster.memory.knowledge.path_names import shown_name, stored_name
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.wire import record_to_bytes
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import NO_DOCUMENTS, Applied, SourceChange
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder


class BusyNamespaces(LocalNamespaces):
    """Refuses the next changes, where a test wants it, as if others had come between."""

    def __init__(self) -> None:
        clock = ManualClock()
        super().__init__(LocalStore(clock), clock)
        self.applies = 0
        self.is_busy = False

    async def apply(
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = 30.0,
    ) -> Applied:
        self.applies += 1
        if self.is_busy:
            self.is_busy = False
            return Applied(0, refused=frozenset(each.key for each in changes))
        return await super().apply(name, changes, documents=documents, kept_s=kept_s)


@pytest.fixture
def namespaces() -> BusyNamespaces:
    return BusyNamespaces()


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current one, with two pages in `docs`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    write(tmp_path / "docs" / "a.md", "# A\n\nAbout heaps.\n")
    write(tmp_path / "docs" / "b.md", "# B\n\nAbout sorting.\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def leave(namespaces: BusyNamespaces, path: str) -> None:
    """Leave a source of a file's former content as versions did that escaped no name."""
    record = record_to_bytes(SourceRecord(path, path, passages=1))
    change = SourceChange(source_key(path), 0, "d" * 32, record)
    await namespaces.apply("default", [change], documents={"d" * 32: b"The moon is cheese."})


async def test_what_was_read_and_what_was_left_out_add_up(
    here: Path, namespaces: BusyNamespaces, embedder: HashingEmbedder
) -> None:
    docs = here / "docs"
    write(docs / "again.md", "# A\n\nAbout heaps.\n")
    write(docs / "empty.md", "")
    write(docs / "page.html", "<script>x</script>")
    (docs / "c.png").write_bytes(b"\0")
    (docs / "d.pdf").write_bytes(b"%PDF-1.4 broken")
    (docs / "link.md").symlink_to("a.md")

    learned = await learn(namespaces, ["docs", "docs"], embedder=embedder)

    read = learned.embedded + learned.reused
    assert (read, sum(each.count for each in learned.left_out)) == (3, 5)
    assert len(list(docs.iterdir())) == 8


async def test_a_guessed_encoding_is_news(
    here: Path, namespaces: BusyNamespaces, embedder: HashingEmbedder
) -> None:
    (here / "docs" / "c.md").write_bytes(b"caf\xe9")

    learned = await learn(namespaces, ["docs"], embedder=embedder)

    assert learned.news == (
        "too short to tell the encoding for certain, guessed: 1 file (docs/c.md as cp1252)",
    )


async def test_files_whose_names_are_no_unicode_are_learned_apart_and_forgotten_apart(
    here: Path, namespaces: BusyNamespaces, embedder: HashingEmbedder
) -> None:
    for name in (b"x\xe8.md", b"x\xe9.md"):
        write(here / os.fsdecode(name), f"About {name!r}.")
    paths = [here / os.fsdecode(name) for name in (b"x\xe8.md", b"x\xe9.md")]

    learned = await learn(namespaces, paths, name="default", embedder=embedder)
    again = await learn(namespaces, paths, name="default", embedder=embedder)
    forgotten = await forget(namespaces, [stored_name(paths[0])])

    assert (learned.files, learned.embedded, again.changed) == (2, 2, 0)
    assert [shown_name(path) for path in forgotten.paths] == [f"{here}/x\\xe8.md"]


@pytest.mark.parametrize("name", ["a\\b.md", "so\u00adft.md", "a\nSources: b.md"])
async def test_a_file_that_an_earlier_version_has_learned_is_learned_again_in_its_place(
    here: Path, namespaces: BusyNamespaces, embedder: HashingEmbedder, name: str
) -> None:
    path = here / name
    write(path, "The sun is a star.")
    await leave(namespaces, str(path))

    learned = await learn(namespaces, [path], name="default", embedder=embedder)

    assert (learned.files, learned.changed, learned.removed) == (1, 1, 0)


async def test_what_an_earlier_version_has_learned_from_a_folder_that_is_no_unicode_is_gone(
    here: Path, namespaces: BusyNamespaces, embedder: HashingEmbedder
) -> None:
    folder = here / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    write(folder / "a.md", "The sun is a star.")
    await leave(namespaces, f"{here}/caf\ufffd/a.md")

    learned = await learn(namespaces, [folder], name="default", embedder=embedder)

    assert (learned.files, learned.removed) == (1, 1)


async def test_what_comes_from_a_pipe_is_learned_though_others_change_it_meanwhile(
    here: Path, namespaces: BusyNamespaces, embedder: HashingEmbedder
) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"About pipes.")
    os.close(write_end)
    path = f"/dev/fd/{read_end}"
    namespaces.is_busy = True

    learned = await learn(namespaces, [path], name="pipes", embedder=embedder)
    os.close(read_end)

    catalog = await read_catalog(namespaces, "pipes")
    assert [each.record.source.partition("#")[0] for each in catalog.citable()] == [path]
    assert learned.files == 1
    assert namespaces.applies > 1


async def test_what_comes_from_a_second_pipe_of_the_same_path_is_learned_besides(
    namespaces: BusyNamespaces, embedder: HashingEmbedder
) -> None:
    for text in (b"About pipes.", b"About sorting."):
        read_end, write_end = os.pipe()
        os.write(write_end, text)
        os.close(write_end)
        path = f"/dev/fd/{read_end}"
        learned = await learn(namespaces, [path], name="pipes", embedder=embedder)
        os.close(read_end)

    assert learned.files == 2
