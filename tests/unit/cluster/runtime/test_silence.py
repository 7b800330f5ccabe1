"""A process that was frozen and replaced keeps its stream open: who waits for it must not."""

from __future__ import annotations

import asyncio

from cluster.kernel.envelope import Kind
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks import Finding
from cluster.kernel.turn import Turn
from cluster.runtime.sender import Observed
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.test_engine import forever


async def test_an_ask_leaves_a_frozen_agent_for_its_next_incarnation() -> None:
    async def freeze(message: object, turn: Turn) -> object:
        return await forever()

    async def echo(message: object, turn: Turn) -> object:
        return message

    async with MemoryCluster(lease_s=0.1) as cluster:
        await cluster.add("asker-0", echo)
        frozen = await cluster.add("echo-0", freeze)
        sender = cluster.senders["asker-0"]
        ask = sender.envelope(AgentId("echo-0"), Kind.ASK, Finding("x"))
        ask.task, ask.deadline_at = TaskId("t"), sender.clock.now() + 5.0
        asking = asyncio.ensure_future(sender.ask(ask, Observed()))

        await until(lambda: frozen.turns.load == 1)
        await cluster.add("echo-0", echo)

        async with asyncio.timeout(5):
            assert await asking == Finding("x")
