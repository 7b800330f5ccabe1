"""The judge of evidence stays as good on other scripts and on data as `docs/answers.md` says."""

from __future__ import annotations

import pytest

from benchmarks.evidence_kinds import BESIDE, kind_outcomes

PRECISION_FLOOR = 0.9
RECALL_FLOOR = 0.64
SHOWN_FLOOR = 0.95
RECORDS_FLOOR = 0.7
ATTACKED_FLOOR = 0.9
KNOWN_MISSES = 1


@pytest.mark.parametrize("beside", [0, BESIDE])
def test_right_sentences_are_cited_and_wrong_ones_are_not(beside: int) -> None:
    found = kind_outcomes(beside)
    true = [each for each in found if each.is_true]
    backed = [each for each in found if each.is_backed]

    assert sum(each.is_true for each in backed) / len(backed) >= PRECISION_FLOOR
    assert sum(each.is_backed for each in true) / len(true) >= RECALL_FLOOR
    assert sum(each.is_shown for each in true) / len(true) >= SHOWN_FLOOR


@pytest.mark.parametrize("kind", ["two rows", "XML"])
@pytest.mark.parametrize("beside", [0, BESIDE])
def test_records_are_told_and_no_wrong_sentence_about_them(kind: str, beside: int) -> None:
    found = [each for each in kind_outcomes(beside, "records") if each.row.kind == kind]
    true = [each for each in found if each.is_true]

    assert not [each.text for each in found if each.is_backed and not each.is_true]
    assert sum(each.is_backed for each in true) / len(true) >= RECORDS_FLOOR
    assert all(each.is_shown for each in true)


@pytest.mark.parametrize("beside", [0, BESIDE])
def test_what_was_written_against_the_rules_on_rows_is_not_backed(beside: int) -> None:
    found = kind_outcomes(beside, "row_attacks")
    true = [each for each in found if each.is_true]

    assert sum(each.is_backed and not each.is_true for each in found) <= KNOWN_MISSES
    assert sum(each.is_backed for each in true) / len(true) >= ATTACKED_FLOOR
