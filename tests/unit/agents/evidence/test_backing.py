"""What becomes of a model's text that is judged by passages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agents.evidence.alignment import Reason
from agents.evidence.backing import PassageJudge, place_of, told
from agents.evidence.features import Sources
from agents.evidence.markdown import Dropped, Judged, judged
from cluster.kernel.vocabulary import UNVERIFIED_MARK, Citation, Claim, Passage, Support
from tests.unit.agents.evidence.test_sentences import TEXTS

LIMITS = Passage(
    "docs/zephyr.md",
    10,
    12,
    "The Zephyr cache holds 512 entries in shared memory.\n\n    cache = Zephyr(512)",
    title="Zephyr > Limits",
)
PERSON = Passage("docs/people.md", 1, 1, "Ada Byron wrote the Zephyr cache in 2019.")
QUESTION = "How many entries does the Zephyr cache hold?"
FIRST = Citation("docs/zephyr.md", 10, 10, "The Zephyr cache holds 512 entries in shared memory.")
TRUE = "The Zephyr cache holds 512 entries in shared memory"
WRONG = "The Zephyr cache holds 1024 entries in shared memory"
NEW = "Everybody likes its elegant command line very much"


def judge(*, is_strict: bool = False) -> PassageJudge:
    passages = [LIMITS, PERSON]
    sources = Sources([(each.text, place_of(each)) for each in passages])
    return PassageJudge(passages, QUESTION, sources, is_strict=is_strict)


def shown(text: str, *, is_strict: bool = False) -> Judged:
    return judged(text, judge(is_strict=is_strict))


def test_a_quoted_sentence_gets_the_number_of_its_quote() -> None:
    by = judge()

    result = judged(f"Ada Byron wrote the Zephyr cache [2]. {TRUE} [1].", by)

    assert result.text == f"Ada Byron wrote the Zephyr cache [1]. {TRUE} [2]."
    assert by.citations.all()[1] == FIRST
    assert by.passages == (LIMITS, PERSON)
    assert [claim.support for claim in result.claims] == [Support.QUOTED, Support.QUOTED]


def test_a_wrong_or_missing_number_is_put_right() -> None:
    assert shown(f"{TRUE} [2].").text == f"{TRUE} [1]."
    assert shown(f"{TRUE} [7].").text == f"{TRUE} [1]."
    assert shown(f"{TRUE}.").text == f"{TRUE} [1]."


def test_what_a_passage_says_otherwise_is_dropped_with_the_reason() -> None:
    result = shown(f"{TRUE} [1]. {WRONG} [1].")

    assert result.text == f"{TRUE} [1]."
    assert result.dropped == (Dropped(f"{WRONG}.", Reason.NUMBER),)


def test_what_no_passage_says_is_marked() -> None:
    result = shown(f"{NEW} [1].")

    assert result.text == f"{NEW} {UNVERIFIED_MARK}."
    assert result.claims == (Claim(f"{NEW}.", Support.UNVERIFIED),)


def test_strictly_only_what_is_quoted_is_shown() -> None:
    text = f"# Size\n\n{TRUE} [1].\n\n{NEW}.\n\n```\nrun()\n```\n\nThe passages don't mention it."

    assert shown(text, is_strict=True).text == f"# Size\n\n{TRUE} [1]."


def test_the_question_is_not_part_of_the_answer() -> None:
    assert shown(f"{QUESTION} {TRUE}.").text == f"{TRUE} [1]."
    assert shown(f"## {QUESTION}\n\n{TRUE}.").text == f"{TRUE} [1]."


def test_silence_of_the_documents_needs_no_backing() -> None:
    by = judge()
    text = "The documents don't say who uses it."

    result = judged(text, by)

    assert (result.text, result.claims, by.denials) == (text, (), 1)


def test_code_of_a_passage_is_shown_and_other_code_is_marked() -> None:
    quoted = shown("```\ncache = Zephyr(512)\n```")

    assert quoted.text.endswith("[1]")
    assert quoted.claims == (Claim("cache = Zephyr(512)", Support.QUOTED, (0,)),)
    assert UNVERIFIED_MARK in shown("```\ncache = Zephyr(513)\n```").text


@pytest.mark.parametrize(
    ("code", "is_quoted"),
    [
        ("lock.take()\n\nlog.write()", True),
        ("log.write()\nlock.take()", False),
        ("lock.take()\nlock.free()", False),
        ("}", False),
    ],
)
def test_lines_of_code_are_quoted_in_the_order_of_their_passage(
    code: str,
    is_quoted: bool,  # noqa: FBT001
) -> None:
    passage = Passage("a.c", 1, 5, "{\nlock.take()\nlog.write()\nlock.free()\n}")
    sources = Sources([(passage.text, "")])
    result = judged(f"```\n{code}\n```", PassageJudge([passage], "", sources, is_strict=False))

    assert [claim.support is Support.QUOTED for claim in result.claims] == [is_quoted]


@pytest.mark.parametrize(
    ("text", "is_astray"),
    [
        (f"{WRONG} [1].\n\n" * 3, True),
        (f"{WRONG} [1].\n\n" * 2, False),
        (f"{TRUE} [1].\n\n" * 6 + f"{WRONG} [1].\n\n" * 3, False),
        (f"{NEW} [9].\n\n" * 3, True),
        (f"{NEW} [1].\n\n" * 3, False),
        (f"{WRONG}.\n\n" * 3, False),
    ],
)
def test_many_wrong_citations_lead_astray(text: str, is_astray: bool) -> None:  # noqa: FBT001
    by = judge()

    judged(text, by)

    assert by.is_astray is is_astray


def test_a_contradicted_lead_in_goes() -> None:
    assert shown(f"{WRONG}:\n\n- {TRUE}.").text == f"- {TRUE} [1]."


def test_what_was_left_out_is_told() -> None:
    dropped = [Dropped(f"It holds {n}.", Reason.NUMBER) for n in range(7)] + [Dropped("It.", None)]

    said = told(dropped, where="answer")

    assert said[0] == (
        'Left out of the answer, because a source says otherwise (another number): "It holds 0."'
    )
    assert len(said) == 7
    assert said[-2:] == (
        "2 more were left out of the answer as well.",
        "Sentences left out of the answer because no source says them: 1.",
    )
    assert told((), where="research") == ()


@settings(deadline=None, max_examples=100)
@given(TEXTS)
def test_any_text_is_judged_and_each_claim_has_its_citation(text: str) -> None:
    by = judge()

    for claim in judged(text, by).claims:
        assert (claim.support is Support.UNVERIFIED) == (not claim.citations)
        assert all(at < len(by.citations.all()) for at in claim.citations)


def test_code_of_a_passage_is_shown_only_where_more_than_quotes_are() -> None:
    quoted = "```python\ncache = Zephyr(512)\n```"

    assert "Zephyr(512)" in shown(quoted).text
    assert not shown(quoted, is_strict=True).text
