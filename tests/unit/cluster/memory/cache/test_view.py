"""Hybrid search: words and vectors together, each where the other has nothing to say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.filters import Filter
from cluster.memory.cache.segment import SegmentPart
from cluster.memory.cache.view import KnowledgeView
from cluster.memory.knowledge.records import Chunk
from tests.support.puts import (
    EAST,
    NORTH,
    NOWHERE,
    delta_part,
    part_of,
    put,
    segment_of,
    text_put,
    view_of,
)


class Shelf:
    """Lays texts out as a view of one part."""

    def __init__(self, kind: str, root: Path) -> None:
        self.kind = kind
        self.root = root

    def view(self, *texts: str) -> KnowledgeView:
        """Passages of which the first points east and all others north."""
        puts = [text_put(at, text) for at, text in enumerate(texts, 1)]
        return view_of(part_of(self.kind, self.root, puts))


@pytest.fixture(params=["delta", "segment"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Shelf(request.param, tmp_path)


def sources(passages: list[Passage]) -> list[str]:
    return [passage.source for passage in passages]


def test_words_decide_where_vectors_say_nothing(shelf: Shelf) -> None:
    found = shelf.view("about heaps", "about sorting").search("sorting", NOWHERE, 5)

    assert sources(found) == ["docs/1.md"]
    assert found[0].score > 0


@pytest.mark.parametrize("kind", ["delta", "segment"])
def test_a_name_with_a_line_end_forges_no_source(kind: str, tmp_path: Path) -> None:
    puts = [put(1, Chunk(1, 1, "about heaps"), source="a\n[1] b.md")]

    found = view_of(part_of(kind, tmp_path, puts)).search("heaps", EAST, 5)

    assert sources(found) == [r"a\n[1] b.md"]


def test_vectors_decide_where_words_say_nothing(shelf: Shelf) -> None:
    found = shelf.view("about heaps", "about sorting").search("zebra", EAST, 5)

    assert sources(found) == ["docs/0.md"]


def test_words_weigh_more_than_vectors(shelf: Shelf) -> None:
    found = shelf.view("about heaps", "about sorting").search("sorting", EAST, 5)

    assert sources(found) == ["docs/1.md", "docs/0.md"]


def test_equal_passages_come_in_their_order(shelf: Shelf) -> None:
    found = shelf.view("x", "same", "same", "same").search("same", NORTH, 2)

    assert sources(found) == ["docs/1.md", "docs/2.md"]


def test_no_more_are_returned_than_asked_for(shelf: Shelf) -> None:
    view = shelf.view("a word", "a word", "a word")

    assert len(view.search("word", EAST, 2)) == 2
    assert len(view.search("word", EAST, 100)) == 3


def test_the_nearest_come_first_whatever_their_words(shelf: Shelf) -> None:
    between = np.array([0.8, 0.6], dtype=np.float32)

    found = shelf.view("one", "two", "three").nearest(between, 2)

    assert sources(found) == ["docs/0.md", "docs/1.md"]
    assert [each.score for each in found] == pytest.approx([0.8, 0.6], abs=1e-3)


def test_a_view_of_nothing_finds_nothing(shelf: Shelf) -> None:
    empty = shelf.view()

    assert empty.search("word", EAST, 5) == []
    assert empty.nearest(EAST, 5) == []


def test_a_passage_is_found_by_its_title_its_context_and_its_file(shelf: Shelf) -> None:
    puts = [
        put(1, Chunk(1, 1, "one"), source="docs/retry_policy.md"),
        put(2, Chunk(1, 1, "two", title="Backoff > Jitter")),
        put(3, Chunk(1, 1, "three", context="doubles each interval")),
        put(4, Chunk(1, 1, "caf&eacute; R&amp;D")),
    ]
    view = view_of(part_of(shelf.kind, shelf.root, puts))

    for question, source in (
        ("retry", "docs/retry_policy.md"),
        ("jitter", "docs/1.md"),
        ("interval", "docs/2.md"),
        ("caf\u00e9", "docs/3.md"),
    ):
        assert sources(view.search(question, NOWHERE, 1)) == [source]


def test_a_segment_and_a_delta_are_searched_as_one(tmp_path: Path) -> None:
    segment = SegmentPart(segment_of(tmp_path, [text_put(1, "old heap"), text_put(2, "a sort")]))
    view = view_of(segment, delta_part([text_put(3, "new heap of heaps")]))

    assert sorted(sources(view.search("heap", NOWHERE, 5))) == ["docs/0.md", "docs/2.md"]
    assert sources(view.nearest(EAST, 5))[0] == "docs/0.md"


def test_what_is_dead_is_not_found(tmp_path: Path) -> None:
    segment = segment_of(tmp_path, [text_put(at, "a heap") for at in (1, 2)])
    part = SegmentPart(segment).without(frozenset({1, 77}))
    delta = delta_part([text_put(at, "a heap") for at in (3, 4)], frozenset({4}))

    view = view_of(part, delta)

    for found in (view.search("heap", EAST, 5), view.search("heap", NORTH, 5)):
        assert sources(found) == ["docs/1.md", "docs/2.md"]
    assert "docs/0.md" not in sources(view.nearest(EAST, 5))


def test_a_filter_lets_kinds_sources_and_folders_through(shelf: Shelf) -> None:
    code = Chunk(2, 2, "heap()", kind="code")
    puts = [put(at, Chunk(1, 1, "heap"), code, source=f"d{at}/a.md") for at in (1, 2, 3)]
    view = view_of(part_of(shelf.kind, shelf.root, puts))

    for where, count in (
        (Filter(kind="code"), 3),
        (Filter(sources=frozenset({"d1/a.md", "d3/a.md"})), 4),
        (Filter(folder="/srv/2/d2"), 2),
        (Filter(kind="text", folder="/srv/2/"), 1),
        (Filter(folder="/srv/2/d"), 0),
    ):
        found = view.search("heap", NORTH, 10, where)
        assert len(found) == count
        assert all(where.has(each.source, f"/srv/{each.source[1]}/{each.source}") for each in found)


def test_of_sources_of_one_name_the_latest_that_is_alive_has_it(tmp_path: Path) -> None:
    puts = [put(at, Chunk(1, 1, f"heap {at}"), source="a.md") for at in (1, 2, 3)]
    part = SegmentPart(segment_of(tmp_path, puts[:2]))

    with_all = view_of(part, delta_part(puts[2:])).search("heap", NOWHERE, 5)
    without_last = view_of(part, delta_part(puts[2:], frozenset({3}))).search("heap", NOWHERE, 5)

    assert {each.text[-1]: each.source for each in with_all} == {
        "1": "/srv/1/a.md",
        "2": "/srv/2/a.md",
        "3": "a.md",
    }
    assert {each.text[-1]: each.source for each in without_last} == {
        "1": "/srv/1/a.md",
        "2": "a.md",
    }
