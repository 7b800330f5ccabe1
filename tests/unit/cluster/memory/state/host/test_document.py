"""A document shows what its log makes with what was edited here, each edit once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import NO_TASK, StepId
from cluster.kernel.state.attempts import Attempts
from cluster.kernel.state.edits import Edit, Entry, EntryBody, Seal, from_plain
from cluster.kernel.state.folding import Fold
from cluster.memory.state.entries import Appended, LogEntry, StepKey
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.codec import packed
from cluster.memory.state.host.document import PENDING_AN_ENTRY, Document
from cluster.memory.state.limits import EDIT_BYTES_MAX
from tests.support.shared_documents import BOARD, TASK, change, spend
from tests.support.state_logs import edit_id, make_edit, make_field


@pytest.fixture
def board() -> Document:
    return Document(BOARD, Fold(), SystemClock())


@pytest.fixture
def attempt() -> EditAttempt:
    return EditAttempt(StepKey(TASK, StepId("a")), "researcher-a")


def foreign(version: int, amount: int) -> LogEntry:
    body: Edit = make_edit(edit_id("b", version), spent=make_field("total", 0, amount))
    return LogEntry(version, packed(body))


def sealed_fold(body: EntryBody) -> Fold:
    """What a reader makes of a snapshot that has an edit in it."""
    fold = Fold()
    fold.extend([Entry(1, body), Entry(2, Seal(1))])
    return Fold(fold.snapshot)


async def test_an_edit_counts_once_while_the_log_before_it_is_not_here(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    run = board.pending.run()

    assert board.acknowledge(run, Appended(2, 1)), "version 1 has to be read"
    assert (board.fields["spent"], board.version) == (1, 0)
    board.take([foreign(1, 10)])

    assert (board.fields["spent"], board.version) == (11, 2)
    assert not board.pending


async def test_an_edit_that_the_log_brings_before_its_answer_counts_once(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    run = board.pending.run()

    board.take([LogEntry(1, run[0].data), foreign(2, 10)])
    assert board.fields["spent"] == 11
    board.acknowledge(run, Appended(1, 0))

    assert board.fields["spent"] == 11
    await attempt.flushed()


async def test_what_was_appended_while_a_snapshot_was_read_stays(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    board.acknowledge(board.pending.run(), Appended(1, 1))

    board.replace(Fold(), 1, is_same_log=True)

    assert (board.fields["spent"], board.version) == (1, 1)


async def test_an_edit_that_was_written_long_before_its_answer_counts_once(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    spend(board, attempt, 2)
    run = board.pending.run()

    board.acknowledge(run, Appended(7, 1))
    board.take([LogEntry(1, run[0].data), foreign(2, 10)])

    assert board.fields["spent"] == 13, "the second one is at 7, and not read yet"


async def test_an_edit_that_a_snapshot_brings_before_its_answer_counts_once(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    run = board.pending.run()

    board.replace(sealed_fold(run[0].body), 1, is_same_log=True)
    assert board.fields["spent"] == 1
    board.acknowledge(run, Appended(1, 0))

    assert (board.fields["spent"], len(board.pending)) == (1, 0)
    await attempt.flushed()


async def test_an_edit_that_a_snapshot_has_forgotten_counts_once_when_its_answer_comes(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    run = board.pending.run()

    forgetful = replace(sealed_fold(run[0].body).snapshot, attempts=Attempts())
    board.replace(Fold(forgetful), 1, is_same_log=True)
    board.acknowledge(run, Appended(1, 0))

    assert (board.fields["spent"], len(board.pending)) == (1, 0)


async def test_what_was_appended_to_a_log_that_is_gone_is_gone(
    board: Document, attempt: EditAttempt
) -> None:
    spend(board, attempt)
    board.acknowledge(board.pending.run(), Appended(5, 1))
    spend(board, attempt, 2)

    board.replace(Fold(), 2, is_same_log=False)

    assert board.fields["spent"] == 2, "only the edit that is under way"
    assert len(board.pending) == 1


async def test_what_goes_to_another_log_has_seen_nothing_of_it(
    board: Document, attempt: EditAttempt
) -> None:
    board.take([foreign(1, 10)])
    spend(board, attempt)
    board.revert(EditAttempt(StepKey(NO_TASK, StepId("person/a")), "ann"), 1)

    board.replace(Fold(), 2, is_same_log=False)

    [left] = board.pending.run()
    assert isinstance(left.body, Edit)
    assert left.body.base_version == 0
    assert from_plain(json.loads(left.data)) == left.body


async def test_an_edit_that_another_log_took_is_not_shown_in_this_one(
    board: Document, attempt: EditAttempt
) -> None:
    board.take([foreign(1, 10)])
    spend(board, attempt)
    run = board.pending.run()
    board.replace(board.fold, 7, is_same_log=True)

    assert board.acknowledge(run, Appended(2, 1, incarnation=8)), "it has to be read"

    assert (board.fields["spent"], board.version) == (10, 1)
    await attempt.flushed()


async def test_edits_of_two_attempts_go_in_the_order_in_which_they_were_made(
    board: Document, attempt: EditAttempt
) -> None:
    other = EditAttempt(StepKey(TASK, StepId("b")), "coder-b")
    for author in (attempt, attempt, other, attempt):
        spend(board, author)

    run = board.pending.run()

    assert [item.body.id.ordinal for item in run] == [1, 2]
    assert {item.attempt for item in run} == {attempt}


async def test_an_edit_that_is_too_large_is_refused_and_changes_nothing(
    board: Document, attempt: EditAttempt
) -> None:
    with pytest.raises(UsageError, match="over 262144 bytes"):
        board.edit(attempt, change(board, "text", "x" * EDIT_BYTES_MAX, "latest"))

    assert not board.fields
    assert not board.pending


async def test_what_was_seen_when_an_edit_was_begun_is_its_base(
    board: Document, attempt: EditAttempt
) -> None:
    board.take([foreign(1, 10), foreign(2, 10)])

    board.edit(attempt, change(board, "verdict", "yes", "latest"), at=1)

    body = board.pending.run()[0].body
    assert isinstance(body, Edit)
    assert body.base_version == 1
    assert body.stamp > board.fold.stamp


async def test_a_little_news_waits_for_many_pending_edits_and_the_version_says_so(
    board: Document, attempt: EditAttempt
) -> None:
    for _ in range(PENDING_AN_ENTRY + 1):
        spend(board, attempt)
    before = board.fields

    board.take([foreign(1, 10)])
    assert (board.fields, board.version, board.fold.version) == (before, 0, 1)
    board.take([foreign(2, 10)])

    assert (board.fields["spent"], board.version) == (20 + PENDING_AN_ENTRY + 1, 2)


async def test_all_news_is_shown_when_nothing_is_pending(
    board: Document, attempt: EditAttempt
) -> None:
    for _ in range(PENDING_AN_ENTRY + 1):
        spend(board, attempt)
    assert board.fields["spent"] == PENDING_AN_ENTRY + 1

    board.take([foreign(1, 10)])
    board.acknowledge(board.pending.run(), Appended(PENDING_AN_ENTRY + 2, PENDING_AN_ENTRY + 1))

    assert board.fields["spent"] == 10 + PENDING_AN_ENTRY + 1
    assert board.version == board.fold.version
