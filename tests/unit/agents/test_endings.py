"""When a stream has said enough."""

from __future__ import annotations

from collections.abc import Callable

from agents.endings import BlockClosed


def stops_at(is_enough: Callable[[str], bool], text: str) -> str:
    """What was read when it was enough, fed by single characters."""
    for at, character in enumerate(text, start=1):
        if is_enough(character):
            return text[:at]
    return ""


def test_a_closed_block_is_enough() -> None:
    assert stops_at(BlockClosed(), "Here:\n```python\nx\n```\nmore") == "Here:\n```python\nx\n```"
    assert stops_at(BlockClosed(), "```python\nprint('```')\n") == ""
    assert BlockClosed()("```\nx\n```")


def test_a_block_within_a_thought_is_forgotten() -> None:
    ending = BlockClosed()
    ending("```\nx")

    ending.reset()

    assert stops_at(ending, "```\ny\n```") == "```\ny\n```"
