"""A result is redone once where what it was made from has changed, and stands in any other case."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from cluster.kernel.ids import StepId
from cluster.kernel.reads import DocumentChange, Reads, Saw
from cluster.kernel.tasks.staleness import (
    NO_NEWS,
    Accepted,
    News,
    Redo,
    StateNews,
    is_fresh,
    verdict,
)

STEP = StepId("a")
BOARD = "task/t/Board"
MANUAL = DocumentChange("manuals", ("a.md",), 7, 8)
UNTOUCHED_RUNS = 20_000


def saw(*fields: str, declared: bool = False) -> Saw:
    reads = Reads()
    if declared:
        reads.narrow([("Board", name) for name in fields], knowledge=True, results=True)
    reads.state(BOARD, 4, fields)
    reads.passages("manuals", 7, [("a.md", "1a")])
    return reads.saw()


def board(
    *changed: str,
    written: tuple[str, ...] = (),
    merged: tuple[str, ...] = (),
    is_gone: bool = False,
) -> News:
    return News((StateNews(BOARD, 4, 6, changed, frozenset(written), merged, is_gone),))


def change(*fields: str, is_gone: bool = False) -> DocumentChange:
    return DocumentChange(BOARD, fields, 4, 6, is_gone)


def changes_of(verdict_: object) -> tuple[DocumentChange, ...]:
    assert isinstance(verdict_, Redo)
    return verdict_.changes


def test_what_has_not_changed_stands() -> None:
    assert verdict(STEP, saw("facts"), NO_NEWS, 0) == Accepted()


def test_a_field_that_was_read_and_has_changed_makes_a_redo() -> None:
    made = verdict(STEP, saw("facts"), board("facts"), 0)
    assert changes_of(made) == (change("facts"),)
    assert isinstance(made, Redo)
    assert made.reason == f"what it had read has changed: facts of {BOARD} (version 4 to 6)"


def test_a_cited_source_that_has_another_document_makes_a_redo() -> None:
    assert changes_of(verdict(STEP, saw(), News(sources=(MANUAL,)), 0)) == (MANUAL,)


def test_a_cited_source_that_was_forgotten_makes_a_redo() -> None:
    gone = replace(MANUAL, is_gone=True)
    assert changes_of(verdict(STEP, saw(), News(sources=(gone,)), 0)) == (gone,)


LATE = News(results=(StepId("facts"),))


def test_a_result_that_came_after_a_step_had_begun_makes_a_redo() -> None:
    made = verdict(STEP, Saw(missing=LATE.results), LATE, 0)
    assert made == Redo((), "it had begun without the results of facts", LATE.results)


def test_a_step_that_has_no_time_for_a_late_result_says_what_it_was_done_without() -> None:
    made = verdict(STEP, Saw(missing=LATE.results), LATE, 0, has_time=False)
    assert made == Accepted(degraded=("Step a was done without the results of facts.",))


def test_a_late_result_that_does_not_count_is_not_seen_as_missing() -> None:
    reads = Reads()
    reads.without(LATE.results)
    assert not is_fresh(reads.saw())
    reads.narrow([("Board", "facts")], knowledge=False, results=False)
    assert is_fresh(reads.saw())


def test_a_deleted_document_of_which_something_was_read_makes_a_redo() -> None:
    made = verdict(STEP, saw("draft", "facts"), board(is_gone=True), 0)
    assert changes_of(made) == (change("draft", "facts", is_gone=True),)


def test_a_deleted_document_of_which_nothing_was_read_is_nothing() -> None:
    assert verdict(STEP, saw(), board(is_gone=True), 0) == Accepted()


def test_what_a_step_has_written_itself_is_merged_and_not_redone() -> None:
    news = board("spent", written=("spent",), merged=("spent",))
    assert verdict(STEP, saw("spent"), news, 0) == Accepted((change("spent"),))


def test_what_a_handler_declares_counts_even_where_its_step_wrote_it() -> None:
    news = board("spent", written=("spent",), merged=("spent",))
    assert changes_of(verdict(STEP, saw("spent", declared=True), news, 0)) == (change("spent"),)


def test_the_second_time_a_stale_result_is_accepted_and_that_is_said() -> None:
    made = verdict(STEP, saw("facts"), board("facts"), 1)
    said = f"What step a was made from has changed since: facts of {BOARD} (version 4 to 6)."
    assert made == Accepted(degraded=(said,))


def test_a_stale_result_that_there_is_no_time_to_redo_is_accepted_and_that_is_said() -> None:
    made = verdict(STEP, saw("facts"), board("facts"), 0, has_time=False)
    assert isinstance(made, Accepted)
    assert len(made.degraded) == 1


def test_what_can_not_be_found_out_is_said_and_not_redone() -> None:
    made = verdict(STEP, saw("facts"), News(unknown=("manuals",)), 0)
    assert made == Accepted(
        degraded=("What step a was made from may have changed since: manuals.",)
    )


def test_reads_over_their_bounds_are_said_and_not_redone() -> None:
    made = verdict(STEP, replace(saw("facts"), is_whole=False), NO_NEWS, 0)
    assert isinstance(made, Accepted)
    assert made.degraded == ("Step a has read too much for all of it to be watched for changes.",)


def test_nobody_need_be_asked_about_a_result_that_was_made_from_nothing() -> None:
    assert is_fresh(None)
    assert is_fresh(Saw())
    assert not is_fresh(saw())


def test_none_of_many_results_is_redone_whose_reads_nobody_has_touched() -> None:
    rng = Random(12)
    names = [f"f{number}" for number in range(12)]
    for _ in range(UNTOUCHED_RUNS):
        read = rng.sample(names, rng.randint(0, 6))
        written = frozenset(rng.sample(names, rng.randint(0, 6)))
        shared = tuple(name for name in written if rng.random() < 0.5)
        # Others have changed only what the step wrote too: that has merged.
        news = News((StateNews(BOARD, 4, 9, shared, written, shared),))
        made = verdict(STEP, saw(*read), news, rng.randint(0, 1), has_time=rng.random() < 0.5)
        assert isinstance(made, Accepted)
        assert made.degraded == ()
