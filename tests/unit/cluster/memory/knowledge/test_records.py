"""A collection's id says what is in it, and nothing else."""

from __future__ import annotations

from cluster.memory.knowledge.records import Collection, CollectionSource

A = CollectionSource("docs/a.md", "1", "/x/docs/a.md", 3)
B = CollectionSource("docs/b.md", "2", "/x/docs/b.md", 4)


def test_the_order_of_the_sources_does_not_change_the_id() -> None:
    assert Collection.of([A, B]).id == Collection.of([B, A]).id


def test_neither_the_place_nor_the_count_of_passages_changes_the_id() -> None:
    moved = CollectionSource(A.source, A.document, "/y/docs/a.md", 5)

    assert Collection.of([moved]).id == Collection.of([A]).id


def test_another_content_or_another_name_changes_the_id() -> None:
    changed = CollectionSource(A.source, "9", A.path, 3)
    renamed = CollectionSource("docs/c.md", A.document, A.path, 3)

    assert len({Collection.of([each]).id for each in (A, B, changed, renamed)}) == 4
