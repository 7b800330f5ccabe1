"""The owner of a task tells replicas of steps that they will get, and of those it takes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cluster.kernel.clock import Deadline
from cluster.kernel.events import Submitted
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.preparing import PrepareContext
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding, Prepare, Step
from cluster.runtime.host import AgentProfile
from cluster.runtime.tasks.context import TaskContext, Trace
from cluster.runtime.tasks.getting_ready import GettingReady
from tests.support.hosts import MemoryCluster, until

SUBMITTED = Submitted("why?", "c@1")


class Told:
    """An agent that gets ready until it is stopped."""

    def __init__(self) -> None:
        self.told: list[Prepare] = []
        self.stopped: list[StepId] = []

    async def handle(self, message: object, turn: Turn) -> object:
        return Finding("x")

    async def prepare(self, prepare: Prepare, context: PrepareContext) -> None:
        self.told.append(prepare)
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.append(prepare.step)


@pytest.fixture
async def cluster() -> AsyncIterator[MemoryCluster]:
    async with MemoryCluster() as made:
        await made.start(AgentProfile(AgentId("manager-0")), lambda _: Told())
        yield made


async def add(cluster: MemoryCluster, agent: str) -> Told:
    told = Told()
    await cluster.start(AgentProfile(AgentId(agent)), lambda _: told)
    return told


def ready_of(cluster: MemoryCluster) -> GettingReady:
    sender = cluster.senders["manager-0"]
    deadline = Deadline.after(20.0, sender.clock.now())
    context = TaskContext(
        sender.clock, sender.directory, sender, deadline, Trace(TaskId("t"), "00-trace")
    )
    return GettingReady(context)


def step(name: str, *needs: str) -> Step:
    return Step(StepId(name), "worker", f"do {name}", tuple(map(StepId, needs)))


async def test_a_replica_is_told_once_what_it_will_be_asked_for(cluster: MemoryCluster) -> None:
    worker, ready = await add(cluster, "worker-0"), ready_of(cluster)

    ready.begin(step("b", "a"), SUBMITTED)
    ready.begin(step("b", "a"), SUBMITTED)
    await until(lambda: bool(worker.told))
    ready.begin(step("c"), SUBMITTED)
    await until(lambda: len(worker.told) == 2)

    assert worker.told[0] == Prepare(StepId("b"), "do b", "why?", "c@1", (StepId("a"),))
    assert ready.take(StepId("b")) == "worker-0"
    assert ready.take(StepId("b")) is None
    await ready.close()


async def test_steps_that_get_ready_at_once_are_spread_over_the_replicas(
    cluster: MemoryCluster,
) -> None:
    workers, ready = [await add(cluster, f"worker-{n}") for n in range(2)], ready_of(cluster)

    for name in ("b", "c"):
        ready.begin(step(name), SUBMITTED)
    await until(lambda: all(each.told for each in workers))

    assert {ready.take(StepId("b")), ready.take(StepId("c"))} == {"worker-0", "worker-1"}
    await ready.close()


async def test_the_end_of_a_task_stops_who_gets_ready_for_what_will_not_come(
    cluster: MemoryCluster,
) -> None:
    worker, ready = await add(cluster, "worker-0"), ready_of(cluster)
    for name in ("b", "c"):
        ready.begin(step(name), SUBMITTED)
    await until(lambda: len(worker.told) == 2)
    ready.take(StepId("b"))

    await ready.close()

    await until(lambda: worker.stopped == ["c"])


async def test_where_nobody_can_be_told_nothing_is_lost(cluster: MemoryCluster) -> None:
    ready = ready_of(cluster)

    ready.begin(step("b"), SUBMITTED)
    while ready._telling:  # noqa: SLF001, ASYNC110 - nobody else has a reason to wait for it
        await asyncio.sleep(0)

    assert ready.take(StepId("b")) is None
    await ready.close()


async def test_a_step_that_has_begun_is_told_of_no_more(cluster: MemoryCluster) -> None:
    worker, ready = await add(cluster, "worker-0"), ready_of(cluster)

    assert ready.take(StepId("b")) is None
    ready.begin(step("b"), SUBMITTED)
    ready.begin(step("c"), SUBMITTED)
    await until(lambda: bool(worker.told))

    assert [each.step for each in worker.told] == ["c"]
    await ready.close()
