"""What is left of a model's Markdown when a judge has been through it."""

from __future__ import annotations

from collections.abc import Sequence

from agents.prose import code_blocks, fenced, judged, with_citations


class Good:
    """Lets pass what is called good, and cites it as 7."""

    def sentence(self, text: str, cited: Sequence[int]) -> Sequence[int] | None:
        return [7, *cited] if "good" in text else None

    def frame(self, text: str) -> bool:
        return "frame" in text

    def code(self, body: str) -> bool:
        return "good" in body


def test_sentences_pass_one_by_one_with_the_judges_citations() -> None:
    result = judged("A good one [1]. A bad one [2]. Another good one.\n\nAll bad.", Good())

    assert result.text == "A good one [7][1]. Another good one [7]."
    assert (result.kept, result.dropped) == (2, 2)


def test_a_list_and_its_lead_in_keep_their_form() -> None:
    text = "The frame:\n\n- good `a[1]`\n- bad\n  1. good too\n\nAnother frame:\n\n- bad"

    assert judged(text, Good()).text == "The frame:\n\n- good `a[1]` [7]\n  1. good too [7]"


def test_headings_that_nothing_follows_go() -> None:
    text = (
        "# frame one\n\nA good one.\n\n## frame two\n\nA bad one.\n\n# A wrong heading\n\n"
        "It is good."
    )

    assert judged(text, Good()).text == "# frame one\n\nA good one [7].\n\nIt is good [7]."


def test_code_blocks_pass_as_a_whole() -> None:
    text = "The frame:\n\n```python\ngood()\n```\n\n```\nbad()\n```\n"

    assert judged(text, Good()).text == "The frame:\n\n```python\ngood()\n```"


def test_tables_do_not_pass() -> None:
    assert judged("| good | good |\n|---|---|\n| good | 5 |", Good()).text == ""


def test_citations_stand_before_the_full_stop() -> None:
    assert with_citations("It is so [3]. ", [1, 2]) == "It is so [1][2]."
    assert with_citations("It is `a[1]` so", [1]) == "It is `a[1]` so [1]"
    assert with_citations("Is it?", []) == "Is it?"


def test_code_blocks_are_found_with_their_ends() -> None:
    text = "a\n```Python\nx = 1\n```\nb\n~~~\ny\n~~~\n```\nz"

    assert [(b.language, b.body, b.is_closed) for b in code_blocks(text)] == [
        ("python", "x = 1\n", True),
        ("", "y\n", True),
        ("", "z", False),
    ]


def test_a_fence_is_longer_than_those_in_what_it_fences() -> None:
    assert fenced("```\nx\n```", "md") == "````md\n```\nx\n```\n````"


def test_long_garbage_is_read_in_no_time() -> None:
    for text in ("```" * 100_000, "[1]" * 100_000, "# " * 100_000, "`" * 100_000, "- a\n" * 50_000):
        judged(text, Good())
