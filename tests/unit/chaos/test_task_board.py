"""A task's board is judged by what its journal says of its steps."""

from __future__ import annotations

from cluster.kernel.events import Event, StepFinished
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.state.edits import Edit, Entry
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.stamps import EditId, Stamp
from cluster.kernel.vocabulary import Failure, Finding
from cluster.state.editing import Editing
from tests.chaos.figures import Figures
from tests.chaos.task_board import TaskBoard, judge_board, line_of


def board(*lines: str, spent: int = 1) -> Fold:
    """A board on which each line was written by another author."""
    fold = Fold()
    for version, line in enumerate(lines, 1):
        editing = Editing(TaskBoard, fold.fields)
        editing.model.said.append(line)
        editing.model.spent += spent
        identity = EditId(TaskId("t"), StepId(f"s{version}"), 1, 1)
        edit = Edit(identity, Stamp(version, 0, "a"), version - 1, editing.finish())
        fold.extend([Entry(version, edit)])
    return fold


def judged(fold: Fold, *results: object) -> Figures:
    figures = Figures("tasks", 1)
    details = [StepFinished("finished", value=value) for value in results]
    events = [Event(1.0, TaskId("t"), AgentId("a"), StepId("r1"), each) for each in details]
    judge_board("t", events, fold, figures)
    return figures


def test_a_board_has_what_the_results_of_its_steps_name() -> None:
    figures = judged(board("r1.1", "r2.3"), Finding("r1.1"), Finding("r2.3"))
    assert (figures.acked, figures.violations) == (2, 0)


def test_a_step_may_have_written_what_is_not_journaled_yet() -> None:
    assert judged(board("r1.1")).violations == 0


def test_a_line_that_a_result_names_and_is_not_there_is_lost() -> None:
    assert judged(board("r1.1"), Finding("r1.2")).lost == 1


def test_two_lines_of_one_step_are_found() -> None:
    assert judged(board("r1.1", "r1.2")).applied_twice == 1


def test_a_total_that_is_not_the_number_of_lines_is_found() -> None:
    assert judged(board("r1.1", spent=2)).applied_twice == 1


def test_a_step_that_failed_names_no_line() -> None:
    failure = Failure("deadline", "no time was left")
    assert judged(board(), failure).acked == 0


def test_a_line_names_its_attempt() -> None:
    assert line_of(StepId("r1"), 2) == "r1.2"
