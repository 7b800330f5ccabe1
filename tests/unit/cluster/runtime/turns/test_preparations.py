"""What an agent gets ready before a step comes: bounded, lost without harm, there for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.preparing import PrepareContext
from cluster.kernel.registration import LEASE_S
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Finding, Prepare
from cluster.runtime.host import AgentProfile
from cluster.runtime.turns import preparations
from tests.support.hosts import MemoryCluster, until

TASK = TaskId("t")
GetReady = Callable[[Prepare], Awaitable[object]]


class Ahead:
    """An agent that answers with what it has prepared; a test says what that is."""

    def __init__(self, get_ready: GetReady, *, takes: bool = True) -> None:
        self._get_ready = get_ready
        self._takes = takes
        self.told: list[StepId] = []
        self.ended: list[StepId] = []

    async def prepare(self, prepare: Prepare, context: PrepareContext) -> object:
        assert (context.task, context.agent) == (TASK, "worker-0")
        self.told.append(prepare.step)
        try:
            return await self._get_ready(prepare)
        finally:
            self.ended.append(prepare.step)

    async def handle(self, message: object, turn: Turn) -> object:
        return Finding(str(await turn.prepared() if self._takes else None))


@pytest.fixture
async def cluster() -> AsyncIterator[MemoryCluster]:
    async with MemoryCluster(lease_s=LEASE_S) as made:
        yield made


async def noted(prepare: Prepare) -> object:
    return f"ready for {prepare.instruction}"


async def for_ever(_: Prepare) -> object:
    await asyncio.Event().wait()
    return None


async def echo(message: object, turn: Turn) -> object:
    return message


async def start(cluster: MemoryCluster, agent: Ahead, *, concurrency: int = 16) -> None:
    await cluster.add("owner-0", echo)
    profile = AgentProfile(AgentId("worker-0"), concurrency=concurrency)
    await cluster.start(profile, lambda _: agent)


def tell(cluster: MemoryCluster, step: str, recipient: str = "worker-0") -> Envelope:
    sender, prepare = cluster.senders["owner-0"], Prepare(StepId(step), f"do {step}", "why?")
    told = sender.envelope(AgentId(recipient), Kind.TELL, prepare, task=TASK, step=StepId(step))
    sender.exchange.post(told)
    return told


async def do(cluster: MemoryCluster, step: str, recipient: str = "worker-0") -> str:
    sender = cluster.senders["owner-0"]
    work = Assignment(StepId(step), f"do {step}", "why?")
    deadline_at = sender.clock.now() + 5.0
    found = await sender.ask(
        sender.envelope(
            AgentId(recipient),
            Kind.ASK,
            work,
            task=TASK,
            step=StepId(step),
            deadline_at=deadline_at,
        )
    )
    assert isinstance(found, Finding)
    return found.text


async def test_the_turn_of_a_step_finds_what_was_prepared_for_it(cluster: MemoryCluster) -> None:
    await start(cluster, Ahead(noted))
    tell(cluster, "a")
    tell(cluster, "b")

    assert await do(cluster, "a") == "ready for do a"
    assert await do(cluster, "c") == "None"
    assert await do(cluster, "b") == "ready for do b"


async def test_a_turn_waits_for_what_is_still_being_prepared(cluster: MemoryCluster) -> None:
    may_end = asyncio.Event()

    async def slow(prepare: Prepare) -> object:
        await may_end.wait()
        return "late"

    agent = Ahead(slow)
    await start(cluster, agent)
    tell(cluster, "a")
    doing = asyncio.create_task(do(cluster, "a"))
    await until(lambda: bool(agent.told))
    may_end.set()

    assert await doing == "late"


async def test_it_waits_for_no_turn_and_holds_none_up(cluster: MemoryCluster) -> None:
    agent = Ahead(for_ever)
    await start(cluster, agent, concurrency=1)
    tell(cluster, "a")
    await until(lambda: bool(agent.told))

    assert await do(cluster, "b") == "None"


async def test_a_preparation_that_fails_leaves_the_turn_to_itself(cluster: MemoryCluster) -> None:
    async def fail(_: Prepare) -> object:
        raise ZeroDivisionError

    await start(cluster, Ahead(fail))
    tell(cluster, "a")

    assert await do(cluster, "a") == "None"


async def test_a_preparation_that_takes_too_long_is_given_up(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparations, "TIMEOUT_S", 0.01)
    await start(cluster, Ahead(for_ever))
    tell(cluster, "a")

    assert await do(cluster, "a") == "None"


async def test_over_the_bound_the_oldest_is_given_up(cluster: MemoryCluster) -> None:
    agent = Ahead(for_ever)
    await start(cluster, agent)
    steps = [f"s{number}" for number in range(preparations.HELD_MAX + 2)]
    for step in steps[:2]:
        tell(cluster, step)
    await until(lambda: agent.told == steps[:2])

    for step in steps[2:]:
        tell(cluster, step)

    await until(lambda: agent.told == steps)
    assert agent.ended == steps[:2]


async def test_a_turn_that_takes_nothing_ends_what_was_prepared_for_it(
    cluster: MemoryCluster,
) -> None:
    agent = Ahead(for_ever, takes=False)
    await start(cluster, agent)
    tell(cluster, "a")
    await until(lambda: bool(agent.told))

    await do(cluster, "a")
    await until(lambda: agent.ended == ["a"])


async def test_whoever_told_can_take_it_back(cluster: MemoryCluster) -> None:
    agent = Ahead(for_ever)
    await start(cluster, agent)
    told = tell(cluster, "a")
    await until(lambda: bool(agent.told))

    cluster.senders["owner-0"].exchange.request_cancel(told, "not wanted")
    await until(lambda: agent.ended == ["a"])


async def test_a_stopping_host_ends_what_it_prepares() -> None:
    agent = Ahead(for_ever)
    async with MemoryCluster() as cluster:
        await start(cluster, agent)
        tell(cluster, "a")
        await until(lambda: bool(agent.told))

    assert agent.ended == ["a"]


async def test_an_agent_that_prepares_nothing_passes_it_over(cluster: MemoryCluster) -> None:
    await start(cluster, Ahead(noted))
    await cluster.add("plain-0", echo_finding)
    tell(cluster, "a", "plain-0")

    assert await do(cluster, "a", "plain-0") == "done"


async def echo_finding(message: object, turn: Turn) -> object:
    assert await turn.prepared() is None
    return Finding("done")
