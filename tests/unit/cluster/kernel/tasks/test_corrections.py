"""An answer with what a second look has found: levels, citations, marks, what is taken out."""

from __future__ import annotations

import pytest

from cluster.kernel.events import Corrected
from cluster.kernel.tasks.corrections import corrected, spot_of
from cluster.kernel.vocabulary import Answer, Citation, Claim, Support

HOLDS = Citation("docs/zephyr.md", 10, 10, "The cache holds 512 entries.")
EVICTS = Citation("docs/zephyr.md", 11, 11, "It evicts the oldest entry.")
ANSWER = Answer(
    "# Cache\n\nIt holds 512 entries [1]. It evicts the oldest [unverified].\n\n- It is fast"
    " [unverified].\n- It is small [unverified]!",
    (HOLDS,),
    claims=(
        Claim("It holds 512 entries.", Support.QUOTED, (0,)),
        Claim("It evicts the oldest.", Support.UNVERIFIED),
        Claim("It is fast.", Support.UNVERIFIED),
        Claim("It is small!", Support.UNVERIFIED),
    ),
)


def upgraded(claim: int, citation: Citation = EVICTS) -> Corrected:
    return Corrected(claim, "as it was", Support.PARAPHRASED, (citation,))


def test_a_sentence_that_a_passage_says_gets_its_citation_for_its_mark() -> None:
    after = corrected(ANSWER, [upgraded(1)])

    assert "It holds 512 entries [1]. It evicts the oldest [2].\n" in after.text
    assert after.citations == (HOLDS, EVICTS)
    assert after.claims[1] == Claim("It evicts the oldest.", Support.PARAPHRASED, (1,))
    assert after.claims[2:] == ANSWER.claims[2:]


def test_a_quote_that_the_answer_has_already_keeps_its_number() -> None:
    after = corrected(ANSWER, [upgraded(1, HOLDS)])

    assert after.citations == (HOLDS,)
    assert "the oldest [1]." in after.text


def test_a_contradicted_sentence_is_taken_out_and_it_is_said() -> None:
    after = corrected(ANSWER, [Corrected(1, "")])

    assert after.text.startswith("# Cache\n\nIt holds 512 entries [1].\n\n- It is fast")
    assert [claim.text for claim in after.claims] == [
        "It holds 512 entries.",
        "It is fast.",
        "It is small!",
    ]
    [why] = after.degraded
    assert why.endswith('because a source says otherwise: "It evicts the oldest."')


def test_an_item_of_a_list_goes_with_its_line() -> None:
    after = corrected(ANSWER, [Corrected(2, ""), upgraded(3)])

    assert after.text.endswith("the oldest [unverified].\n\n- It is small [2]!")


def test_an_answer_of_one_contradicted_sentence_is_empty_and_says_why() -> None:
    answer = Answer("It is slow [unverified].", claims=(Claim("It is slow.", Support.UNVERIFIED),))

    after = corrected(answer, [Corrected(0, "")])

    assert (after.text, after.claims, len(after.degraded)) == ("", (), 1)


@pytest.mark.parametrize("claim", [0, 4, -1, 10**9])
def test_what_is_not_unverified_or_not_there_is_not_changed(claim: int) -> None:
    assert corrected(ANSWER, [upgraded(claim), Corrected(claim, "")]) == ANSWER


def test_the_order_of_corrections_makes_no_difference_to_the_claims_they_mean() -> None:
    found = [Corrected(1, ""), upgraded(2)]

    assert corrected(ANSWER, found) == corrected(ANSWER, found[::-1])


def test_code_and_rows_of_tables_have_no_place() -> None:
    row = Claim("a b", Support.UNVERIFIED)

    assert spot_of(row, "| x | y |\n| --- | --- |\n| a | b [unverified] |") is None
