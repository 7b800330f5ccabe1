"""Quotes with their lines, and the sentences that answer a question best."""

from __future__ import annotations

import pytest

from agents.extraction import cite, extracts, support_for
from agents.sentences import sentences
from cluster.kernel.tasks import Citation, Passage

TEXT = """The Zephyr cache holds 512 entries. It evicts the oldest
entry after 30 minutes.

It was written by Ada Byron in 2019."""
PASSAGE = Passage("docs/zephyr.md", 10, 13, TEXT, title="Zephyr > Limits")


def test_a_quote_is_verbatim_and_knows_its_lines() -> None:
    support = support_for("The Zephyr cache evicts the oldest entry after 30 minutes.", [PASSAGE])

    assert support is not None
    assert support.citation == Citation(
        "docs/zephyr.md", 10, 11, "It evicts the oldest\nentry after 30 minutes."
    )


def test_where_the_file_has_tags_only_what_lies_between_two_is_quoted() -> None:
    text = "The Zephyr cache holds\n512 entries."
    passage = Passage("a.html", 5, 6, text, breaks=(4, 10))

    citation = cite(passage, sentences(text)[0])

    assert citation == Citation("a.html", 5, 6, "cache holds\n512 entries.")


def test_lines_that_do_not_match_the_text_are_given_as_a_whole() -> None:
    passage = Passage("a.html", 5, 9, "One. Two.", breaks=(4,))

    assert cite(passage, sentences(passage.text)[1]) == Citation("a.html", 5, 9, "Two.")


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("How many entries does the Zephyr cache hold?", "The Zephyr cache holds 512 entries."),
        ("When is the oldest entry evicted?", "It evicts the oldest entry after 30 minutes."),
        ("Who has written it?", "It was written by Ada Byron in 2019."),
    ],
)
def test_the_best_sentence_has_the_questions_rare_words(question: str, best: str) -> None:
    found = extracts(question, [PASSAGE, Passage("b.md", 1, 1, "The cache is fast.")])

    assert max(found, key=lambda each: each.relevance).text == best


@pytest.mark.parametrize("question", ["What is the capital of France?", "", "Write a program."])
def test_nothing_is_extracted_where_nothing_answers(question: str) -> None:
    assert extracts(question, [PASSAGE]) == []


def test_code_questions_and_headings_are_no_answers() -> None:
    text = "# Zephyr entries\n\n    zephyr = entries(512)\n\nDoes Zephyr hold entries? See below:"

    assert extracts("Zephyr entries", [Passage("a.md", 1, 5, text)]) == []


def test_markup_is_shown_as_markdown() -> None:
    text = "Call :func:`heapq.merge` with ``key``\n   to merge entries."

    (found,) = extracts("merge entries", [Passage("a.rst", 1, 2, text)])

    assert found.text == "Call `heapq.merge` with `key` to merge entries."
