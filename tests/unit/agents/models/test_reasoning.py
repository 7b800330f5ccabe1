"""Thoughts between tags are told from text, however the tags come and whatever mentions them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.models.reasoning import InlineReasoning, ReplyPart

TAGS = ["<think>", "</think>", "<THINKING>", "</thinking>", "<reasoning>", "</reasoning>"]
TAGS += ["[THINK]", "[/THINK]", "\u25c1think\u25b7", "\u25c1/think\u25b7"]
PIECES = [
    *TAGS,
    "<",
    "</th",
    "<thin",
    "[TH",
    "[/",
    "\u25c1",
    " ",
    "\n",
    "`",
    '"',
    "a",
    "Done.",
    "```",
    "```py\n",
    "{}",
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def parts_of(*pieces: str) -> list[ReplyPart]:
    reasoning = InlineReasoning()
    return [part for piece in pieces for part in reasoning.feed(piece)] + reasoning.close()


def answer_of(*pieces: str) -> str:
    """The text that is left when all reasoning is taken out."""
    text = ""
    for part in parts_of(*pieces):
        text = "" if part.ends_unopened else text if part.is_reasoning else text + part.text
    return text.strip()


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<think>", "</think>"),
        ("<Thinking>", "</Thinking>"),
        ("<thought>", "</thought>"),
        ("<reasoning>", "</reasoning>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ],
)
def test_a_thought_is_reasoning_with_its_tags(opening: str, closing: str) -> None:
    text = f"{opening}\nhm{closing}Blue."
    parts = [
        ReplyPart(f"{opening}\nhm{closing}", is_reasoning=True),
        ReplyPart("Blue.", is_reasoning=False),
    ]

    assert parts_of(text) == parts
    assert joined(parts_of(*text)) == joined(parts)


def test_a_thought_that_is_not_closed_lasts_to_the_end() -> None:
    assert answer_of("\n <think>", "hm. " * 5_000) == ""


@pytest.mark.parametrize("after", ["\n\nBlue.", "Blue.", " Blue.", '{"a": 1}', "", "\r\nBlue."])
@pytest.mark.parametrize("before", ["hm\n", "hm.", "hm. ", "hm", "", "```\n{}\n", "`x`", "hm\n\t"])
def test_all_text_before_a_closing_tag_was_reasoning(before: str, after: str) -> None:
    long = "Let me see. " * 1_000

    assert answer_of(long, before, "</think>", after) == after.strip()


@pytest.mark.parametrize(
    "text",
    [
        "It ends with `</think>`.",
        'It ends with "</think>".',
        "It ends the thought (</think>) and goes on.",
        "The model writes </think> when it is done.",
        "A thought stands between <think> and </think>\nin the text.",
        "- </think>\n- more",
        "1. </think> ends it",
        "| </think> | ends it |",
        "Tags:\n```\n<think>\nhm\n</think>\n```\nDone.",
        'So:\n```python\nre.split(r"</think>\\s*", text)\n```',
        "~~~\nx = '''</think>'''\n~~~",
        '{"steps": [{"instruction": "Remove all up to </think> from it"}]}',
        "a < b, <thinker>, <th> and </thead>",
        "Use <reasoning> in the prompt.",
        "See [THINK] and [think](a.md), a[TH] and [/T].",
        "[think] is a link.",
    ],
)
def test_a_tag_that_is_only_mentioned_is_text(text: str) -> None:
    assert answer_of(text) == text
    assert answer_of(*text) == text


def test_a_thought_may_mention_its_closing_tag() -> None:
    assert answer_of("<think>\nNo `</think>` here.\n{}\n</think>\nBlue.") == "Blue."


def test_a_reply_may_think_again_after_it_has_begun() -> None:
    assert answer_of("<think>a</think>One.\n<think>b</think>\nTwo.") == "One.\n\nTwo."


def test_text_without_tags_is_handed_on_as_it_comes() -> None:
    reasoning = InlineReasoning()

    assert reasoning.feed("a < b") == [ReplyPart("a < b", is_reasoning=False)]
    assert reasoning.feed(" <th") == [ReplyPart(" ", is_reasoning=False)]
    assert reasoning.feed("ead>") == [ReplyPart("<thead>", is_reasoning=False)]


def test_what_a_tag_means_is_told_by_what_follows() -> None:
    reasoning = InlineReasoning()

    reasoning.feed("Let me see </think>")

    assert reasoning.is_undecided
    assert reasoning.feed("\n")[0].ends_unopened
    assert not reasoning.is_undecided


@given(texts)
def test_all_parts_together_are_the_text(text: str) -> None:
    assert "".join(part.text for part in parts_of(text)) == text


@given(texts, st.lists(st.integers(0, 60), max_size=8))
@example("hm\n</think>\nBlue.", list(range(20)))
@example("<think>hm</think>Blue.", list(range(24)))
def test_how_a_text_is_split_makes_no_difference(text: str, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]

    assert joined(parts_of(*pieces)) == joined(parts_of(text))


def joined(parts: list[ReplyPart]) -> list[tuple[str, bool, bool]]:
    """Parts with neighbours of the same kind as one."""
    made: list[tuple[str, bool, bool]] = []
    for part in parts:
        text, kind = part.text, (part.is_reasoning, part.ends_unopened)
        if made and made[-1][1:] == kind:
            text = made.pop()[0] + text
        made.append((text, *kind))
    return made
