"""The judge's small heuristics stay as good as `docs/answers.md` says."""

from __future__ import annotations

import pytest

from benchmarks.evidence_heuristics import outcomes, precision_and_recall

FLOOR = 0.9


@pytest.mark.parametrize("name", ["is_code", "is_denial", "language_of", "sentence_ends"])
def test_a_heuristic_is_mostly_right_on_its_labelled_set(name: str) -> None:
    precision, recall = precision_and_recall(outcomes()[name])

    assert sum(precision) / len(precision) >= FLOOR
    assert sum(recall) / len(recall) >= FLOOR
