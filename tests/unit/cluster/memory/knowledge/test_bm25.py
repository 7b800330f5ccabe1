"""Words find texts; nothing in a question is syntax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.memory.knowledge.bm25 import Lexicon

TEXTS = [
    "The heap keeps its smallest element first.",
    "Sorting a list takes time; lists are sorted in place.",
    "class StrictRedis: the client of decode_responses",
    "heap sort and sorted heaps, sorting heaps",
    "\u691c\u7d22\u30a8\u30f3\u30b8\u30f3 caf\u00e9",
]
LEXICON = Lexicon(TEXTS)


def found(question: str) -> list[int]:
    return LEXICON.best(question, 10)[0]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("smallest elements", 0),
        ("SORTS LISTS", 1),
        ("strict redis", 2),
        ("StrictRedis", 2),
        ("decode responses", 2),
        ("\u7d22", 4),
        ("cafe", 4),
    ],
)
def test_words_are_found_in_other_forms(question: str, first: int) -> None:
    assert found(question)[0] == first


@pytest.mark.parametrize(
    "question",
    ['"heap', "heap AND", "text:heap", "heap^", "(heap", "[heap TO", "-heap", "*heap~2", "heap\\"],
)
def test_query_syntax_is_only_characters(question: str) -> None:
    assert set(found(question)) == {0, 3}


@given(st.text(max_size=200))
def test_any_question_is_answered(question: str) -> None:
    positions, scores = LEXICON.best(question, 3)

    assert len(positions) == len(scores) <= 3
    assert scores == sorted(scores, reverse=True)


def test_a_very_long_question_is_answered() -> None:
    assert set(found("heap " * 100_000)) == {0, 3}


def test_a_question_without_a_known_word_finds_nothing() -> None:
    assert LEXICON.best("zebra unicorn", 3) == ([], [])
    assert LEXICON.best("", 3) == ([], [])


def test_what_is_not_known_lowers_the_score() -> None:
    (_, (alone, *_)) = LEXICON.best("smallest element", 3)
    (_, (among_others, *_)) = LEXICON.best("smallest element zebra", 3)

    assert 0.0 < among_others < alone < 1.5


def test_words_that_stand_together_count_for_more() -> None:
    lexicon = Lexicon(["green car and a red house", "red car and a green house"])

    assert lexicon.best("green house", 2)[0][0] == 1


def test_an_index_of_nothing_finds_nothing() -> None:
    assert Lexicon([]).best("heap", 3) == ([], [])
