"""What is counted for a caller is a task that has begun, whenever its request is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cluster.kernel.errors import Overloaded, StoreUnavailable
from cluster.kernel.events import Answered
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Answer
from cluster.serving.following import begin, start
from cluster.serving.ports import Caller, TaskOrder
from tests.support.fake_desk import FakeDesk, FakeGate, Until, ingress_of

ANN = Caller("ann", tasks_max=1)
ORDER = TaskOrder("why?", 60.0)
TASK = TaskId("1" * 32)


class SlowDesk(FakeDesk):
    """One that takes a task when a test says so, and may fail before that or after it."""

    def __init__(self) -> None:
        super().__init__([Until(asyncio.Event()), Answered(Answer("done"))])
        self.takes = asyncio.Event()
        self.fails_before: Exception | None = None
        self.fails_after: Exception | None = None

    async def start(self, order: TaskOrder, task: TaskId) -> None:
        await self.takes.wait()
        if self.fails_before is not None:
            raise self.fails_before
        await super().start(order, task)
        if self.fails_after is not None:
            raise self.fails_after


class SlowGate(FakeGate):
    """One that counts a task, and is not heard of then."""

    async def refusal(self, caller: Caller, task: TaskId, until_wall_s: float) -> None:
        await super().refusal(caller, task, until_wall_s)
        await asyncio.Event().wait()


@pytest.fixture
async def desk() -> AsyncIterator[SlowDesk]:
    made = SlowDesk()
    yield made
    await made.aclose()


async def until_waiting() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_whoever_goes_while_a_task_is_handed_in_leaves_it_begun(desk: SlowDesk) -> None:
    gate = FakeGate()
    ingress = ingress_of(desk, gate)
    asking = asyncio.create_task(start(ingress, ANN, ORDER, TASK))
    await until_waiting()

    asking.cancel()
    desk.takes.set()
    await until_waiting()

    assert asking.cancelled()
    assert desk.running == [TASK]
    assert gate.counted == {TASK}


async def test_a_task_that_was_begun_though_nobody_said_so_stays_counted(desk: SlowDesk) -> None:
    gate = FakeGate()
    desk.takes.set()
    desk.fails_after = StoreUnavailable("no answer in time")

    with pytest.raises(StoreUnavailable):
        await start(ingress_of(desk, gate), ANN, ORDER, TASK)

    assert gate.counted == set(desk.running) == {TASK}


async def test_a_task_that_no_manager_takes_is_counted_no_longer(desk: SlowDesk) -> None:
    gate = FakeGate()
    desk.takes.set()
    desk.fails_before = Overloaded("no Manager has room", 3.0)

    with pytest.raises(Overloaded):
        await start(ingress_of(desk, gate), ANN, ORDER, TASK)

    assert gate.counted == set()


async def test_whoever_goes_while_a_task_is_counted_has_it_counted_no_longer(
    desk: SlowDesk,
) -> None:
    gate = SlowGate()
    asking = asyncio.create_task(begin(ingress_of(desk, gate), ANN, ORDER))
    await until_waiting()
    counted = len(gate.counted)

    asking.cancel()
    await asyncio.wait({asking})

    assert (counted, gate.counted) == (1, set())
