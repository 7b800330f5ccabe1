"""Hybrid search: words and vectors together, each where the other has nothing to say."""

from __future__ import annotations

import numpy as np

from cluster.kernel.vocabulary import Passage
from cluster.memory.knowledge.search import Entry, HybridIndex

NOTHING = np.zeros(2, dtype=np.float32)
EAST, NORTH = np.eye(2, dtype=np.float32)


def index(*texts: str) -> HybridIndex:
    """Passages of which the first points east and all others north."""
    entries = [Entry(Passage(f"docs/{at}.md", 1, 1, text)) for at, text in enumerate(texts)]
    return HybridIndex(entries, np.array([EAST] + [NORTH] * (len(texts) - 1)))


def sources(passages: list[Passage]) -> list[str]:
    return [passage.source for passage in passages]


def test_words_decide_where_vectors_say_nothing() -> None:
    found = index("about heaps", "about sorting").search("sorting", NOTHING, 5)

    assert sources(found) == ["docs/1.md"]
    assert found[0].score > 0


def test_vectors_decide_where_words_say_nothing() -> None:
    found = index("about heaps", "about sorting").search("zebra", EAST, 5)

    assert sources(found) == ["docs/0.md"]


def test_words_weigh_more_than_vectors() -> None:
    found = index("about heaps", "about sorting").search("sorting", EAST, 5)

    assert sources(found) == ["docs/1.md", "docs/0.md"]


def test_equal_passages_come_in_their_order() -> None:
    found = index("x", "same", "same", "same").search("same", NORTH, 2)

    assert sources(found) == ["docs/1.md", "docs/2.md"]


def test_no_more_are_returned_than_asked_for() -> None:
    passages = index("a word", "a word", "a word")

    assert len(passages.search("word", EAST, 2)) == 2
    assert len(passages.search("word", EAST, 100)) == 3
    assert passages.search("word", EAST, 0) == []
    assert passages.search("word", EAST, -1) == []


def test_an_index_of_nothing_finds_nothing() -> None:
    empty = HybridIndex([], np.empty((0, 2), dtype=np.float32))

    assert len(empty) == 0
    assert empty.search("word", EAST, 5) == []


def test_a_passage_is_found_by_its_title_its_context_and_its_file() -> None:
    entries = [
        Entry(Passage("docs/retry_policy.md", 1, 1, "one")),
        Entry(Passage("docs/b.md", 1, 1, "two", title="Backoff > Jitter")),
        Entry(Passage("docs/c.md", 1, 1, "three"), context="doubles each interval"),
        Entry(Passage("docs/d.html", 1, 1, "caf&eacute; R&amp;D")),
    ]
    passages = HybridIndex(entries, np.zeros((4, 2), dtype=np.float32))

    for question, source in (
        ("retry", "docs/retry_policy.md"),
        ("jitter", "docs/b.md"),
        ("interval", "docs/c.md"),
        ("caf\u00e9", "docs/d.html"),
    ):
        assert sources(passages.search(question, NOTHING, 1)) == [source]
