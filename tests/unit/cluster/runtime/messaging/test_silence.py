"""A process that was frozen and replaced: nobody waits for it, and it begins nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.kernel.envelope import Kind
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding
from cluster.runtime.messaging.sender import Sender
from cluster.transport.in_memory import MemoryConnection, MemoryNetwork, MemoryTransport
from cluster.transport.port import Connection, Transport
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import forever


def asks(sender: Sender) -> asyncio.Task[object]:
    ask = sender.envelope(AgentId("echo-0"), Kind.ASK, Finding("x"))
    ask.task, ask.deadline_at = TaskId("t"), sender.clock.now() + 5.0
    return asyncio.ensure_future(sender.ask(ask))


async def test_an_ask_leaves_a_frozen_agent_for_its_next_incarnation() -> None:
    async def freeze(message: object, turn: Turn) -> object:
        return await forever()

    async def echo(message: object, turn: Turn) -> object:
        return message

    async with MemoryCluster(lease_s=0.1) as cluster:
        await cluster.add("asker-0", echo)
        frozen = await cluster.add("echo-0", freeze)
        sender = cluster.senders["asker-0"]
        asking = asks(sender)
        await until(lambda: frozen.turns.load == 1)
        await cluster.add("echo-0", echo)

        async with asyncio.timeout(5):
            assert await asking == Finding("x")


async def test_an_agent_whose_lease_has_run_out_starts_nothing_until_it_has_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[object] = []
    is_gone = False

    async def note(message: object, turn: Turn) -> object:
        begun.append(is_gone)
        return message

    async with MemoryCluster(lease_s=0.06) as cluster:
        renew = cluster.store.put_lease

        async def put_lease(*arguments: Any) -> bool:
            if is_gone:
                raise StoreUnavailable("the store is gone")
            return await renew(*arguments)

        monkeypatch.setattr(cluster.store, "put_lease", put_lease)
        await cluster.add("asker-0", note)
        host = await cluster.add("echo-0", note)
        sender = cluster.senders["asker-0"]
        await asks(sender)
        is_gone = True
        await until(lambda: not host.is_leased())
        asking = asks(sender)
        await until(lambda: host.turns.load == 1)

        is_gone = False

        assert await asking == Finding("x")
        assert begun == [False, False]


class DeafableNetwork(MemoryTransport):
    """Connections that we dial can be made to swallow what we write, as a damaged stream does."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__(network)
        self.dialled: list[MemoryConnection] = []

    async def dial(self, address: str, timeout_s: float) -> Connection:
        connection = await super().dial(address, timeout_s)
        assert isinstance(connection, MemoryConnection)
        self.dialled.append(connection)
        return connection


async def test_a_stream_that_swallows_what_is_sent_is_left_for_another() -> None:
    async def echo(message: object, turn: Turn) -> object:
        return message

    class DeafableCluster(MemoryCluster):
        def transport(self) -> Transport:
            self.last = DeafableNetwork(self.network)
            return self.last

    async with DeafableCluster(lease_s=0.3) as cluster:
        await cluster.add("asker-0", echo)
        network = cluster.last
        await cluster.add("echo-0", echo)
        await asks(cluster.senders["asker-0"])
        stream = network.dialled[-1]
        stream.peer = MemoryConnection(cluster.clock.now)

        async with asyncio.timeout(5):
            assert await asks(cluster.senders["asker-0"]) == Finding("x")
