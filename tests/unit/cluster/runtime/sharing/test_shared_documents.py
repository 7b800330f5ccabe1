"""What a turn has of shared state: blocks of edits, models to look at, and what was read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StateDeleted, StateInvalid, StoreUnavailable, UsageError
from cluster.kernel.ids import NO_TASK, StepId
from cluster.kernel.reads import Reads, SeenField, SeenState
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.documents import Documents
from cluster.runtime.sharing.shared_documents import SharedDocuments
from tests.support.notice_board import Board, Longest, Rates
from tests.support.shared_documents import TASK, UnsteadyStateLog, until

NAME = "task/t/Board"


@pytest.fixture
def log() -> UnsteadyStateLog:
    return UnsteadyStateLog(SystemClock())


@pytest.fixture
async def documents(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    opened = Documents(log, SystemClock())
    yield opened
    await opened.close()


def turn(documents: Documents, step: str = "s") -> SharedDocuments:
    """What a turn of a step has."""

    def begin() -> Awaitable[EditAttempt]:
        return documents.begin(TASK, StepId(step), "researcher-0")

    return SharedDocuments(documents, TASK, begin, Reads())


async def test_what_is_edited_in_a_block_is_seen_at_once_and_durable_soon(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    shared = turn(documents)
    async with shared.state(Board) as board:
        board.facts["sky"] = "blue"
        board.spent += 120

    assert shared.peek(Board).facts == {"sky": "blue"}
    await shared.flush(5.0)
    assert (await log.heads([NAME]))[NAME].version == 1


async def test_who_must_know_waits_until_an_edit_is_durable(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    async with turn(documents).state(Board) as board:
        board.spent += 120

    await board.flushed()

    assert (await log.heads([NAME]))[NAME].version == 1


async def test_what_is_in_no_block_that_was_left_can_not_be_waited_for(
    documents: Documents,
) -> None:
    shared = turn(documents)
    for board in (Board(facts={}, said=[], spent=0), await shared.open(Board)):
        with pytest.raises(UsageError, match="no block has edited this Board"):
            await board.flushed()
    async with shared.state(Board) as board:
        board.spent += 1
        with pytest.raises(UsageError, match=r"await flushed\(\) after that"):
            await board.flushed()


async def test_a_block_that_raises_writes_nothing(documents: Documents) -> None:
    shared = turn(documents)

    async def fail() -> None:
        async with shared.state(Board) as board:
            board.spent += 1
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert shared.peek(Board).spent == 0


async def test_a_block_may_wait_while_others_edit(documents: Documents) -> None:
    one, other = turn(documents, "a"), turn(documents, "b")
    async with one.state(Board) as mine:
        mine.facts["sky"] = "blue"
        async with other.state(Board) as theirs:
            theirs.facts["sea"] = "green"
        await asyncio.sleep(0)

    assert one.peek(Board).facts == {"sky": "blue", "sea": "green"}


async def test_blocks_of_a_turn_that_begin_together_are_of_one_attempt(
    documents: Documents,
) -> None:
    shared = turn(documents)

    async def spend(key: str) -> None:
        async with shared.state(Board, key=key) as board:
            board.spent += 1

    await asyncio.gather(spend("a"), spend("b"))

    assert shared.generation == 1


async def test_a_turn_that_edits_nothing_begins_no_attempt(documents: Documents) -> None:
    shared = turn(documents)
    await shared.open(Board)

    assert shared.generation == 0


async def test_what_nobody_has_opened_can_not_be_peeked_at(documents: Documents) -> None:
    shared = turn(documents)
    with pytest.raises(UsageError, match=r"await `open\(Board\)`"):
        shared.peek(Board)

    assert (await shared.open(Board)).spent == 0
    assert shared.peek(Board).spent == 0


async def test_a_model_stays_the_same_until_the_document_changes(documents: Documents) -> None:
    shared = turn(documents)
    before = await shared.open(Board)
    assert shared.peek(Board) is before

    async with shared.state(Board) as board:
        board.spent = 3

    assert shared.peek(Board).spent == 3
    assert before.spent == 0


async def test_what_is_peeked_at_can_not_be_edited(documents: Documents) -> None:
    board = await turn(documents).open(Board)
    with pytest.raises(UsageError, match="only shown here"):
        board.verdict = "yes"


async def test_what_one_turn_reads_another_has_not_read(documents: Documents) -> None:
    one, other = turn(documents, "a"), turn(documents, "b")
    assert (await one.open(Board)).spent == (await other.open(Board)).spent == 0
    assert not one.peek(Board).facts
    one.report()
    other.report()

    assert one.reads.saw().states == (
        SeenState(NAME, 0, (SeenField("facts", 0), SeenField("spent", 0))),
    )
    assert other.reads.saw().states == (SeenState(NAME, 0, (SeenField("spent", 0),)),)


async def test_what_was_read_counts_at_the_version_it_was_read_at(documents: Documents) -> None:
    one, other = turn(documents, "a"), turn(documents, "b")
    assert (await one.open(Board)).spent == 0
    async with other.state(Board) as board:
        board.verdict = "yes"
    await other.flush(5.0)
    assert one.peek(Board).verdict == "yes"
    one.report()

    assert one.reads.saw().states == (
        SeenState(NAME, 0, (SeenField("spent", 0), SeenField("verdict", 1))),
    )


async def test_a_block_tells_what_was_read_in_it(documents: Documents) -> None:
    shared = turn(documents)
    async with shared.state(Board) as board:
        if not board.verdict:
            board.said.append("no verdict")

    [seen] = shared.reads.saw().states
    assert [field.name for field in seen.fields] == ["said", "verdict"]


async def test_a_document_of_the_cluster_needs_no_task(documents: Documents) -> None:
    async def begin() -> EditAttempt:
        return documents.person("me")

    shared = SharedDocuments(documents, NO_TASK, begin, Reads())
    async with shared.state(Rates) as rates:
        rates.known["eur"] = 7

    assert shared.peek(Rates).known == {"eur": 7}


async def test_a_deleted_document_is_not_edited(documents: Documents) -> None:
    shared = turn(documents)
    async with shared.state(Board) as board:
        board.spent = 1
    await shared.flush(5.0)
    await documents.delete(NAME)

    with pytest.raises(StateDeleted):
        async with shared.state(Board):
            pass


async def test_what_a_type_does_not_allow_is_not_written(documents: Documents) -> None:
    shared = turn(documents)
    with pytest.raises(StateInvalid):
        async with shared.state(Board) as board:
            board.said.append(3)  # type: ignore[arg-type]

    assert shared.peek(Board).said == []


async def test_without_the_store_a_flush_ends_and_says_so(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    shared = turn(documents)
    async with shared.state(Board) as board:
        log.is_down = True
        board.spent = 1

    with pytest.raises(StoreUnavailable, match="has not taken all edits"):
        await shared.flush(0.0)


async def test_a_held_document_is_open_until_the_turn_ends(documents: Documents) -> None:
    shared = turn(documents)
    await shared.open(Board)
    document = documents.peek(NAME)
    assert document is not None
    assert document.readers.count == 1

    shared.close()

    assert document.readers.count == 0


async def test_what_a_turn_has_left_running_edits_nothing(documents: Documents) -> None:
    shared = turn(documents)
    block = shared.state(Board)
    board = await block.__aenter__()
    board.spent = 1
    shared.finish()

    with pytest.raises(UsageError, match="no part in its result"):
        await block.__aexit__(None, None, None)


async def test_a_policy_of_the_program_is_known_from_the_first_use_of_its_class(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    other = Documents(log, SystemClock())
    one, two = turn(documents, "a"), turn(other, "b")
    strange = await other.open("task/t/Longest")
    async with one.state(Longest) as mine, two.state(Longest) as theirs:
        mine.word, theirs.word = "short", "longest"
    await asyncio.gather(one.flush(5.0), two.flush(5.0))

    await until(lambda: one.peek(Longest).word == two.peek(Longest).word == "longest")
    assert not strange.conflicts
    await other.close()


async def test_what_was_folded_by_an_unknown_policy_is_folded_again(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    other = Documents(log, SystemClock())
    one, two = turn(documents, "a"), turn(documents, "b")
    async with one.state(Longest) as mine, two.state(Longest) as theirs:
        mine.word, theirs.word = "short", "longest"
    await asyncio.gather(one.flush(5.0), two.flush(5.0))
    strange = await other.open("task/t/Longest")
    assert strange.conflicts

    assert (await turn(other, "c").open(Longest)).word == "longest"
    assert not strange.conflicts
    await other.close()


async def test_a_turn_knows_what_was_written_before_it_looked(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    log.is_silent = True
    other = Documents(log, SystemClock())
    await documents.open(NAME)
    async with (one := turn(other)).state(Board) as board:
        board.spent = 7
    await one.flush(5.0)

    looks = (turn(documents, name).open(Board) for name in ("a", "b", "c"))
    assert [board.spent for board in await asyncio.gather(*looks)] == [7, 7, 7]
    await other.close()


async def test_without_the_store_an_open_document_is_shown_as_it_was(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    await documents.open(NAME)
    log.is_down = True

    assert (await turn(documents).open(Board)).spent == 0
