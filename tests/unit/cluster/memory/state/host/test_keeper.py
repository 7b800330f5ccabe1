"""A document's writer and reader keep in step with a log that changes between their turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from cluster.kernel.errors import Stopped
from cluster.kernel.state.edits import Seal
from cluster.memory.state import local
from cluster.memory.state.entries import Appended, LogPage, PendingEdit, StepKey
from cluster.memory.state.host.codec import packed
from cluster.memory.state.host.documents import Documents
from tests.support.shared_documents import BOARD, UnsteadyStateLog, spend, step, until


async def test_a_document_that_is_deleted_before_its_log_is_shortened_is_only_gone(
    log: UnsteadyStateLog,
    here: Documents,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    board, person = await here.open(BOARD), here.person("driver")
    for _ in range(500):
        spend(board, person)
    append = log.append

    async def append_too_late(
        document: str, step: StepKey, edits: Sequence[PendingEdit], **_: object
    ) -> Appended:
        if step.step != person.key.step:
            await log.delete(document)
        return await append(document, step, edits)

    monkeypatch.setattr(log, "append", append_too_late)
    await until(lambda: board.is_deleted)

    assert not caplog.records


def len_of(page: LogPage) -> int:
    """Return the bytes of its entries."""
    return sum(len(each.data) for each in page.entries)


async def test_a_full_log_is_shortened_by_whoever_it_refuses_where_its_sealer_is_gone(
    log: UnsteadyStateLog, here: Documents, there: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, board = there.person("gone"), await here.open(BOARD)
    spend(board, here.person("ann"), 1)
    await board.flushed()
    await log.append(BOARD, gone.key, [PendingEdit(1, packed(Seal(board.version)))])
    monkeypatch.setattr(local, "LOG_BYTES_MAX", len_of(await log.read(BOARD)))

    spend(board, here.person("bob"), 1)
    async with asyncio.timeout(10):
        await board.flushed()

    assert board.fields["spent"] == 2


async def test_an_edit_goes_on_to_the_document_that_has_come_in_place_of_an_expired_one(
    log: UnsteadyStateLog, here: Documents, there: Documents
) -> None:
    board = await here.open(BOARD)
    spend(board, here.person("ann"), 10)
    await board.flushed()
    log.empty()  # as if all had expired
    other = await there.open(BOARD)
    spend(other, there.person("bob"), 1)
    await other.flushed()

    spend(board, here.person("ann"), 5)
    await board.flushed()

    await until(lambda: other.fields["spent"] == 6)
    assert (board.fields["spent"], board.version, len(board.pending)) == (6, 2, 0)


async def test_what_was_given_up_while_the_log_was_read_is_not_appended(
    log: UnsteadyStateLog,
    here: Documents,
    there: Documents,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    board, attempt = await here.open(BOARD), await step(here)
    begun, may_go_on, read = asyncio.Event(), asyncio.Event(), log.read

    async def slow_read(document: str, after: int = 0) -> LogPage:
        begun.set()
        await may_go_on.wait()
        return await read(document, after)

    monkeypatch.setattr(log, "read", slow_read)
    await log.append(BOARD, there.person("ann").key, [PendingEdit(1, packed(Seal(0)))])
    await begun.wait()
    spend(board, attempt)
    await asyncio.sleep(0)
    board.drop(lambda each: each is attempt, Stopped("no more"))
    may_go_on.set()
    await until(lambda: board.version == 1)
    await asyncio.sleep(0)

    assert not caplog.records
