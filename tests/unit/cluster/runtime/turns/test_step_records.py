"""The store's word that nobody has done a step: fresh, or asked for again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.memory.store.local import LocalStore
from cluster.runtime.turns.step_records import LOOKS_MAX, Standing, StepRecords
from tests.support.clock import ManualClock

LEASE_S = 1.0
TASK, STEP, RESULT = TaskId("t"), StepId("s"), ("example", b"done", b"")


class SlowStore(LocalStore):
    """Takes as long as it is told to for each answer, in which others may do something."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        super().__init__(self.clock)
        self.takes_s: list[float] = []
        self.meanwhile: StepRecords | None = None
        self.looks = 0

    async def get_many(self, names: Sequence[str]) -> list[bytes | None]:
        found = await super().get_many(names)
        self.looks += 1
        self.clock.advance(self.takes_s.pop(0) if self.takes_s else 0.0)
        if self.meanwhile is not None:
            other, self.meanwhile = self.meanwhile, None
            await other.keep(other.marks(TASK, STEP), RESULT, 0, 1.0)
        return found


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


def records(store: SlowStore, agent: str) -> StepRecords:
    made = StepRecords(store, AgentId(agent), "scope", clock=store.clock, lease_s=LEASE_S)
    made.epoch = 1
    return made


async def found(store: SlowStore) -> Standing:
    looking = records(store, "coder-0")
    return await looking.find(looking.marks(TASK, STEP))


async def test_a_step_that_another_did_while_the_look_was_under_way_is_not_done_again(
    store: SlowStore,
) -> None:
    store.takes_s = [0.5]
    store.meanwhile = records(store, "coder-1")

    assert (await found(store)).result == RESULT


async def test_a_look_that_came_back_at_once_is_believed(store: SlowStore) -> None:
    assert (await found(store)).result is None
    assert store.looks == 1


async def test_a_store_that_is_always_slow_is_believed_in_the_end(store: SlowStore) -> None:
    store.takes_s = [0.5] * 100

    assert (await found(store)).result is None
    assert store.looks == LOOKS_MAX
