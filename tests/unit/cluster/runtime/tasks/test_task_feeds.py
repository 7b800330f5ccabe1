"""A task that has ended has its end in its feed and its record, whoever died meanwhile."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from cluster.kernel.clock import Clock
from cluster.kernel.events import Event, Submitted, WasCancelled, shown
from cluster.kernel.feed import BEFORE_ALL, Cursor, TaskRecord, TaskSummary
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.feed.port import FeedPage
from cluster.memory.journal.local import LocalJournal
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.tasks import task_feeds
from cluster.runtime.tasks.feed_writer import FeedWriter
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, find, step
from tests.unit.cluster.runtime.tasks.test_engine import events_of as all_events

CODEC = MessageCodec()
TASK = TaskId("0" * 32)
SUBMITTED = Event(0.0, TASK, AgentId("manager-9"), NO_STEP, Submitted("why?", "", 100.0, 160.0), 1)
ENDED = Event(2.0, TASK, AgentId("manager-9"), NO_STEP, WasCancelled("enough"), 2)


async def feed_of(cluster: MemoryCluster, task: TaskId) -> FeedPage:
    return await cluster.feed.read(task, BEFORE_ALL, 1000)


class NotedJournal(LocalJournal):
    """Remembers of which tasks it was told that their ends are written."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.told: set[TaskId] = set()

    async def recorded(self, tasks: Collection[TaskId]) -> None:
        await super().recorded(tasks)
        self.told |= set(tasks)


@asynccontextmanager
async def noted() -> AsyncIterator[tuple[MemoryCluster, NotedJournal]]:
    """Give a cluster whose Managers look often at what others have left."""
    async with MemoryCluster(lease_s=0.3) as cluster:
        journal = NotedJournal(cluster.clock)
        cluster.journal = journal
        yield cluster, journal


async def test_every_task_has_its_facts_in_its_feed_and_its_outcome_in_its_record() -> None:
    async with noted() as (cluster, noting):
        await cluster.add_manager(PlanningManager(step("a"), step("b", "a")))
        await cluster.add("researcher-0", find)
        task = (await all_events(cluster))[0].task
        await until(lambda: task in noting.told)
        journal = events_of(await cluster.journal.read(task), CODEC)
        page = await feed_of(cluster, task)

    fed = events_of([each.event for each in page.entries], CODEC)
    assert [e for e in fed if e.index] == [shown(e) for e in journal]
    assert {e.kind for e in fed if not e.index} >= {"thought"}


async def test_the_end_that_a_dead_manager_left_unwritten_is_written_by_another() -> None:
    async with noted() as (cluster, noting):
        entries = [CODEC.encode(each)[1] for each in (SUBMITTED, ENDED)]
        await cluster.feed.append(TASK, Cursor(1, 1), entries[:1], index=1)
        await left_behind(cluster, TASK, SUBMITTED, ENDED)

        await cluster.add_manager(PlanningManager(step("a")))
        await until(lambda: TASK in noting.told)
        page = await feed_of(cluster, TASK)
        record = await cluster.records.record(TASK)

    assert [str(each.cursor) for each in page.entries] == ["1.1", "2.1"]
    assert events_of([each.event for each in page.entries], CODEC) == [SUBMITTED, ENDED]
    assert record is not None
    assert record.summary == TaskSummary(
        TASK, "why?", "cancelled", submitted_wall_s=100.0, ended_wall_s=102.0
    )


class BrokenRecords(LocalTaskRecords):
    """Fails at the end of a task as nothing should."""

    async def ended(self, record: TaskRecord, *, tokens: int) -> None:
        if record.summary.task == TASK:
            raise ZeroDivisionError
        await super().ended(record, tokens=tokens)


async def left_behind(cluster: MemoryCluster, task: TaskId, *events: Event) -> None:
    """Have a journal of a Manager that is gone, to its end or not."""
    entries = [CODEC.encode(replace(each, task=task))[1] for each in events]
    claim = await cluster.journal.claim(task, Owner(AgentId("manager-9"), 1))
    assert claim is not None
    is_final = events[-1].is_terminal
    await cluster.journal.append(task, claim.term, 1, entries, is_final=is_final)


async def test_a_record_that_can_not_be_written_keeps_no_other_task_from_being_adopted() -> None:
    other = TaskId("1" * 32)
    async with noted() as (cluster, noting):
        cluster.records = BrokenRecords(cluster.clock)
        await left_behind(cluster, TASK, SUBMITTED, ENDED)
        await cluster.add_manager(PlanningManager(step("a")))
        await until(lambda: TASK in noting.told)
        await left_behind(cluster, other, SUBMITTED)  # its deadline has passed long ago
        await until(lambda: other in noting.told)
        record = await cluster.records.record(other)

    assert record is not None
    assert record.summary.status == "failed"


async def test_nothing_is_held_of_a_task_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Noted(FeedWriter):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    monkeypatch.setattr(task_feeds, "FeedWriter", Noted)
    async with noted() as (cluster, noting):
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", find)
        task = (await all_events(cluster))[0].task
        await until(lambda: task in noting.told)
        [writer] = made
        await until(lambda: gc.collect() >= 0 and writer() is None)


async def test_a_manager_that_stops_tells_the_journal_what_is_written() -> None:
    async with MemoryCluster(lease_s=60.0) as cluster:
        manager = await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", find)
        task = (await all_events(cluster))[0].task
        await manager.stop()
        assert await cluster.journal.unrecorded() == frozenset()
        assert (await cluster.feed.tail(task)).is_final
