"""Sentences in Markdown, reStructuredText and plain text."""

from __future__ import annotations

import pytest

from agents.sentences import Place, sentences


def texts(text: str) -> list[str]:
    return [" ".join(text[span.start : span.end].split()) for span in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It rose 3.5 % in the U.S. market.", ["It rose 3.5 % in the U.S. market."]),
        ("Dr. Smith, e.g. in Fig. 3, says no. It ends.", None),
        ("Ask J. Doe about No. 5. Then go.", ["Ask J. Doe about No. 5.", "Then go."]),
        ("Use `a. b. C` now. Done.", ["Use `a. b. C` now.", "Done."]),
        ("It is so. [1] And so [2, 3]. Yes.", ["It is so. [1]", "And so [2, 3].", "Yes."]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("Wrapped over\ntwo lines. And on.", ["Wrapped over two lines.", "And on."]),
        ("Cache size: 512\nEviction: 30 minutes", ["Cache size: 512", "Eviction: 30 minutes"]),
        ("Use heapq. heappush adds.", ["Use heapq.", "heappush adds."]),
        ("最初の文。次の文。", ["最初の文。", "次の文。"]),
        ("...", []),
        ("", []),
    ],
)
def test_a_text_is_split_where_a_sentence_ends(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ["Dr. Smith, e.g. in Fig. 3, says no.", "It ends."]

    assert texts(text) == expected


def test_headings_items_and_rows_stand_alone_and_code_says_nothing() -> None:
    text = (
        "# A heap\nA heap is a list.\n- first item\n  goes on. Twice.\n2. second\n\n"
        "```python\nx = 1. No sentence.\n```\n| a | b |\n.. note:: no\n>>> no\nTitle\n=====\nEnd."
    )

    found = [
        (span.place, " ".join(text[span.start : span.end].split())) for span in sentences(text)
    ]

    assert found == [
        (Place.HEADING, "A heap"),
        (Place.PARAGRAPH, "A heap is a list."),
        (Place.ITEM, "first item goes on."),
        (Place.ITEM, "Twice."),
        (Place.ITEM, "second"),
        (Place.ROW, "| a | b |"),
        (Place.PARAGRAPH, "Title"),
        (Place.PARAGRAPH, "End."),
    ]


def test_offsets_are_those_of_the_text() -> None:
    text = "  > Quoted text.  It goes on."

    assert [text[span.start : span.end] for span in sentences(text)] == [
        "Quoted text.",
        "It goes on.",
    ]
