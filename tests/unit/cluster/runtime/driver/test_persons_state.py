"""A person edits what agents share: it is durable when the block is left, or they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StateDeleted, StateInvalid, StoreUnavailable
from cluster.kernel.ids import NO_TASK
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.host.history import history_of
from cluster.runtime.driver import persons_state
from cluster.runtime.driver.persons_state import PersonsState
from cluster.state import SharedState
from tests.support.boards import Board, Fact, changed
from tests.support.notice_board import Torn
from tests.support.shared_documents import TASK, UnsteadyStateLog, step, until

NAME = "task/t/Board"


class Ledger(SharedState, scope="cluster"):
    """What all tasks share."""

    spent: int


@pytest.fixture
def log() -> UnsteadyStateLog:
    return UnsteadyStateLog(SystemClock())


@pytest.fixture
async def documents(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    opened = Documents(log, SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
def person(documents: Documents) -> PersonsState:
    return PersonsState(documents, TASK, documents.person("anna"))


async def test_an_edit_is_durable_when_its_block_is_left(
    log: UnsteadyStateLog, person: PersonsState
) -> None:
    log.delay = lambda: 3

    async with person.state(Board) as board:
        board.spent += 120
        board.verdict = "yes"

    assert (await log.heads([NAME]))[NAME].version == 1
    assert person.peek(Board).spent == 120


async def test_the_history_knows_who_the_person_is(
    log: UnsteadyStateLog, person: PersonsState
) -> None:
    async with person.state(Board) as board:
        board.status = "begun"

    [logged] = await history_of(log, NAME)
    assert "stamp=Stamp(wall_ms=" in repr(logged.entry.body)
    assert "author='anna'" in repr(logged.entry.body)


async def test_where_the_block_raises_nothing_is_changed(
    log: UnsteadyStateLog, person: PersonsState
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with person.state(Board) as board:
            board.spent = 1 // 0

    assert await log.names() == []


async def test_a_person_and_an_agent_edit_at_once_and_both_count(
    documents: Documents, person: PersonsState
) -> None:
    agents = PersonsState(documents, TASK, await step(documents))

    async with person.state(Board) as mine, agents.state(Board) as theirs:
        mine.spent += 1
        theirs.spent += 2

    await until(lambda: person.peek(Board).spent == 3)


async def test_what_the_cluster_shares_needs_no_task(
    log: UnsteadyStateLog, documents: Documents
) -> None:
    person = PersonsState(documents, NO_TASK, documents.person("anna"))

    async with person.state(Ledger, key="2026") as ledger:
        ledger.spent = 7

    assert await log.names() == ["cluster/Ledger/2026"]


async def test_a_store_that_takes_nothing_is_said_to(
    log: UnsteadyStateLog, person: PersonsState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persons_state, "DURABLE_S", 0.01)
    await person.open(Board)
    log.is_down = True

    with pytest.raises(StoreUnavailable, match="the store has not taken the edit of task/t/Board"):
        await spend(person)
    log.is_down = False

    await until(lambda: person.peek(Board).spent == 1)


async def spend(person: PersonsState, key: str = "") -> None:
    """Edit a board."""
    async with person.state(Board, key=key) as board:
        board.spent += 1


async def test_after_a_document_that_was_deleted_others_are_edited_as_before(
    documents: Documents, person: PersonsState
) -> None:
    await spend(person)
    await documents.delete(NAME)

    with pytest.raises(StateDeleted):
        await spend(person)
    await spend(person, "other")

    assert person.peek(Board, key="other").spent == 1


async def test_what_the_class_does_not_allow_is_refused_and_not_written(
    log: UnsteadyStateLog, person: PersonsState
) -> None:
    with pytest.raises(StateInvalid, match=r"Board\.spent can't be this"):
        async with person.state(Board) as board:
            changed(board, spent="much")

    assert await log.names() == []


async def test_of_a_policy_that_raises_the_log_warns_once(
    documents: Documents, person: PersonsState, caplog: pytest.LogCaptureFixture
) -> None:
    for word in ("one", "two"):
        async with person.state(Torn) as mine, person.state(Torn) as theirs:
            mine.word, theirs.word = word, f"{word}, too"

    [warning] = [each for each in caplog.messages if "torn raised" in each]
    assert warning.endswith(
        "torn raised ZeroDivisionError('no way'), so both values of word of task/t/Torn are kept "
        "until somebody decides"
    )


async def test_a_person_learns_which_conflicts_there_are_and_decides_them(
    documents: Documents, person: PersonsState
) -> None:
    agents = PersonsState(documents, TASK, await step(documents))
    assert await person.conflicts(Board) == ()

    async with person.state(Board) as mine, agents.state(Board) as theirs:
        mine.verdict = "yes"
        theirs.verdict = "no"
    [found] = await person.conflicts(Board)
    assert (found.field, found.key) == ("verdict", None)
    assert {(each.value, each.author) for each in found.rivals} == {
        ("yes", "anna"),
        ("no", "researcher-a"),
    }
    assert {each.version for each in found.rivals} == {1, 2}

    async with person.state(Board) as board:
        board.verdict = "maybe"
    assert await person.conflicts(Board) == ()


async def test_a_conflict_within_a_key_says_who_has_removed_it(
    documents: Documents, person: PersonsState
) -> None:
    agents = PersonsState(documents, TASK, await step(documents))
    async with person.state(Board) as board:
        board.facts["sky"] = Fact(text="blue")

    async with person.state(Board) as mine, agents.state(Board) as theirs:
        del mine.facts["sky"]
        theirs.facts["sky"] = Fact(text="grey")

    [found] = await person.conflicts(Board)
    assert (found.field, found.key) == ("facts", "sky")
    grey = {"text": "grey", "votes": []}
    by_agent = {each.step == "a": (each.value, each.is_removed) for each in found.rivals}
    assert by_agent == {True: (grey, False), False: (None, True)}


async def test_what_is_closed_is_held_no_longer(documents: Documents, person: PersonsState) -> None:
    await person.open(Board)
    document = documents.peek(NAME)
    assert document is not None

    person.close()

    assert document.readers.count == 0
