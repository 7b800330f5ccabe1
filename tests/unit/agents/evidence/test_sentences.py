"""Sentences in Markdown, reStructuredText, source code and plain text, of several languages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.languages import language_of
from agents.evidence.sentences import Place, is_code, sentences

MARKUP = st.sampled_from(
    [
        "One. ",
        "\n",
        "\n\n",
        "# ",
        "- ",
        "| a | b |",
        "```",
        "~~~",
        '"""',
        "文。",
        "[1]",
        "[2, 3]",
        "e.g. ",
        "approx. ",
        "(",
        '"',
        "“",
        "`",
        "\t",
        "\r\n",
        "\r",
        "\x0b",
        "\x1c",
        "\x85",
        "\x00",
        "\u2028",
        "Dr. ",
        "3.5",
        "a_b()",
        "x = 1",
        "> ",
        "1. ",
        "===",
        "🙂",
        "![a](b)",
        ":",
        " ",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(MARKUP, max_size=30).map("".join))


def texts(text: str) -> list[str]:
    return [
        " ".join(text[span.start : span.end].split()) for span in sentences(text, language_of(text))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It rose 3.5 % in the U.S. market.", ["It rose 3.5 % in the U.S. market."]),
        ("It takes approx. Five minutes pass.", ["It takes approx. Five minutes pass."]),
        ("Das gilt bzw. Es gilt nicht.", ["Das gilt bzw. Es gilt nicht."]),
        ("Use `a.b.C` now. Done.", ["Use `a.b.C` now.", "Done."]),
        ("It is so. [1] And so [2, 3]. Yes.", ["It is so. [1]", "And so [2, 3].", "Yes."]),
        ('He said "no." Then she left.', ['He said "no." Then she left.']),
        ("Wrapped over\ntwo lines. And on.", ["Wrapped over two lines.", "And on."]),
        ("Cache size: 512\nEviction: 30 minutes", ["Cache size: 512", "Eviction: 30 minutes"]),
        ("最初の文。次の文。", ["最初の文。", "次の文。"]),
        ("第一句。第二句。", ["第一句。", "第二句。"]),
        ("有3句。30分钟后删除。", ["有3句。", "30分钟后删除。"]),
        ("...", []),
        ("", []),
    ],
)
def test_a_text_is_split_where_a_sentence_ends(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_headings_items_rows_and_code_stand_alone() -> None:
    text = (
        "# A heap\nA heap is a list.\n- first item\n  goes on. Twice.\n2. second\n\n"
        "```python\nx = 1. No sentence.\n```\n| a | b |\n.. note:: no\nTitle\n=====\nEnd."
    )

    found = [
        (span.place, " ".join(text[span.start : span.end].split()))
        for span in sentences(text, language_of(text))
    ]

    assert found == [
        (Place.HEADING, "A heap"),
        (Place.PARAGRAPH, "A heap is a list."),
        (Place.ITEM, "first item goes on."),
        (Place.ITEM, "Twice."),
        (Place.ITEM, "second"),
        (Place.CODE, "x = 1. No sentence."),
        (Place.ROW, "| a | b |"),
        (Place.PARAGRAPH, "Title"),
        (Place.PARAGRAPH, "End."),
    ]


def test_comments_and_docstrings_of_source_code_are_prose() -> None:
    text = (
        '"""Adds items to a heap."""\nimport heapq\n\n# The heap is a plain list.\nheap = []\n'
        "def push(item):\n    '''Adds one item.'''\n    heapq.heappush(heap, item)\n"
    )

    prose = [s for s in sentences(text, language_of(text)) if s.place is Place.PARAGRAPH]

    assert [text[s.start : s.end] for s in prose] == [
        "Adds items to a heap.",
        "The heap is a plain list.",
        "Adds one item.",
    ]


def test_offsets_are_those_of_the_text() -> None:
    text = "  > Quoted text.  It goes on."

    found = [text[span.start : span.end] for span in sentences(text, language_of(text))]

    assert found == ["Quoted text.", "It goes on."]


@pytest.mark.parametrize(
    "line",
    [
        "import heapq",
        "x = [1, 2]",
        "heapq.heappush(heap, 3)",
        "for x in range(3):",
        ">>> run()",
        "return self._items",
        "if (a) { b(); }",
        "x = compute(1)  # adds one to all of them",
    ],
)
def test_source_code_is_told_from_prose(line: str) -> None:
    assert is_code(line)


@pytest.mark.parametrize(
    "line",
    [
        "Call `heappush(heap, 3)` to add an item.",
        "It returns the smallest item (and removes it).",
        "For each worker there is one cache:",
        "Speed = distance over time, as a rule.",
    ],
)
def test_prose_about_code_is_prose(line: str) -> None:
    assert not is_code(line)


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_spans_lie_in_the_text_in_order_and_never_overlap(text: str) -> None:
    end = 0
    for span in sentences(text, language_of(text)):
        assert end <= span.start < span.end <= len(text)
        end = span.end


@pytest.mark.parametrize(
    "piece", ["文。", "approx. ", "“", "(", "a. B ", "\t", "[1]", "- a\n", "x"]
)
def test_a_long_line_of_anything_is_read(piece: str) -> None:
    text = (piece * 5_000)[:5_000]

    assert all(span.end <= len(text) for span in sentences(text, language_of(text)))


def test_what_stands_behind_a_long_sentence_is_its_own_sentence() -> None:
    long = "The cache holds " + "very " * 1_200 + "many entries."

    assert texts(f"{long} It evicts them.") == [long, "It evicts them."]


def test_a_gap_of_thousands_of_blanks_is_read_in_no_time() -> None:
    text = f"The cache{' ' * 30_000}holds 512 entries."

    assert len(texts(text)) == 1
