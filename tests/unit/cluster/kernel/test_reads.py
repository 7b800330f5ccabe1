"""What a turn has read is noted once a document, bounded, and narrowed to what counts."""

from __future__ import annotations

import pytest

from cluster.kernel.reads import (
    ENTRIES_MAX,
    NAMES_BYTES_MAX,
    PLACES_MAX,
    Reads,
    Saw,
    SeenField,
    SeenNamespace,
    SeenSource,
    SeenState,
    class_of,
)

BOARD = "task/t1/Board"


def test_a_turn_that_reads_nothing_saw_nothing() -> None:
    assert Reads().saw() == Saw()
    assert Reads().saw().is_empty


def test_all_that_is_read_of_a_document_is_one_entry() -> None:
    reads = Reads()
    reads.state(BOARD, 4, ["facts"])
    reads.state(BOARD, 4, ["draft", "facts"])
    fields = SeenField("draft", 4), SeenField("facts", 4)
    assert reads.saw() == Saw((SeenState(BOARD, 4, fields),))


def test_a_field_that_is_read_again_was_known_at_the_later_version() -> None:
    reads = Reads()
    reads.state(BOARD, 4, ["facts", "draft"])
    reads.state(BOARD, 9, ["facts"])
    [state] = reads.saw().states
    assert state.version == 4
    assert state.fields == (SeenField("draft", 4), SeenField("facts", 9))


def test_a_document_that_was_opened_without_reading_a_field_is_noted() -> None:
    reads = Reads()
    reads.state(BOARD, 4, [])
    assert reads.saw() == Saw((SeenState(BOARD, 4),))
    assert not reads.saw().is_empty


def test_cited_sources_stand_with_their_namespace() -> None:
    reads = Reads()
    reads.passages("manuals", 7)
    reads.passages("manuals", 6, [("b.md", "2b"), ("a.md", "1a")])
    cited = SeenSource("a.md", "1a"), SeenSource("b.md", "2b")
    assert reads.saw() == Saw(namespaces=(SeenNamespace("manuals", 6, cited),))


def test_a_source_of_no_known_document_is_left_out() -> None:
    reads = Reads()
    reads.passages("manuals", 7, [("a.md", "")])
    assert reads.saw() == Saw(namespaces=(SeenNamespace("manuals", 7),))


def test_only_what_the_handler_declares_counts() -> None:
    reads = Reads()
    reads.narrow([("Board", "facts")], knowledge=False, results=False)
    reads.state(BOARD, 4, ["facts", "draft"])
    reads.state("cluster/Plans/x", 2, ["facts"])
    reads.passages("manuals", 7, [("a.md", "1a")])
    states = SeenState("cluster/Plans/x", 2), SeenState(BOARD, 4, (SeenField("facts", 4),))
    searched = (SeenNamespace("manuals", 7),)
    assert reads.saw() == Saw(states, searched, is_declared=True)


def test_what_is_over_the_bounds_is_left_out_and_said() -> None:
    reads = Reads()
    for number in range(ENTRIES_MAX):
        reads.state(f"cluster/B/{number}", 1, [])
    assert reads.saw().is_whole
    reads.passages("manuals", 1)
    assert not reads.saw().is_whole
    assert len(reads.saw().states) == ENTRIES_MAX
    assert not reads.saw().namespaces


def test_the_fields_of_a_document_are_bounded() -> None:
    reads = Reads()
    reads.state(BOARD, 1, [f"f{number}" for number in range(PLACES_MAX + 1)])
    assert not reads.saw().is_whole
    assert len(reads.saw().states[0].fields) == PLACES_MAX


def test_long_names_are_bounded_in_bytes() -> None:
    reads = Reads()
    reads.passages("manuals", 1, [("ä" * (NAMES_BYTES_MAX // 2), "1a")])
    assert not reads.saw().is_whole
    assert not reads.saw().namespaces[0].sources


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("task/t1/Board", "Board"),
        ("task/t1/Board/left", "Board"),
        ("cluster/Board", "Board"),
        ("cluster/Board/left", "Board"),
        ("task", ""),
    ],
)
def test_a_document_is_of_the_class_that_it_is_named_after(document: str, name: str) -> None:
    assert class_of(document) == name
