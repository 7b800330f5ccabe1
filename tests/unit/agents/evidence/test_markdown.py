"""What is left of a model's Markdown when a judge has been through it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from agents.evidence.alignment import Reason
from agents.evidence.markdown import (
    BlockKind,
    CitationList,
    Ruling,
    blocks,
    fenced,
    judged,
    with_citations,
    without_code,
)
from cluster.kernel.vocabulary import UNVERIFIED_MARK, Citation, Claim, Support
from tests.unit.agents.evidence.test_sentences import TEXTS


class Good:
    """Lets pass what is called good and cites it as 7, marks what is called odd, drops the rest."""

    def sentence(self, text: str, cited: Sequence[int]) -> Ruling:
        if "good" in text:
            return Ruling(Support.QUOTED, (7, *cited))
        if "odd" in text:
            return Ruling(Support.UNVERIFIED)
        return Ruling(None, reason=Reason.NUMBER, is_shown=False)

    def lead_in(self, text: str) -> Ruling:
        return Ruling(None, is_shown="frame" in text)

    def code(self, body: str) -> Ruling:
        return Ruling(None, is_shown="good" in body)


class Free:
    """Lets pass everything."""

    def sentence(self, text: str, cited: Sequence[int]) -> Ruling:
        return Ruling(None)

    def lead_in(self, text: str) -> Ruling:
        return Ruling(None)

    def code(self, body: str) -> Ruling:
        return Ruling(Support.UNVERIFIED)


def test_sentences_pass_one_by_one_with_the_judges_citations() -> None:
    result = judged("A good one [1]. A bad one [2]. Another good one.\n\nAll bad.", Good())

    assert result.text == "A good one [7][1]. Another good one [7]."
    assert [each.text for each in result.dropped] == ["A bad one.", "All bad."]
    assert result.dropped[0].reason is Reason.NUMBER


def test_claims_are_the_bare_sentences_with_indexes_from_0() -> None:
    result = judged("A good one [1]. An odd one [2].", Good())

    assert result.claims == (
        Claim("A good one.", Support.QUOTED, (6, 0)),
        Claim("An odd one.", Support.UNVERIFIED),
    )


def test_what_nothing_backs_is_marked_before_its_full_stop() -> None:
    assert judged("An odd one [2].", Good()).text == f"An odd one {UNVERIFIED_MARK}."


def test_a_mark_that_the_model_has_copied_is_not_kept() -> None:
    text = judged(f"A good one {UNVERIFIED_MARK}.", Good()).text

    assert text == "A good one [7]."


def test_a_list_and_its_lead_in_keep_their_form() -> None:
    text = "The frame:\n\n- good `a[1]`\n- bad\n   1. good too\n\nAnother frame:\n\n- bad"

    assert judged(text, Good()).text == "The frame:\n\n- good `a[1]` [7]\n   1. good too [7]"


def test_headings_that_nothing_follows_go() -> None:
    text = (
        "# frame one\n\nA good one.\n\n## frame two\n\nA bad one.\n\n# A wrong heading\n\n"
        "It is good."
    )

    assert judged(text, Good()).text == "# frame one\n\nA good one [7].\n\nIt is good [7]."


def test_code_blocks_pass_as_a_whole() -> None:
    text = "The frame:\n\n```python\ngood()\n```\n\n```\nbad()\n```\n"

    assert judged(text, Good()).text == "The frame:\n\n```python\ngood()\n```"


def test_code_that_nothing_backs_is_marked_under_it() -> None:
    result = judged("```\nrun()\n```", Free())

    assert result.text == f"```\nrun()\n```\n\n{UNVERIFIED_MARK}"
    assert result.claims == (Claim("run()", Support.UNVERIFIED),)


def test_rows_of_a_table_pass_one_by_one_under_their_head() -> None:
    text = "| name | size |\n|:--|--:|\n| good | 5 [2] |\n| bad | 6 |"

    result = judged(text, Good())

    assert result.text == "| name | size |\n| --- | --- |\n| good | 5 [7][2] |"
    assert result.claims == (Claim("good 5", Support.QUOTED, (6, 1)),)


def test_a_table_without_rows_goes_with_its_head() -> None:
    assert judged("The frame:\n\n| a | b |\n|---|---|\n| bad | 6 |", Good()).text == ""


def test_nothing_is_said_twice() -> None:
    text = "It is good [1]. It is good [2].\n\n- **It is good.**\n- This is good."

    assert judged(text, Good()).text == "It is good [7][1].\n\n- This is good [7]."


def test_citations_stand_before_the_full_stop() -> None:
    assert with_citations("It is so [3]. ", [1, 2]) == "It is so [1][2]."
    assert with_citations("It is `a[1]` so", [1]) == "It is `a[1]` so [1]"
    assert with_citations("**It is so.**", [1]) == "**It is so [1].**"
    assert with_citations("Is it?", []) == "Is it?"
    assert with_citations("它是缓存。", [1]) == "它是缓存 [1]。"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (
            "# a\n\nb\n\n- c\n- d",
            [BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.ITEM, BlockKind.ITEM],
        ),
        ("Title\n=====\n\n---\n\n> quoted", [BlockKind.HEADING, BlockKind.RULE, BlockKind.ITEM]),
        (
            "a\n\n    indented()\n\n~~~\ny\n~~~",
            [BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.CODE],
        ),
        ("| a |\n|---|\n| b |", [BlockKind.ROW, BlockKind.ROW]),
        ("<b>bold</b>\r\rnext", [BlockKind.PARAGRAPH, BlockKind.PARAGRAPH]),
        ("", []),
    ],
)
def test_a_text_is_read_as_its_blocks(text: str, kinds: list[BlockKind]) -> None:
    assert [block.kind for block in blocks(text)] == kinds


def test_a_fence_without_an_end_reaches_to_the_end() -> None:
    (block,) = blocks("```Python\nx = 1\ny = 2")

    assert (block.language, block.body) == ("python", "x = 1\ny = 2")


def test_a_fence_is_longer_than_those_in_what_it_fences() -> None:
    assert fenced("```\nx\n```", "md") == "````md\n```\nx\n```\n````"


def test_a_text_without_its_code_keeps_the_rest() -> None:
    text = "One:\n\n```\nx\n```\n\n- two\n- three\n\n| a |\n|---|\n| b |"

    assert without_code(text) == "One:\n\n- two\n- three\n\n| a |\n| --- |\n| b |"


def test_a_citation_has_one_number() -> None:
    first, second = Citation("a.md", 1, 1, "A."), Citation("b.md", 1, 1, "B.")
    found = CitationList()

    assert [found.number(each) for each in (first, second, first)] == [1, 2, 1]
    assert found.all() == (first, second)


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_any_text_is_judged_and_nothing_is_invented(text: str) -> None:
    shown = judged(text, Free()).text.replace(UNVERIFIED_MARK, "").lower()
    left = list(text.lower())

    for character in filter(str.isalnum, shown):
        left.remove(character)


@pytest.mark.parametrize("piece", ["```", "[1]", "# ", "`", "- a\n", "![", "[a](", "> ", "文。"])
def test_long_garbage_is_read(piece: str) -> None:
    judged(piece * 20_000, Good())
