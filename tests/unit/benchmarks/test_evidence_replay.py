"""Recorded tasks are read and judged as they were asked."""

from __future__ import annotations

from dataclasses import replace

from agents.prompts import research_prompt
from benchmarks.evidence_replay import (
    Fate,
    Reply,
    passages_in,
    printed_by,
    replayed,
    sentences_of,
)
from cluster.kernel.vocabulary import Passage

QUEUE = Passage(
    "docs/queue.md",
    3,
    5,
    "A queue has room for ten jobs.\n\nIt is closed at night.",
    title="Jobs > Q",
)
LEASE = Passage("docs/lease.md", 1, 1, "A lease lasts 30 seconds.")
ASKED = research_prompt("How much room has a queue?", "Explain the queue.", (QUEUE, LEASE)).text
RESEARCH = Reply(
    "t", "Explain the queue.", "researcher", "r1", ASKED, "A queue has room for ten jobs [1].", ()
)
ANSWER = replace(RESEARCH, agent="manager", step="answer", asked="<results>\n</results>")


def fates(*replies: Reply) -> list[Fate]:
    return [each.fate for each in replayed(replies)]


def test_passages_are_read_back_from_the_message_that_showed_them() -> None:
    assert passages_in(ASKED) == [QUEUE, LEASE]


def test_a_message_without_passages_has_none() -> None:
    assert passages_in("Question: What is a queue?") == []


def test_the_output_of_a_program_is_that_of_its_step() -> None:
    shown = (
        "<results>\nStep r1 (researcher): Find out.\nNothing.\n\nStep c1 (coder): Count.\n"
        "```python\nprint(3)\n```\nThe program ran and printed:\n3\n</results>\n\nGoal: Count."
    )

    assert printed_by(shown, "c1") == "3"
    assert printed_by(shown, "r1") is None


def test_headings_code_and_the_head_of_a_table_are_no_sentences() -> None:
    text = "# Title\n\nOne. Two.\n\n```\nx = 1\n```\n\n| a | b |\n|---|---|\n| c | d |\n\n- item"

    assert sentences_of(text) == ["One.", "Two.", "| c | d |", "item"]


def test_a_sentence_of_a_passage_reaches_the_answer_backed() -> None:
    assert fates(RESEARCH, ANSWER) == [Fate.BACKED, Fate.BACKED]


def test_a_sentence_that_a_passage_contradicts_is_lost() -> None:
    wrong = replace(RESEARCH, text="A queue has room for twelve jobs [1].")

    assert fates(wrong) == [Fate.LOST]


def test_what_no_passage_says_is_unverified() -> None:
    free = replace(RESEARCH, text="Whales sing at dawn in warm water.")

    assert fates(RESEARCH, replace(free, step="r2")) == [Fate.BACKED, Fate.UNVERIFIED]


def test_a_denial_is_shown_and_needs_no_backing() -> None:
    denial = "The documents do not say who runs the queue."

    assert fates(replace(RESEARCH, text=f"{RESEARCH.text} {denial}")) == [Fate.BACKED, Fate.FREE]


def test_a_planted_sentence_is_told_from_the_true_ones() -> None:
    wrong = "A lease lasts 40 seconds [2]."
    reply = replace(RESEARCH, text=f"{RESEARCH.text} {wrong}", planted=(wrong,))

    assert [each.is_planted for each in replayed([reply])] == [False, True]
