"""What a driver is told of its task, whatever becomes of it: each ends once, and says how."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.errors import DeadlinePassed, PlacementError
from cluster.kernel.events import Answered, Failed, FellBack, WasCancelled
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer, ComposeRequest, PlanProposal
from cluster.memory.journal.local import LocalJournal
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.host import Host
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, forever, step
from tests.unit.cluster.runtime.tasks.test_recovery import (
    Research,
    assert_ended_once,
    events_until_end,
    journal_of,
)


async def in_a_step(cluster: MemoryCluster, timeout_s: float) -> tuple[Host, SubmittedTask]:
    """Return a Manager and its task, at a step that does not end."""
    research = Research("a")
    manager = await cluster.add_manager(PlanningManager(step("a")))
    await cluster.add("researcher-0", research)
    task = await cluster.submit("why?", timeout_s)
    await until(lambda: research.begun["a"] == 1)
    return manager, task


async def test_a_manager_that_has_enough_to_do_says_when_to_come_back() -> None:
    async def plan(message: object, turn: Turn) -> object:
        return await forever()

    async with MemoryCluster() as cluster:
        await cluster.add_manager(plan, tasks_max=2)
        running = [await cluster.submit("why?", 20.0) for _ in range(2)]
        await until(lambda: cluster.engines["manager-0"].tasks_running == 2)

        [refused] = await events_until_end(await cluster.submit("why?", 20.0))

        failure = refused.detail
        assert failure.kind == "failed"
        assert getattr(failure, "failure").kind == "overloaded"  # noqa: B009
        assert getattr(failure, "failure").retry_after_s > 0  # noqa: B009
        for task in running:
            await task.close()


async def test_one_manager_too_busy_leaves_the_task_to_another() -> None:
    async def plan(message: object, turn: Turn) -> object:
        if isinstance(message, ComposeRequest):
            return Answer("done")
        return PlanProposal(PlanningManager().plan)

    async with MemoryCluster() as cluster:
        await cluster.add_manager(plan, "manager-0", tasks_max=0)
        await cluster.add_manager(plan, "manager-1")

        events = await events_until_end(await cluster.submit("why?", 20.0))

        assert isinstance(events[-1].detail, Answered)


async def test_a_submission_waits_for_a_manager_that_is_being_restarted() -> None:
    async with MemoryCluster() as cluster:
        submitting = asyncio.ensure_future(cluster.submit("why?", 20.0))
        await asyncio.sleep(0)
        await cluster.add_manager(PlanningManager())

        events = await events_until_end(await submitting)

        assert isinstance(events[-1].detail, Answered)


async def test_a_task_that_its_deadline_ends_ends_alike_for_driver_and_journal() -> None:
    async def hang_at_the_answer(message: object, turn: Turn) -> object:
        if isinstance(message, ComposeRequest):
            return await forever()
        return PlanProposal(PlanningManager().plan)

    async with MemoryCluster() as cluster:
        await cluster.add_manager(hang_at_the_answer)
        task = await cluster.submit("why?", 0.3)

        events = await events_until_end(task)

        assert_ended_once(events, await journal_of(cluster, task.id))
        assert isinstance(events[-1].detail, Failed)
        assert events[-1].detail.failure.kind == "deadline"


async def test_who_waits_for_a_manager_is_told_so_once_and_fails_at_the_deadline() -> None:
    async with MemoryCluster() as cluster:
        manager, task = await in_a_step(cluster, 0.4)

        await manager.abort()
        events = await events_until_end(task)

        told = [e.detail.reason for e in events if isinstance(e.detail, FellBack)]
        assert len(told) == 1
        assert told[0].startswith("manager-0 can't be reached")
        assert isinstance(events[-1].detail, Failed)
        assert events[-1].detail.failure.kind == DeadlinePassed.kind


async def test_a_task_ends_with_the_cluster_that_is_stopped_and_its_driver_is_told() -> None:
    async with MemoryCluster() as cluster:
        manager, task = await in_a_step(cluster, 20.0)

        await manager.end_tasks("the cluster was stopped")
        await manager.stop()
        events = await events_until_end(task)

        assert events[-1].detail == WasCancelled("the cluster was stopped")
        assert_ended_once(events, await journal_of(cluster, task.id))


STOPPED = "the cluster was stopped"


@pytest.mark.parametrize("is_managed", [True, False])
async def test_a_task_ends_when_nothing_can_come_of_it_any_more(
    is_managed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async with MemoryCluster() as cluster:
        is_over = asyncio.Event()
        manager = await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", research := Research("a"))
        task = await cluster.submit(
            "why?", 600.0, why_over=lambda _: STOPPED if is_over.is_set() else None
        )
        await until(lambda: research.begun["a"] == 1)

        is_over.set()
        if not is_managed:
            await manager.abort()
        events = await events_until_end(task)

        assert events[-1].detail == WasCancelled(STOPPED)


async def test_a_manager_that_is_linked_has_the_last_word() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager())
        task = await cluster.submit(
            "why?", 20.0, why_over=lambda is_linked: None if is_linked else STOPPED
        )

        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Answered)


async def test_nothing_is_submitted_to_a_cluster_that_was_stopped() -> None:
    async with MemoryCluster() as cluster:
        with pytest.raises(PlacementError, match=STOPPED):
            await cluster.submit("why?", 20.0, why_over=lambda _: STOPPED)


async def test_a_run_that_breaks_in_the_manager_is_told_to_its_driver() -> None:
    class Broken(LocalJournal):
        async def accept(self, *_: object) -> bool:
            raise ValueError("a bug of ours")

    async with MemoryCluster() as cluster:
        cluster.journal = Broken(cluster.clock)
        await cluster.add_manager(PlanningManager(step("a")))

        [end] = await events_until_end(await cluster.submit("why?", 5.0))

        assert isinstance(end.detail, Failed)
        assert end.detail.failure.kind == "agent_failed"
        assert cluster.engines["manager-0"].tasks_running == 0
