"""The judge of the state campaign finds each way in which a document can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import Edit, Entry, FieldEdit
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.stamps import EditId, Stamp
from cluster.kernel.state.values import Value
from cluster.state.editing import Editing, edits_between
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures
from tests.chaos.state_board import HOT, Board, Mark, attempt_mark, write_mark
from tests.chaos.state_judge import (
    count_notes,
    judge_document,
    judge_recorded,
    judge_sights,
    wanted_by,
)

NAME = HOT[0].name


def mark(step: str, generation: int, *fields: str, amount: int = 5) -> Mark:
    return Mark(attempt_mark(StepId(step), generation, 0), NAME, amount, fields)


def fold_of(*marks: Mark) -> Fold:
    """A document with these edits, whoever they are of."""
    fold = Fold()
    for version, each in enumerate(marks, 1):
        editing = Editing(Board, fold.fields)
        write_mark(editing.model, each, "# here")
        extend(fold, version, editing.finish())
    return fold


def extend(fold: Fold, version: int, fields: dict[str, FieldEdit]) -> None:
    identity = EditId(TaskId(""), StepId("person/p"), 1, version)
    fold.extend([Entry(version, Edit(identity, Stamp(version, 0, "p"), version - 1, fields))])


def judged(fold: Fold, results: dict[str, list[Mark]]) -> Figures:
    figures = Figures("state", 1)
    judge_document(NAME, fold, wanted_by(results, []), figures)
    return figures


def test_what_is_recorded_and_there_is_acknowledged() -> None:
    one, two = mark("s1", 2, "facts", "draft"), mark("s2", 1, "tags")
    figures = judged(fold_of(one, two), {"s1": [one], "s2": [two]})
    assert (figures.acked, figures.violations) == (2, 0), figures.notes


def test_an_edit_that_is_recorded_and_not_there_is_lost() -> None:
    figures = judged(fold_of(), {"s1": [mark("s1", 1)]})
    assert (figures.lost, figures.violations) == (1, 1)


@pytest.mark.parametrize("field", ["facts", "tags", "draft"])
def test_an_edit_of_which_a_field_is_missing_is_lost(field: str) -> None:
    figures = judged(fold_of(mark("s1", 1)), {"s1": [mark("s1", 1, field)]})
    assert (figures.lost, figures.violations) == (1, 1)


def test_an_edit_of_an_attempt_that_does_not_count_is_found() -> None:
    old, new = mark("s1", 1), mark("s1", 2)
    figures = judged(fold_of(old, new), {"s1": [new]})
    assert (figures.resurrected, figures.violations) == (1, 1)


def test_an_edit_that_is_there_twice_is_found() -> None:
    one = mark("s1", 1)
    assert judged(fold_of(one, one), {"s1": [one]}).applied_twice == 1


def test_a_total_that_is_not_that_of_the_edits_is_found() -> None:
    one = mark("s1", 1)
    fold = fold_of(one)
    before: dict[str, Value] = dict(fold.fields)
    model = Editing(Board, before).model
    model.spent += 1
    extend(fold, 2, edits_between(before, model))
    assert judged(fold, {"s1": [one]}).applied_twice == 1


def test_what_a_person_wanted_may_be_there_and_has_to_once_it_is_durable() -> None:
    wanted: list[Record] = [
        {"what": "wanted", "mark": mark("person-0-7", 0).to_plain()},
        {"what": "durable", "mark": "person-0-7.0.0"},
    ]
    lost: list[int] = []
    for notes in (wanted[:1], wanted):
        figures = Figures("state", 1)
        judge_document(NAME, fold_of(), wanted_by({}, notes), figures)
        lost.append(figures.lost)
    assert lost == [0, 1]


def test_a_record_that_has_become_another_one_is_lost() -> None:
    figures = Figures("state", 1)
    notes = [{"what": "recorded", "of": "s1", "generation": 1}]
    judge_recorded({"s1": [mark("s1", 2)]}, notes, figures)
    assert (figures.lost, figures.violations) == (1, 1)


def test_who_sees_something_else_than_the_log_has_diverged(tmp_path: Path) -> None:
    (tmp_path / "seen-worker-0.json").write_text(f'{{"{NAME}": [7, 3, "x"]}}', encoding="utf-8")
    figures = Figures("state", 1)
    judge_sights(tmp_path, ["worker-0", "worker-1"], {NAME: [7, 3, "y"]}, figures)
    assert figures.diverged == 2


def test_what_processes_note_is_counted() -> None:
    figures = Figures("state", 1)
    count_notes(
        [
            {"what": "begun", "of": "s1"},
            {"what": "begun", "of": "s1"},
            {"what": "torn", "agent": "watcher-0", "name": NAME, "fault": "twice"},
            {"what": "broken", "agent": "worker-0", "error": "KeyError()"},
        ],
        figures,
    )
    assert (figures.redeliveries, figures.corrupt, figures.given_up) == (1, 1, 1)
