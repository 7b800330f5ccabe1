"""A model that repeats itself is recognised, and ordinary text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.policies.loops import looping_period, without_loop

SENTENCE = "The output is:\n\n```\nthree largest: [99, 88, 71]\n```\n\n"


def test_a_sentence_said_over_and_over_is_a_loop() -> None:
    assert looping_period("First this. " + SENTENCE * 5) == len(SENTENCE)


def test_digits_counted_round_and_round_are_a_loop() -> None:
    assert looping_period('{"steps": [' + "1234567890" * 20) == 10


def test_a_loop_is_cut_to_its_first_piece() -> None:
    assert without_loop("First this. " + SENTENCE * 9) == "First this. " + SENTENCE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        SENTENCE * 3,
        "| a | b |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(40)),
        "# Title\n" + "-" * 80 + "\n",
        "".join(f"numbers.append({n})\n" for n in range(60)),
        " ".join(f"Sentence number {n} says something else." for n in range(40)),
    ],
)
def test_ordinary_text_is_no_loop(text: str) -> None:
    assert looping_period(text) == 0
    assert without_loop(text) == text


@given(st.text(max_size=300), st.text(min_size=1, max_size=60))
def test_cutting_a_loop_leaves_a_beginning_of_the_text(head: str, piece: str) -> None:
    text = head + piece * 200

    cut = without_loop(text)

    assert text.startswith(cut)
    assert len(cut) <= len(head) + 2 * max(len(piece), 1) + 1
