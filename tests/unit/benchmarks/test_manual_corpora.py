"""Sections of a manual's page: what is asked, and what should be found."""

from __future__ import annotations

from benchmarks.manual_corpora import Section, sections_of

BODY = "It keeps the smallest item at its root, so that taking it is quick however many there are."


def test_a_section_is_its_heading_its_first_sentence_and_the_rest() -> None:
    page = f"<h2>1.2. What a heap is</h2><p>A heap is a tree.\n{BODY}</p>"

    assert list(sections_of(page)) == [Section("What a heap is", "A heap is a tree.", BODY)]


def test_sentences_of_scripts_without_spaces_are_told_apart() -> None:
    page = f"<h2>1. 堆</h2><p>堆是一种完全二叉树的数据结构。{BODY}</p>"

    (section,) = sections_of(page)

    assert (section.first, section.rest) == ("堆是一种完全二叉树的数据结构。", BODY)


def test_captions_and_sections_of_one_sentence_are_left_out() -> None:
    page = f'<h2>A heap</h2><p class="title">{BODY} {BODY}</p><h2>A tree</h2><p>{BODY}</p>'

    assert list(sections_of(page)) == []
