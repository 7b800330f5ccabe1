"""Words, numbers and code as they are compared, and the language they are in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agents.evidence.words import TOKENS_MAX, cited_numbers, plain, stem, without_citations, words
from tests.unit.agents.evidence.test_sentences import TEXTS


def keys(sentence: str, language: str = "en") -> list[str]:
    return [word.key for word in words(sentence, language)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The timeout is 1,500 ms.", "The timeout is 1500 milliseconds."),
        ("It has three workers.", "It has 3 workers."),
        ("From 1990-95 it ran.", "From 1990-1995 it ran."),
        ("It can't run.", "It can not run."),
        ("It doesn’t run.", "It does not run."),  # noqa: RUF001
        ("It won't run.", "It will not run."),
        ("The **`heapq`** module [1, 2].", "The `heapq` module."),
        ("See [the guide](guide.md#a).", "See the guide."),
        ("Call :func:`merge`.", "Call `merge`."),
        ("Alice's cat.", "Alice cat."),
    ],
)
def test_two_ways_to_write_it_are_the_same_words(one: str, other: str) -> None:
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It needs 3.10.", "It needs 3.1."),
        ("It holds -5.", "It holds 5."),
        ("It is 1.5 s.", "It is 15 s."),
        ("It costs $5.", "It costs €5."),
        ("Set `a_b`.", "Set `a_c`."),
        ("Set `heap[0]`.", "Set `heap[1]`."),
    ],
)
def test_what_differs_in_a_number_or_a_name_differs(one: str, other: str) -> None:
    assert keys(one) != keys(other)


def test_each_word_has_its_kind() -> None:
    found = words("The cache of Ada holds 512 `list.append` and getSize.")

    assert [(word.raw, word.kind) for word in found] == [
        ("The", "glue"),
        ("cache", "word"),
        ("of", "glue"),
        ("Ada", "name"),
        ("holds", "word"),
        ("512", "number"),
        ("`list.append`", "mixed"),
        ("`list.append`", "code"),
        ("and", "glue"),
        ("getSize", "mixed"),
    ]


@pytest.mark.parametrize(
    ("sentence", "language", "guard"),
    [
        ("It does not run.", "pt", "not"),
        ("The pump runs unless it is full.", "fr", "unless"),
        ("It is not so.", "en", "not"),
        ("Only it is so.", "en", "only"),
        ("Es ist nicht so.", "de", "not"),
        ("Es ist höchstens so.", "de", "at-most"),
        ("No es así.", "es", "not"),
        ("Ce n'est jamais ainsi.", "fr", "not"),
        ("缓存不支持。", "zh", "not"),
        ("キャッシュは使えません。", "ja", "not"),
    ],
)
def test_a_word_that_turns_the_truth_has_its_guard(
    sentence: str, language: str, guard: str
) -> None:
    assert guard in [word.guard for word in words(sentence, language)]


def test_a_clause_opens_behind_a_mark_or_a_conjunction() -> None:
    found = words("The lock, which is new, guards it and waits.")

    assert [word.raw for word in found if word.opens] == ["which", "is", "guards", "and", "waits"]


def test_chinese_is_read_character_by_character_and_names_by_word() -> None:
    assert keys("缓存 Redis 有 512 项", "zh") == ["缓", "存", "redis", "有", "512", "项"]


def test_no_more_than_the_limit_is_read() -> None:
    assert len(words("a b " * TOKENS_MAX)) == TOKENS_MAX


def test_citations_are_told_from_indexes_and_links() -> None:
    text = "See `a[1]`, [2](x.md), so [3], [4, 5] and [7-9]."

    assert cited_numbers(text) == [3, 4, 5, 7, 9]
    assert without_citations(text) == "See `a[1]`, [2](x.md), so, and."


def test_a_plain_sentence_has_no_markup() -> None:
    assert plain("**See** [the guide](a.md) `in two words` [1].") == "See the guide in two words."


def test_stems_follow_the_language_and_others_have_none() -> None:
    assert stem("entries", "en") == stem("entry", "en")
    assert stem("einträge", "de") == stem("eintrag", "de")
    assert stem("entries", "ja") == "entries"


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_words_of_anything_are_found(text: str) -> None:
    for language in ("en", "de", "zh", "ja", "xx"):
        assert all(word.raw for word in words(text, language))
    assert cited_numbers(without_citations(text)) == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("On 2022-01-05 it ran.", ["2022-01-05"]),
        ("It ran at 2022-01-05T08:00:01Z.", ["2022-01-05", "08:00:01"]),
        ("On 05-01-2022 it ran.", ["05", "01", "2022"]),
        ("In 2011-12 it ran.", ["2011-12"]),
        ("From 1914-18 it ran.", ["1914", "1918"]),
    ],
)
def test_a_date_is_one_number_in_its_order(text: str, numbers: list[str]) -> None:
    assert [word.key for word in words(text) if word.kind == "number"] == numbers
