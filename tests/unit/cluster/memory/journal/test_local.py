"""The journal in memory against a model of it, and what time does to it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TypeVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cluster.kernel.errors import ClusterError, StaleEpoch, WireError
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.local import LocalJournal
from cluster.memory.journal.port import ACKNOWLEDGED_KEPT_S, ENDED_KEPT_S, OpenTask
from tests.support.clock import ManualClock

TASK = TaskId("task")
OWNER = Owner(AgentId("manager-0"), 1)

Result = TypeVar("Result")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def journal(clock: ManualClock) -> LocalJournal:
    return LocalJournal(clock)


async def end(journal: LocalJournal) -> None:
    """Claim the task and write a journal of two entries, the second of them its end."""
    await journal.claim(TASK, OWNER)
    await journal.append(TASK, 1, 1, [b"one", b"end"], is_final=True)


async def is_kept(journal: LocalJournal) -> bool:
    return await journal.read(TASK) != ()


async def test_a_journal_that_nobody_acknowledges_is_kept_for_a_day_after_its_end(
    journal: LocalJournal, clock: ManualClock
) -> None:
    await end(journal)
    clock.advance(ENDED_KEPT_S - 1)
    assert await is_kept(journal)
    clock.advance(1)
    assert not await is_kept(journal)


async def test_an_acknowledged_journal_is_kept_for_an_hour_however_often_it_is_acknowledged(
    journal: LocalJournal, clock: ManualClock
) -> None:
    await end(journal)
    clock.advance(60)
    for _ in range(2):
        await journal.acknowledge(TASK, 2)
        clock.advance(ACKNOWLEDGED_KEPT_S / 2 - 1)
        assert await is_kept(journal)
    clock.advance(2)
    assert not await is_kept(journal)


async def test_an_acknowledgement_of_less_than_the_end_shortens_nothing(
    journal: LocalJournal, clock: ManualClock
) -> None:
    await end(journal)
    await journal.acknowledge(TASK, 1)
    clock.advance(ENDED_KEPT_S - 1)
    assert await is_kept(journal)


async def test_the_journal_of_a_running_task_is_kept_for_good(
    journal: LocalJournal, clock: ManualClock
) -> None:
    await journal.claim(TASK, OWNER)
    await journal.append(TASK, 1, 1, [b"one"])
    await journal.acknowledge(TASK, 1)
    clock.advance(100 * ENDED_KEPT_S)
    assert await is_kept(journal)
    assert await journal.open_tasks() == {TASK: OpenTask(OWNER, 1)}


async def test_a_task_whose_journal_is_gone_is_new(
    journal: LocalJournal, clock: ManualClock
) -> None:
    await end(journal)
    clock.advance(ENDED_KEPT_S)
    with pytest.raises(StaleEpoch):
        await journal.append(TASK, 1, 2, [b"end"], is_final=True)
    claim = await journal.claim(TASK, OWNER, expected_term=0)
    assert claim is not None
    assert (claim.term, claim.entries) == (1, ())
    assert set(await journal.open_tasks()) == {TASK}


class Model(RuleBasedStateMachine):
    """One task, told plainly: a list of (term, entry), the newest term, whether it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = LocalJournal(ManualClock())
        self.term = 0
        self.entries: list[tuple[int, bytes]] = []
        self.is_ended = False
        self.made = 0

    def done(self, work: Coroutine[object, object, Result]) -> Result | type[ClusterError]:
        """Run a method, which never waits, to its end."""
        try:
            work.send(None)
        except StopIteration as returned:
            return cast("Result", returned.value)
        except ClusterError as error:
            return type(error)
        raise AssertionError("it waits")

    @rule(expected=st.none() | st.integers(0, 4))
    def claim(self, expected: int | None) -> None:
        claim = self.done(self.journal.claim(TASK, OWNER, expected_term=expected))
        if expected is not None and expected != self.term:
            assert claim is None
            return
        self.term += 1
        assert claim is not None
        assert not isinstance(claim, type)
        assert claim.term == self.term
        assert claim.entries == tuple(entry for _, entry in self.entries)

    @rule(
        age=st.integers(-1, 2), back=st.integers(-2, 4), count=st.integers(1, 3), ends=st.booleans()
    )
    def append(self, age: int, back: int, count: int, *, ends: bool) -> None:
        term, index = self.term - age, max(1, len(self.entries) + 1 - back)
        added = [(term, b"%d" % (self.made + at)) for at in range(count)]
        self.made += count
        outcome = self.done(
            self.journal.append(TASK, term, index, [entry for _, entry in added], is_final=ends)
        )
        assert outcome is self.expected(term, index, count, ends=ends)
        if outcome is None and index > len(self.entries):
            self.entries += added
            self.is_ended = ends

    def expected(self, term: int, index: int, count: int, *, ends: bool) -> object:
        if term != self.term or self.term == 0:
            return StaleEpoch
        there = self.entries[index - 1 : index - 1 + count]
        if there:
            is_the_end = self.is_ended and index - 1 + count == len(self.entries)
            is_repeated = len(there) == count and all(of == term for of, _ in there)
            return None if is_repeated and (is_the_end or not ends) else WireError
        if self.is_ended:
            return StaleEpoch
        return None if index == len(self.entries) + 1 else WireError

    @rule(index=st.integers(0, 9))
    def acknowledge(self, index: int) -> None:
        assert self.done(self.journal.acknowledge(TASK, index)) is None

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert self.done(self.journal.read(TASK)) == tuple(entry for _, entry in self.entries)
        is_open = self.term > 0 and not self.is_ended
        expected = {TASK: OpenTask(OWNER, self.term)} if is_open else {}
        assert self.done(self.journal.open_tasks()) == expected


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=30)
