"""A task that has ended has its end in its feed and its record, whoever died meanwhile."""

from __future__ import annotations

import asyncio

from cluster.kernel.events import Event, Submitted, WasCancelled, shown
from cluster.kernel.feed import BEFORE_ALL, Cursor, TaskSummary
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.feed.port import FeedPage
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, find, step
from tests.unit.cluster.runtime.tasks.test_engine import events_of as all_events

CODEC = MessageCodec()
TASK = TaskId("0" * 32)
SUBMITTED = Event(0.0, TASK, AgentId("manager-9"), NO_STEP, Submitted("why?", "", 100.0, 160.0), 1)
ENDED = Event(2.0, TASK, AgentId("manager-9"), NO_STEP, WasCancelled("enough"), 2)


async def feed_of(cluster: MemoryCluster, task: TaskId) -> FeedPage:
    return await cluster.feed.read(task, BEFORE_ALL, 1000)


async def ended(cluster: MemoryCluster, task: TaskId) -> None:
    """Wait until a task has its record, and the journal was told of it."""
    for _ in range(1000):
        record = await cluster.records.record(task)
        if record is not None and record.report_json and not await cluster.journal.unrecorded():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("its end was not written")


async def test_every_task_has_its_facts_in_its_feed_and_its_outcome_in_its_record() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a"), step("b", "a")))
        await cluster.add("researcher-0", find)
        task = (await all_events(cluster))[0].task
        await ended(cluster, task)
        journal = events_of(await cluster.journal.read(task), CODEC)
        page = await feed_of(cluster, task)

    fed = events_of([each.event for each in page.entries], CODEC)
    assert [e for e in fed if e.index] == [shown(e) for e in journal]
    assert {e.kind for e in fed if not e.index} >= {"thought"}


async def test_the_end_that_a_dead_manager_left_unwritten_is_written_by_another() -> None:
    async with MemoryCluster(lease_s=0.3) as cluster:
        # As if nothing but the journal had been written.
        entries = [CODEC.encode(each)[1] for each in (SUBMITTED, ENDED)]
        claim = await cluster.journal.claim(TASK, Owner(AgentId("manager-9"), 1))
        assert claim is not None
        await cluster.feed.append(TASK, Cursor(1, 1), entries[:1], index=1)
        await cluster.journal.append(TASK, claim.term, 1, entries, is_final=True)

        await cluster.add_manager(PlanningManager(step("a")))
        await ended(cluster, TASK)
        page = await feed_of(cluster, TASK)
        record = await cluster.records.record(TASK)

    assert [str(each.cursor) for each in page.entries] == ["1.1", "2.1"]
    assert events_of([each.event for each in page.entries], CODEC) == [SUBMITTED, ENDED]
    assert record is not None
    assert record.summary == TaskSummary(
        TASK, "why?", "cancelled", submitted_wall_s=100.0, ended_wall_s=102.0
    )


async def test_a_manager_that_stops_tells_the_journal_what_is_written() -> None:
    async with MemoryCluster(lease_s=60.0) as cluster:
        manager = await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", find)
        task = (await all_events(cluster))[0].task
        await manager.stop()
        assert await cluster.journal.unrecorded() == frozenset()
        assert (await cluster.feed.tail(task)).is_final
