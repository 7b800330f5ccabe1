"""The end of a task is waited for, and its record a little longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cluster.kernel.errors import DeadlinePassed
from cluster.kernel.events import Answered
from cluster.kernel.feed import TaskRecord
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Answer
from cluster.serving.endings import RECORD_WAITS_S, ended_record
from cluster.serving.ports import TaskOrder
from tests.support.fake_desk import FakeDesk, Until


class LateDesk(FakeDesk):
    """One whose records are behind by some look-ups."""

    behind = 0

    async def record(self, task: TaskId) -> TaskRecord | None:
        record = await super().record(task)
        if record is None or self.behind <= 0:
            return record
        self.behind -= 1
        return replace(record, summary=replace(record.summary, status="running"))


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[LateDesk]:
    made = LateDesk([Answered(Answer("done"))])
    yield made
    await made.aclose()


async def started(desk: FakeDesk) -> TaskId:
    task = desk.new_task()
    await desk.start(TaskOrder("?", 60.0), task)
    return task


async def test_a_record_that_comes_late_is_waited_for(desk: LateDesk) -> None:
    task = await started(desk)
    desk.behind = len(RECORD_WAITS_S) - 1

    record = await ended_record(desk, task, 60.0, no_sleep)

    assert record is not None
    assert record.summary.status == "answered"


async def test_a_record_that_does_not_come_is_given_up(desk: LateDesk) -> None:
    task = await started(desk)
    desk.behind = len(RECORD_WAITS_S)

    with pytest.raises(DeadlinePassed, match="its record is not there yet"):
        await ended_record(desk, task, 60.0, no_sleep)


async def test_a_task_that_goes_on_is_given_up(desk: LateDesk) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    task = await started(desk)

    with pytest.raises(DeadlinePassed, match="has not ended yet"):
        await ended_record(desk, task, 0.01, no_sleep)


async def test_of_a_task_that_is_not_known_there_is_no_record(desk: LateDesk) -> None:
    assert await ended_record(desk, TaskId("1" * 32), 60.0, no_sleep) is None
