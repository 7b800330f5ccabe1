"""When a stream has said enough."""

from __future__ import annotations

from collections.abc import Callable

from agents.endings import BlockClosed, InCircles


def stops_at(is_enough: Callable[[str], bool], text: str) -> str:
    """What was read when it was enough, fed by single characters."""
    for at, character in enumerate(text, start=1):
        if is_enough(character):
            return text[:at]
    return ""


def test_a_text_that_says_the_same_four_times_is_enough() -> None:
    sentence = "The heap is a list of lists. "

    assert stops_at(InCircles(), sentence * 9) == (sentence * 4).strip()


def test_short_lines_and_new_sentences_go_on() -> None:
    assert stops_at(InCircles(), "yes\n" * 50) == ""
    assert stops_at(InCircles(), "".join(f"This is sentence number {n}. " for n in range(9))) == ""


def test_a_closed_block_is_enough() -> None:
    assert stops_at(BlockClosed(), "Here:\n```python\nx\n```\nmore") == "Here:\n```python\nx\n```"
    assert stops_at(BlockClosed(), "```python\nprint('```')\n") == ""
    assert BlockClosed()("```\nx\n```")
