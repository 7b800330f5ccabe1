"""What is read again: what is new, differs, or could differ without being seen to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.memory.knowledge import upkeep
from cluster.memory.knowledge.catalog import Catalog, KnownSource
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.sources import SourceFile
from cluster.memory.knowledge.upkeep import (
    SETTLED_NS,
    FoundFile,
    Method,
    Upkeep,
    batches,
    gone,
    settled_ns,
)

METHOD = Method(3, "hashing")
FOUND = FoundFile(SourceFile(Path("/x/a.md"), "a.md", "markdown", "x"), "ka", 7, 99)
RECORD = SourceRecord("a.md", "/x/a.md", "markdown", 3, "hashing", 1, 10, 7, 99)
KNOWN = KnownSource("ka", "d", RECORD)


def catalog(*sources: KnownSource) -> Catalog:
    return Catalog(len(sources), {each.key: each for each in sources})


def at(path: str) -> KnownSource:
    return KnownSource(path, "d", replace(RECORD, path=path))


def test_a_file_of_the_same_size_and_time_is_not_read() -> None:
    assert Upkeep.of([FOUND], catalog(KNOWN), METHOD) == Upkeep((), (FOUND,), ())


def test_a_file_that_is_not_known_or_whose_document_was_lost_is_read() -> None:
    assert Upkeep.of([FOUND], catalog(), METHOD).to_read == (FOUND,)
    assert Upkeep.of([FOUND], catalog(KNOWN), METHOD, frozenset({"d"})).to_read == (FOUND,)


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, size=8),
        replace(RECORD, modified_ns=98),
        replace(RECORD, modified_ns=0),
        replace(RECORD, source="b.md"),
        replace(RECORD, format="text"),
        replace(RECORD, chunker_version=2),
        replace(RECORD, embedder=""),
    ],
)
def test_a_file_that_differs_in_anything_is_read(record: SourceRecord) -> None:
    upkeep = Upkeep.of([FOUND], catalog(replace(KNOWN, record=record)), METHOD)

    assert (upkeep.to_read, upkeep.reembedded) == ((FOUND,), ())


def test_a_file_of_another_embedder_is_read_and_counted() -> None:
    known = catalog(replace(KNOWN, record=replace(RECORD, embedder="other")))

    assert Upkeep.of([FOUND], known, METHOD) == Upkeep((FOUND,), (), ("other",))


def test_a_time_that_a_later_change_could_have_too_is_not_trusted() -> None:
    assert settled_ns(5, 5 + SETTLED_NS) == 5
    assert settled_ns(5, 4 + SETTLED_NS) == 0
    assert settled_ns(9, 5) == 0


def test_what_lay_below_a_path_and_is_no_longer_there_is_gone() -> None:
    known = catalog(at("/x/a"), at("/x/b"), at("/xy"), at("/z"))

    assert [each.key for each in gone(known, frozenset({"/x/a"}), ["/x", "/z"])] == ["/x/b", "/z"]
    assert [each.key for each in gone(known, frozenset({"/x/a"}), ["/"])] == ["/x/b", "/xy", "/z"]
    assert len(gone(known, frozenset(), None)) == 4


def test_files_are_read_in_portions_of_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "BATCH_BYTES", 10)
    monkeypatch.setattr(upkeep, "BATCH_FILES", 3)
    sizes = [4, 4, 4, 30, 1, 1, 1, 1]

    portions = list(batches(replace(FOUND, size=size) for size in sizes))

    assert [[each.size for each in some] for some in portions] == [
        [4, 4],
        [4],
        [30],
        [1, 1, 1],
        [1],
    ]
    assert list(batches([])) == []
