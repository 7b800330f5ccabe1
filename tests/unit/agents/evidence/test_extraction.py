"""Quotes with their lines, and the sentences that answer a question best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings

from agents.evidence import extraction
from agents.evidence.extraction import (
    QUOTE_CHARS_MAX,
    Extract,
    cite,
    lies_in,
    nearest_lines,
    quote_of,
)
from agents.evidence.features import Sources
from agents.evidence.verdict import Judge
from cluster.kernel.vocabulary import Citation, Passage
from tests.unit.agents.evidence.test_sentences import TEXTS

TEXT = """The Zephyr cache holds 512 entries. It evicts the oldest
entry after 30 minutes.

It was written by Ada Byron in 2019."""
PASSAGE = Passage("docs/zephyr.md", 10, 13, TEXT, title="Zephyr > Limits")


def laid_out(passages: Sequence[Passage]) -> Sources:
    return Sources([(each.text, each.title) for each in passages])


def extracts(question: str, *passages: Passage) -> list[Extract]:
    return extraction.extracts(question, passages, laid_out(passages))


def test_a_quote_is_verbatim_and_knows_its_lines() -> None:
    judge = Judge(laid_out([PASSAGE]))

    verdict = judge.verdict("Here it evicts the oldest entry after 30 minutes.", [0])

    assert quote_of([PASSAGE], [judge.sources.units[at] for at in verdict.units]) == Citation(
        "docs/zephyr.md", 10, 11, "It evicts the oldest\nentry after 30 minutes."
    )


def test_a_quote_knows_its_page_and_lies_on_no_other() -> None:
    passage = Passage("a.pdf", 5, 5, "The Zephyr cache holds 512 entries.", page=7)

    citation = cite(passage, 0, len(passage.text))

    assert citation == Citation("a.pdf", 5, 5, passage.text, page=7)
    assert lies_in(citation, passage)
    assert not lies_in(citation, replace(passage, page=8))


def test_where_the_file_has_tags_only_what_lies_between_two_is_quoted() -> None:
    text = "The Zephyr cache holds\n512 entries."
    passage = Passage("a.html", 5, 6, text, breaks=(4, 10))

    assert cite(passage, 0, len(text)) == Citation("a.html", 5, 6, "cache holds\n512 entries.")


def test_lines_that_do_not_match_the_text_are_given_as_a_whole() -> None:
    passage = Passage("a.html", 5, 9, "One. Two.", breaks=(4,))

    assert cite(passage, 5, 9) == Citation("a.html", 5, 9, "Two.")


def test_a_citation_knows_the_document_that_it_is_of() -> None:
    passage = Passage("a.md", 1, 1, "It is so.", document="d1")

    assert cite(passage, 0, 9).document == "d1"


def test_a_long_quote_is_cut_at_a_line() -> None:
    text = "\n".join(["A line of forty characters, more or less."] * 30)

    citation = cite(Passage("a.md", 1, 30, text), 0, len(text))

    assert len(citation.quote) <= QUOTE_CHARS_MAX
    assert (citation.quote.count("\n"), citation.end_line) == (15, 16)


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("How many entries does the Zephyr cache hold?", "The Zephyr cache holds 512 entries."),
        ("When is the oldest entry evicted?", "It evicts the oldest entry after 30 minutes."),
        ("Who has written it?", "It was written by Ada Byron in 2019."),
    ],
)
def test_the_best_sentence_has_the_questions_rare_words(question: str, best: str) -> None:
    found = extracts(question, PASSAGE, Passage("b.md", 1, 1, "The cache is fast."))

    assert max(found, key=lambda each: each.relevance).text == best


@pytest.mark.parametrize(
    ("question", "text", "best"),
    [
        (
            "Wie viele Einträge hält der Cache?",
            "Der Cache hält 512 Einträge. Er wurde von Ada geschrieben.",
            "Der Cache hält 512 Einträge.",
        ),
        (
            "¿Cuántas entradas guarda la caché?",
            "Ada la escribió en 2019. La caché guarda 512 entradas.",
            "La caché guarda 512 entradas.",
        ),
        ("缓存有多少条目？", "缓存有 512 个条目。它由艾达编写。", "缓存有 512 个条目。"),  # noqa: RUF001
        (
            "キャッシュの項目はいくつですか。",
            "作者はエイダです。キャッシュは512件の項目を保持します。",
            "キャッシュは512件の項目を保持します。",
        ),
    ],
)
def test_answers_are_found_in_other_languages(question: str, text: str, best: str) -> None:
    found = extracts(question, Passage("a.md", 1, 1, text))

    assert max(found, key=lambda each: each.relevance).text == best


@pytest.mark.parametrize("question", ["What is the capital of France?", "", "Write a program."])
def test_nothing_is_extracted_where_nothing_answers(question: str) -> None:
    assert extracts(question, PASSAGE) == []


def test_code_questions_and_headings_are_no_answers() -> None:
    text = "# Zephyr entries\n\n    zephyr = entries(512)\n\nDoes Zephyr hold entries? See below:"

    assert extracts("Zephyr entries", Passage("a.md", 1, 5, text)) == []


def test_docstrings_and_comments_of_source_code_answer_and_its_code_does_not() -> None:
    text = (
        'import zephyr\n\n\ndef evict(entries):\n    """Evicts the oldest entry of the cache."""\n'
        "    # An entry is evicted if the cache is full.\n    entries.pop(0)  # the oldest\n"
    )

    found = extracts("Which entry of the cache is evicted?", Passage("a.py", 1, 7, text))

    assert [each.text for each in found] == [
        "Evicts the oldest entry of the cache.",
        "An entry is evicted if the cache is full.",
    ]


def test_a_row_of_a_table_answers() -> None:
    text = (
        "| cache | holds |\n|---|---|\n| Zephyr | 512 entries each |\n| Boreas | 64 entries each |"
    )

    found = extracts("How many entries has Boreas?", Passage("a.md", 1, 4, text))

    assert max(found, key=lambda each: each.relevance).text == "| Boreas | 64 entries each |"


def test_markup_is_shown_as_markdown() -> None:
    text = "Call :func:`heapq.merge` with ``key``\n   to merge entries."

    (found,) = extracts("merge entries", Passage("a.rst", 1, 2, text))

    assert found.text == "Call `heapq.merge` with `key` to merge entries."


def test_what_was_found_is_shown_by_its_first_whole_sentences() -> None:
    passages = [PASSAGE, Passage("b.md", 1, 3, "# Title\n\nThe cache is very fast.")]

    found = nearest_lines(passages, laid_out(passages))

    assert [each.text for each in found] == [
        "The Zephyr cache holds 512 entries.",
        "The cache is very fast.",
    ]


@settings(deadline=None, max_examples=100)
@given(TEXTS)
def test_quotes_of_any_text_are_verbatim(text: str) -> None:
    passage = Passage("a.md", 1, text.count("\n") + 1, text)

    for found in [*extracts(text, passage), *nearest_lines([passage], laid_out([passage]))]:
        assert found.citation.quote in text


CSV = "name,port,protocol\nzephyr,8080,http\nboreas,9090,grpc"
TABLE = "| name | port |\n|---|---|\n| zephyr | 8080 |\n| boreas | 9090 |"
LOG = """2026-11-28 09:14:02 INFO pool opened with 40 connections
2026-11-28 09:15:10 ERROR replica boreas did not answer in 5 s
"""
DOCSTRING = """import asyncio


class Pool:
    '''A pool of workers.

    It closes idle workers after ten minutes.
    '''
"""
CHINESE = "连接池最多有40个连接。空闲的连接在十分钟后关闭。"
JAPANESE = "プールは最大40接続です。使われない接続は10分後に閉じます。"


@pytest.mark.parametrize(
    ("text", "question", "found"),
    [
        (CSV, "Which port has boreas?", "boreas,9090,grpc"),
        (TABLE, "Which port has boreas?", "| boreas | 9090 |"),
        (LOG, "Which replica did not answer?", LOG.splitlines()[1]),
        (DOCSTRING, "When are idle workers closed?", "It closes idle workers after ten minutes."),
        (CHINESE, "空闲的连接什么时候关闭", "空闲的连接在十分钟后关闭。"),
        (JAPANESE, "使われない接続はいつ閉じますか", "使われない接続は10分後に閉じます。"),
    ],
)
def test_rows_logs_docstrings_and_unspaced_scripts_are_extracted(
    text: str, question: str, found: str
) -> None:
    passage = Passage("a.txt", 1, text.count("\n") + 1, text)

    best = max(extracts(question, passage), key=lambda each: each.relevance)

    assert (best.text, best.citation.quote) == (found, found)
