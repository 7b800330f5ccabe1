"""An owner asks whether a task is still its own; what comes about at once is appended at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from cluster.kernel.errors import StaleEpoch, StoreUnavailable, WireError
from cluster.kernel.events import Detail, Event, StepPlanned, StepStarted, Submitted, WasCancelled
from cluster.kernel.ids import NO_STEP, AgentId, StepId, TaskId
from cluster.kernel.registration import FRESH_SHARE
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Step
from cluster.memory.journal.local import LocalJournal
from cluster.runtime.tasks.task_journal import TaskJournal
from cluster.wire.messages import MessageCodec
from tests.support.clock import ManualClock

TASK = TaskId("0" * 32)
PATIENCE_S = 5.0


class WatchedJournal(LocalJournal):
    """Counts the questions; each takes a while, and fails where it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked = 0
        self.takes_s = 0.0
        self.is_away = False
        self.appends: list[int] = []
        """How many entries came together."""
        self.held = asyncio.Event()
        self.held.set()
        self._watch = clock

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        await self.held.wait()
        await super().append(task, term, index, entries, is_final=is_final)
        self.appends.append(len(entries))

    async def confirm(self, task: TaskId, term: int) -> None:
        self.asked += 1
        self._watch.advance(self.takes_s)
        if self.is_away:
            raise StoreUnavailable("away")
        await super().confirm(task, term)


async def owned(clock: ManualClock) -> tuple[WatchedJournal, TaskJournal]:
    store = WatchedJournal(clock)
    claim = await store.claim(TASK, Owner(AgentId("manager-0"), 1))
    assert claim is not None
    journal = TaskJournal(store, MessageCodec(), clock, TASK, patience_s=PATIENCE_S)
    journal.open(claim.term, claim.entries)
    submitted = Submitted("why?", "", 0.0, 60.0)
    await journal.record(Event(0.0, TASK, AgentId("manager-0"), NO_STEP, submitted))
    return store, journal


async def test_what_was_appended_a_moment_ago_is_word_enough() -> None:
    store, journal = await owned(ManualClock())
    await journal.confirm()
    assert store.asked == 0


async def test_a_word_that_has_grown_old_is_asked_for_again_once() -> None:
    clock = ManualClock()
    store, journal = await owned(clock)
    clock.advance(PATIENCE_S * FRESH_SHARE * 1.01)
    await journal.confirm()
    await journal.confirm()
    assert store.asked == 1


async def test_who_has_lost_the_task_does_not_think() -> None:
    clock = ManualClock()
    store, journal = await owned(clock)
    clock.advance(PATIENCE_S)
    await store.claim(TASK, Owner(AgentId("manager-1"), 1))
    with pytest.raises(StaleEpoch):
        await journal.confirm()
    assert journal.is_lost


@pytest.mark.parametrize(("takes_s", "is_away"), [(PATIENCE_S / 5, False), (PATIENCE_S, True)])
async def test_a_store_that_can_not_say_in_time_costs_the_task(
    takes_s: float, *, is_away: bool
) -> None:
    clock = ManualClock()
    store, journal = await owned(clock)
    clock.advance(PATIENCE_S)
    store.takes_s, store.is_away = takes_s, is_away
    with pytest.raises(StoreUnavailable):
        await journal.confirm()
    assert journal.is_lost


A, B = [Step(StepId(name), "researcher", "look") for name in "ab"]


def event(detail: Detail, step: str = "") -> Event:
    return Event(0.0, TASK, AgentId("manager-0"), StepId(step), detail)


async def test_what_comes_about_at_once_is_appended_at_once() -> None:
    store, journal = await owned(ManualClock())

    await asyncio.gather(
        journal.record(event(StepPlanned(A), "a")),
        journal.record(event(StepPlanned(B), "b")),
        journal.record(event(StepStarted(), "a")),
    )

    assert store.appends == [1, 3]
    assert [each.index for each in journal.events] == [1, 2, 3, 4]


async def test_what_comes_about_during_an_append_is_appended_after_it_together() -> None:
    store, journal = await owned(ManualClock())
    store.held.clear()
    first = journal.begin(event(StepPlanned(A), "a"))
    for _ in range(5):
        await asyncio.sleep(0)
    others = [
        journal.begin(event(StepStarted(), "a")),
        journal.begin(event(StepPlanned(B), "b")),
    ]
    store.held.set()
    await asyncio.gather(first, *others)

    assert store.appends == [1, 1, 2]


