"""A table's row is judged by what its cells say, each for itself."""

from __future__ import annotations

import pytest

from agents.evidence.backing import PassageJudge, place_of
from agents.evidence.features import Sources
from cluster.kernel.vocabulary import Passage, Support

CLIENTS = Passage(
    "clients.md",
    1,
    3,
    "Client instances can safely be shared between threads. Pipeline objects must not be shared "
    "between threads. The pool has 40 connections.",
)


@pytest.fixture
def judge() -> PassageJudge:
    sources = Sources([(CLIENTS.text, place_of(CLIENTS))])
    return PassageJudge([CLIENTS], "", sources, is_strict=False)


def test_a_label_beside_a_quoted_sentence_takes_nothing_from_it(judge: PassageJudge) -> None:
    row = "| Rule 1 | Client instances can safely be shared between threads. |"

    assert judge.sentence(row, [1]).support is Support.QUOTED


def test_a_row_with_one_contradicted_cell_is_not_shown(judge: PassageJudge) -> None:
    row = (
        "| Client instances can safely be shared between threads. "
        "| Pipeline objects must be shared between threads. |"
    )

    assert not judge.sentence(row, [1]).is_shown


def test_short_cells_say_something_together(judge: PassageJudge) -> None:
    shared = "Client instances can safely be shared between threads."

    assert judge.sentence(f"| The pool | has 40 connections | {shared} |", [1]).is_shown
    assert not judge.sentence(f"| The pool | has 50 connections | {shared} |", [1]).is_shown
