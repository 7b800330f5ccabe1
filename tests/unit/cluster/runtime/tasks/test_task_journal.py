"""An owner asks the store whether a task is still its own before it thinks."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import StaleEpoch, StoreUnavailable
from cluster.kernel.events import Event, Submitted
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.registration import FRESH_SHARE
from cluster.kernel.tasks.ownership import Owner
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
        self._watch = clock

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
