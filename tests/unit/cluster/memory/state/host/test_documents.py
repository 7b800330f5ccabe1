"""Hosts share documents: each edit is seen here at once, and everywhere in the end, once."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import Overloaded, StaleEpoch, StateDeleted, Stopped, StoreUnavailable
from cluster.kernel.ids import EnvelopeId, StepId
from cluster.memory.state.host import documents as documents_module
from cluster.memory.state.host import follower, keeper, pending
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.documents import Documents
from tests.support.clock import ManualClock
from tests.support.shared_documents import (
    BOARD,
    TASK,
    UnsteadyStateLog,
    change,
    say,
    shortened,
    spend,
    step,
    until,
    whole,
)


async def test_an_edit_is_read_at_once_and_durable_after_a_flush(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)

    spend(board, attempt, 120)
    assert (board.fields["spent"], board.version) == (120, 0)
    await here.flush(attempt)

    assert (board.fields["spent"], board.version) == (120, 1)
    assert (await log.heads([BOARD]))[BOARD].version == 1


async def test_the_fields_that_were_read_stay_as_they_were(here: Documents) -> None:
    board = await here.open(BOARD)
    before = board.fields
    attempt = await step(here)

    spend(board, attempt)
    seen = board.fields
    await here.flush(attempt)

    assert "spent" not in before
    assert board.fields is seen, "what the log has is what was shown already"


async def test_an_edit_is_seen_on_another_host(here: Documents, there: Documents) -> None:
    board, other = await here.open(BOARD), await there.open(BOARD)

    spend(board, await step(here), 5)
    await until(lambda: other.fields.get("spent") == 5)


async def test_edits_that_meet_are_merged_and_both_hosts_agree(
    here: Documents, there: Documents
) -> None:
    board, other = await here.open(BOARD), await there.open(BOARD)
    one, two = await step(here, "a"), await step(there, "b")

    for _ in range(30):
        spend(board, one)
        spend(other, two, 10)
    await asyncio.gather(here.flush(one), there.flush(two))
    await until(lambda: board.version == other.version == 60)

    assert board.fields["spent"] == other.fields["spent"] == 330
    assert whole(board) == whole(other)


async def test_what_comes_while_an_append_is_under_way_goes_together(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    log.delay = lambda: 3

    for _ in range(100):
        spend(board, attempt)
    await here.flush(attempt)

    assert (log.appends, board.fields["spent"]) == (1, 100)


async def test_an_edit_whose_answer_is_lost_counts_once(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    log.lost_answers = 2

    spend(board, attempt)
    spend(board, attempt)
    await here.flush(attempt)

    await until(lambda: board.version == 2)
    assert board.fields["spent"] == 2


async def test_edits_wait_for_a_store_that_is_down_and_readers_go_on(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    log.is_down = True

    spend(board, attempt)
    await until(lambda: board.is_stuck)
    assert board.fields["spent"] == 1
    log.is_down = False

    await here.flush(attempt)


async def test_edits_over_the_bound_are_refused_and_those_before_kept(
    log: UnsteadyStateLog, here: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "PENDING_MAX", 2)
    board = await here.open(BOARD)
    attempt = await step(here)

    spend(board, attempt)
    spend(board, attempt)
    with pytest.raises(Overloaded, match="2 edits of task/t/Board/ are waiting"):
        spend(board, attempt)
    await here.flush(attempt)

    assert board.fields["spent"] == 2


async def test_a_step_that_is_run_again_replaces_what_it_has_written(
    here: Documents, there: Documents
) -> None:
    board, other = await here.open(BOARD), await there.open(BOARD)
    first = await step(here)
    spend(board, first, 120)
    await here.flush(first)

    second = await step(there)
    assert other.fields.get("spent") is None
    spend(other, second, 70)
    await there.flush(second)

    await until(lambda: board.fields.get("spent") == 70)


async def test_an_attempt_that_was_overtaken_writes_nothing_and_its_flush_says_so(
    here: Documents, there: Documents
) -> None:
    board = await here.open(BOARD)
    first = await step(here)
    await step(there)

    spend(board, first, 120)
    with pytest.raises(StaleEpoch):
        await here.flush(first)

    assert "spent" not in board.fields
    with pytest.raises(StaleEpoch):
        spend(board, first)


async def test_a_new_attempt_here_sees_nothing_of_what_the_earlier_one_had_pending(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    first = await step(here)
    log.delay = lambda: 2
    spend(board, first, 120)

    await step(here)

    assert "spent" not in board.fields
    with pytest.raises(StaleEpoch):
        await here.flush(first)


async def test_a_lost_wake_up_loses_no_edit(
    log: UnsteadyStateLog, here: Documents, there: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_S", 0.01)
    log.is_silent = True
    board, other = await here.open(BOARD), await there.open(BOARD)

    spend(board, await step(here))

    await until(lambda: other.fields.get("spent") == 1)


async def test_a_deleted_document_takes_no_edits_and_shows_nothing(
    here: Documents, there: Documents
) -> None:
    board, other = await here.open(BOARD), await there.open(BOARD)
    attempt = await step(here)
    spend(board, attempt)
    await here.flush(attempt)

    await there.delete(BOARD)
    await until(lambda: board.is_deleted)

    assert not board.fields
    assert not other.fields
    with pytest.raises(StateDeleted):
        spend(board, attempt)


async def test_an_edit_under_way_to_a_deleted_document_is_an_error_of_the_flush(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    spend(board, attempt)
    await here.flush(attempt)
    await log.delete(BOARD)

    spend(board, attempt)

    with pytest.raises(StateDeleted):
        await here.flush(attempt)


async def test_a_store_that_was_emptied_is_noticed_and_what_is_pending_is_written(
    log: UnsteadyStateLog, here: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_S", 0.01)
    board = await here.open(BOARD)
    attempt = await step(here)
    say(board, attempt, "lost")
    await here.flush(attempt)
    await until(lambda: board.incarnation > 0)

    log.empty()
    await until(lambda: not board.fields)
    say(board, attempt, "kept")
    await here.flush(attempt)

    assert board.fields["said"] == ["kept"]


async def test_all_who_wait_for_a_document_are_served_by_one_reading(
    log: UnsteadyStateLog, here: Documents
) -> None:
    log.delay = lambda: 2
    one, other = await asyncio.gather(here.open(BOARD), here.open(BOARD))
    assert one is other is here.peek(BOARD)
    assert here.peek("task/t/Other/") is None


async def test_a_document_that_cannot_be_read_is_not_open_and_may_be_tried_again(
    log: UnsteadyStateLog, here: Documents
) -> None:
    log.is_down = True
    with pytest.raises(StoreUnavailable):
        await here.open(BOARD)
    log.is_down = False

    assert not (await here.open(BOARD)).fields


async def test_no_more_documents_are_opened_than_can_be_followed(
    here: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_module, "OPEN_MAX", 1)
    (await here.open(BOARD)).readers.count += 1
    with pytest.raises(Overloaded):
        await here.open("task/t/Other/")
    await here.release_task(TASK)

    await here.open("task/t/Other/")


async def test_a_conflict_is_seen_and_resolved(here: Documents, there: Documents) -> None:
    board, other = await here.open(BOARD), await there.open(BOARD)
    one, two = await step(here, "a"), await step(there, "b")
    board.edit(one, change(board, "verdict", "yes", "siblings"))
    other.edit(two, change(other, "verdict", "no", "siblings"))
    await until(lambda: bool(board.conflicts) and bool(other.conflicts))

    owner = here.person("owner")
    board.resolve(owner, board.conflicts[0], "yes, but")
    assert not board.conflicts
    await board.flushed()

    await until(lambda: other.fields["verdict"] == "yes, but")
    assert not other.conflicts


async def test_a_person_undoes_an_edit(here: Documents) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    say(board, attempt, "wrong")
    say(board, attempt, "right")
    await here.flush(attempt)

    board.revert(here.person("owner"), 1)
    assert board.fields["said"] == ["wrong", "right"]
    await board.flushed()

    assert board.fields["said"] == ["right"]
    assert [each.fate.value for each in board.fold.history] == ["reversed", "counts", "counts"]


async def test_what_a_log_brings_is_told(log: UnsteadyStateLog, there: Documents) -> None:
    told: list[int] = []
    watching = Documents(
        log, SystemClock(), observer=lambda _, new: told.extend(e.version for e in new)
    )
    await watching.open(BOARD)
    other = await there.open(BOARD)

    spend(other, await step(there))

    await until(lambda: told == [1])
    await watching.close()


async def test_who_watches_a_document_is_called_until_he_has_enough(
    here: Documents, there: Documents
) -> None:
    calls: list[str] = []
    await here.open(BOARD)
    end = here.watchers.add(BOARD, lambda: calls.append("news"))
    other = await there.open(BOARD)

    spend(other, await step(there))
    await until(lambda: len(calls) == 1)
    end()
    spend(other, await step(there))
    await other.flushed()
    await here.open(BOARD, is_fresh=True)

    assert len(calls) == 1


async def test_closing_writes_what_is_pending(log: UnsteadyStateLog, here: Documents) -> None:
    board = await here.open(BOARD)
    spend(board, here.person("driver"))

    await here.close()

    assert (await log.heads([BOARD]))[BOARD].version == 1
    with pytest.raises(Stopped):
        await here.open("task/t/Other/")


async def test_closing_gives_up_what_a_store_that_is_down_does_not_take(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    log.is_down = True
    spend(board, attempt)
    await until(lambda: board.is_stuck)

    await here.close()

    with pytest.raises(Stopped):
        await here.flush(attempt)


async def test_a_long_log_is_shortened_and_opens_from_its_snapshot(
    log: UnsteadyStateLog, here: Documents, there: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = await here.open(BOARD)
    attempt = await step(here)
    for _ in range(500):
        spend(board, attempt)
    await here.flush(attempt)
    await log.settle(TASK, StepId("a"))
    spend(board, here.person("driver"))

    page = await shortened(log)
    other = await there.open(BOARD)

    assert page.snapshot is not None
    assert other.fields["spent"] == 501
    assert whole(other) == whole(board)


async def test_a_document_far_behind_goes_on_from_the_snapshot(
    log: UnsteadyStateLog, here: Documents, there: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "READ_PAUSE_S", 0.3)
    other = await there.open(BOARD)
    monkeypatch.setattr(keeper, "READ_PAUSE_S", 0.0)
    board = await here.open(BOARD)
    person = here.person("driver")
    for _ in range(600):
        spend(board, person)
    await board.flushed()
    await shortened(log)

    await until(lambda: other.version == board.version)
    assert other.fields["spent"] == 600


async def test_a_document_that_nobody_holds_makes_room(
    log: UnsteadyStateLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_module, "OPEN_MAX", 2)
    here = Documents(log, SystemClock())
    held = await here.open(BOARD)
    held.readers.count += 1
    await here.open("task/t/Other/")
    await here.open("task/t/Third/")

    assert here.peek("task/t/Other/") is None
    assert here.peek(BOARD) is held
    await here.close()


async def test_a_document_that_nobody_has_opened_for_long_is_closed(
    log: UnsteadyStateLog,
) -> None:
    clock = ManualClock()
    here = Documents(log, clock)
    await here.open(BOARD)
    clock.advance(documents_module.IDLE_S)
    await here.open("task/t/Other/")

    assert here.peek(BOARD) is None
    await here.close()


async def test_a_message_that_is_handled_again_edits_once(
    log: UnsteadyStateLog, here: Documents, there: Documents
) -> None:
    for documents in (here, there):
        attempt = EditAttempt.of_message(EnvelopeId(b"m" * 16), "researcher-0")
        spend(await documents.open(BOARD), attempt, 120)
        await documents.flush(attempt)

    assert (await log.heads([BOARD]))[BOARD].version == 1
    await until(lambda: (peeked := there.peek(BOARD)) is not None and not peeked.pending)
    board = there.peek(BOARD)
    assert board is not None
    assert board.fields == {"spent": 120}