async def test_a_fact_that_can_not_follow_is_refused_and_the_others_are_written() -> None:
    _, journal = await owned(ManualClock())
    facts = [
        journal.begin(event(StepPlanned(A), "a")),
        journal.begin(event(StepStarted(), "b")),
        journal.begin(event(StepStarted(), "a")),
    ]
    results = await asyncio.gather(*facts, return_exceptions=True)

    assert [type(each) for each in results] == [Event, WireError, Event]
    assert not journal.is_lost
    assert [each.index for each in journal.events] == [1, 2, 3]


async def test_nothing_follows_the_end_in_the_same_append() -> None:
    store, journal = await owned(ManualClock())
    ended = journal.begin(event(WasCancelled("enough")))
    late = journal.begin(event(StepPlanned(A), "a"))

    with pytest.raises(StaleEpoch):
        await late
    assert (await ended).index == 2
    assert TASK not in await store.open_tasks()


async def test_all_that_was_to_be_appended_together_fails_together() -> None:
    store, journal = await owned(ManualClock())
    await store.claim(TASK, Owner(AgentId("manager-1"), 1))
    facts = [journal.begin(event(StepPlanned(each), each.id)) for each in (A, B)]

    results = await asyncio.gather(*facts, return_exceptions=True)

    assert [type(each) for each in results] == [StaleEpoch, StaleEpoch]
    assert journal.is_lost
    assert len(journal.events) == 1


async def test_who_waits_for_a_fact_when_the_journal_is_left_is_told() -> None:
    store, journal = await owned(ManualClock())
    store.held.clear()
    waiting = asyncio.ensure_future(journal.record(event(StepPlanned(A), "a")))
    for _ in range(5):
        await asyncio.sleep(0)
    later = asyncio.ensure_future(journal.record(event(StepPlanned(B), "b")))
    await asyncio.sleep(0)

    await journal.close()

    results = await asyncio.gather(waiting, later, return_exceptions=True)
    assert [type(each) for each in results] == [asyncio.CancelledError] * 2


async def test_a_fact_that_nobody_waits_for_any_longer_is_written_all_the_same() -> None:
    store, journal = await owned(ManualClock())
    waiting = asyncio.ensure_future(journal.record(event(StepPlanned(A), "a")))
    await asyncio.sleep(0)
    waiting.cancel()
    await journal.record(event(StepPlanned(B), "b"))

    assert waiting.cancelled()
    assert [each.step for each in journal.events] == ["", "a", "b"]
    assert len(await store.read(TASK)) == 3


def new(clock: ManualClock) -> tuple[WatchedJournal, TaskJournal]:
    """Return the journal of a task that is claimed by its first append."""
    store = WatchedJournal(clock)
    journal = TaskJournal(store, MessageCodec(), clock, TASK, patience_s=PATIENCE_S)
    journal.open_new(Owner(AgentId("manager-0"), 1))
    return store, journal


async def test_a_new_task_is_claimed_with_its_first_facts() -> None:
    store, journal = new(ManualClock())
    submitted = Submitted("why?", "", 0.0, 60.0)
    await asyncio.gather(
        journal.record(event(submitted)), journal.record(event(StepPlanned(A), "a"))
    )

    assert store.appends == []
    assert len(await store.read(TASK)) == 2
    await journal.confirm()
    assert store.asked == 0


async def test_a_new_task_may_end_with_its_first_facts() -> None:
    store, journal = new(ManualClock())
    journal.begin(event(Submitted("why?", "", 0.0, 60.0)))

    await journal.record(event(WasCancelled("enough")))

    assert [each.index for each in journal.events] == [1, 2]
    assert await store.open_tasks() == {}


async def test_a_new_task_that_somebody_has_claimed_is_lost_and_nothing_is_written() -> None:
    store, journal = new(ManualClock())
    await store.claim(TASK, Owner(AgentId("manager-1"), 1))
    with pytest.raises(StaleEpoch):
        await journal.record(event(Submitted("why?", "", 0.0, 60.0)))

    assert journal.is_lost
    assert await store.read(TASK) == ()
