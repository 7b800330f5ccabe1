"""A task may be followed, or begun and left; whoever wants its end is told what it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cluster.kernel.delivery.reach import FORGET_AFTER_S
from cluster.kernel.errors import UsageError
from cluster.kernel.events import Answered, WasCancelled
from cluster.kernel.feed import TaskSummary
from cluster.kernel.ids import TaskId
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.tasks import task_run
from tests.support.hosts import MemoryCluster, until
from tests.support.puppet import settle
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, step
from tests.unit.cluster.runtime.tasks.test_recovery import Research, journal_of
from tests.unit.cluster.runtime.tasks.test_task_feeds import NotedJournal, noted

TASK = TaskId("0" * 31 + "1")


async def start(cluster: MemoryCluster, task: TaskId = TASK) -> None:
    driver = await cluster.driver()
    await driver.start("why?", collection="", timeout_s=20.0, task=task)


async def end_of(cluster: MemoryCluster, noting: NotedJournal) -> object:
    """Wait until the end of the task is in its record as well."""
    await until(lambda: TASK in noting.told)
    return (await journal_of(cluster, TASK))[-1].detail


async def test_a_task_that_belongs_to_the_cluster_outlives_its_driver() -> None:
    research = Research("a")
    async with noted() as (cluster, noting):
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", research)
        await start(cluster)
        assert [e.kind for e in await journal_of(cluster, TASK)][:1] == ["submitted"]
        await until(lambda: research.begun["a"] == 1)
        await cluster.abort_drivers()
        research.go_on.set()

        assert isinstance(await end_of(cluster, noting), Answered)


class SlowRecords(LocalTaskRecords):
    """Takes a while to list a task."""

    async def began(self, summary: TaskSummary) -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)
        await super().began(summary)


async def test_whoever_has_handed_a_task_in_finds_it_in_the_list() -> None:
    async with MemoryCluster() as cluster:
        cluster.records = SlowRecords(cluster.clock)
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", Research("a"))
        await start(cluster)
        record = await cluster.records.record(TASK)

    assert record is not None
    assert record.summary.is_detached


async def test_a_task_is_begun_once_however_often_it_is_handed_in() -> None:
    research = Research("a")
    async with noted() as (cluster, noting):
        for manager in ("manager-0", "manager-1"):
            await cluster.add_manager(PlanningManager(step("a")), manager)
        await cluster.add("researcher-0", research)
        await asyncio.gather(*[start(cluster) for _ in range(4)])
        await until(lambda: research.begun["a"] == 1)
        research.go_on.set()
        await end_of(cluster, noting)
        await start(cluster)  # one that has ended is answered alike

        assert [e.kind for e in await journal_of(cluster, TASK)].count("submitted") == 1
    assert research.done == {"a": 1}


@pytest.mark.parametrize("runs_here", [True, False])
async def test_another_driver_ends_a_task_and_is_told_so(*, runs_here: bool) -> None:
    research = Research("a")
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await cluster.add("researcher-0", research)
        await start(cluster)
        await until(lambda: research.begun["a"] == 1)
        if not runs_here:
            await first.abort()
            await cluster.add_manager(PlanningManager(step("a")), "manager-1")

        ended = await (await cluster.driver()).cancel(TASK, "enough")
        again = await (await cluster.driver()).cancel(TASK, "still enough")

        assert ended.detail == WasCancelled("enough")
        assert again == ended
        assert [e.is_terminal for e in await journal_of(cluster, TASK)].count(True) == 1


async def test_the_end_of_a_task_that_nobody_knows_is_a_usage_error() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        driver = await cluster.driver()
        with pytest.raises(UsageError, match="no such task"):
            await driver.cancel(TASK)


async def test_a_task_that_somebody_follows_can_be_ended_by_another_driver() -> None:
    research = Research("a")
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        async with asyncio.timeout(5.0):
            ended = await (await cluster.driver()).cancel(task.id, "enough")
        events = [event async for event in task]

    assert ended.detail == WasCancelled("enough")
    assert events[-1].detail == ended.detail


async def adopted(cluster: MemoryCluster, research: Research) -> None:
    """Have the task's Manager die, and the next one take the task over."""
    await until(lambda: research.begun["a"] == 1)
    await cluster.hosts[0].abort()
    await cluster.add_manager(PlanningManager(step("a")), "manager-0")
    await until(lambda: cluster.engines["manager-0"].statistics.adopted == 1)


async def test_a_task_whose_driver_died_with_its_manager_is_ended_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_run, "FORGET_AFTER_S", 0.2)
    research = Research("a")
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        await cluster.abort_drivers()
        await adopted(cluster, research)
        await until(lambda: not cluster.engines["manager-0"].tasks_running)

        ended = (await journal_of(cluster, task.id))[-1].detail
    assert ended == WasCancelled("whoever asked can't be reached any longer")


def noted_waits(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Return what is called at the end of each wait for a driver; it never comes by itself."""
    noted: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def note(delay: float, callback: Callable[..., None], *arguments: Any) -> object:
        if delay == FORGET_AFTER_S:
            noted.append(callback)
        return call_later(delay, callback, *arguments)

    monkeypatch.setattr(loop, "call_later", note)
    return noted


@pytest.mark.parametrize("is_detached", [True, False])
async def test_an_adopted_task_goes_on_that_is_the_clusters_or_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, *, is_detached: bool
) -> None:
    waits = noted_waits(monkeypatch)
    research = Research("a")
    async with noted() as (cluster, noting):
        await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await cluster.add("researcher-0", research)
        if is_detached:
            await start(cluster)
            await cluster.abort_drivers()
        else:
            await (await cluster.driver()).submit("why?", collection="", timeout_s=20.0, task=TASK)
        await adopted(cluster, research)
        if not is_detached:
            await until(lambda: cluster.hosts[-1].turns.load > 0)
            await settle()
        for end in waits:
            end()
        research.go_on.set()

        assert len(waits) == (not is_detached)
        assert isinstance(await end_of(cluster, noting), Answered)
