"""The simulated network and store: what they do to those who use them, one fault at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from cluster.kernel.envelope import Batch, Envelope, Frame, Goodbye, Kind
from cluster.kernel.errors import ClusterError, PeerUnavailable, StoreUnavailable
from cluster.kernel.ids import AgentId, EnvelopeId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.transport.port import Connection
from tests.simulation.faults import Faults
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.network import SimNetwork, SimTransport
from tests.simulation.store import SimStore, StoreServer


class Ear:
    """Keeps what a connection brings."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ends: list[ClusterError | None] = []
        self.connection: Connection | None = None

    def accept(self, connection: Connection) -> None:
        self.connection = connection
        connection.start(self)

    def on_frame(self, frame: Frame) -> None:
        match frame:
            case Goodbye(reason):
                self.heard.append(reason)
            case Batch(envelopes):
                self.heard += [envelope.task for envelope in envelopes]

    def on_writable(self) -> None:
        self.heard.append("writable")

    def on_end(self, error: ClusterError | None) -> None:
        self.ends.append(error)


def note(who: str, what: str) -> None:
    """Tell nobody."""


class Two:
    """Two processes, a network, a store, and only the faults that a test names."""

    def __init__(self, **rates: float) -> None:
        self.loop = VirtualLoop()
        self.faults = Faults(random.Random(1), horizon_s=1.0, lease_s=1.0)
        self.faults.rates = {name.replace("_", " "): rate for name, rate in rates.items()}
        self.network = SimNetwork(self.loop, random.Random(2), self.faults, note)
        self.server = StoreServer(self.loop, random.Random(3), self.faults, note)
        self.one, self.other = Process("one"), Process("other")
        self.ear, self.far = Ear(), Ear()
        self.address = ""

    async def connect(self) -> Connection:
        self.address = await SimTransport(self.network, self.other).listen(self.far.accept)
        connection = await SimTransport(self.network, self.one).dial(self.address, 1.0)
        connection.start(self.ear)
        return connection

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        running = self.loop.create_task(main, context=self.one.context)
        self.loop.run_until_complete(running)
        self.loop.close()


def frame(text: str) -> Batch:
    envelope = Envelope(
        EnvelopeId(b"0123456789abcdef"), AgentId("one-0"), AgentId("other-0"), Kind.TELL, "", b""
    )
    envelope.task, envelope.seq = TaskId(text), 1
    return Batch((envelope,))


def test_frames_arrive_in_order_and_then_the_end() -> None:
    two = Two()

    async def main() -> None:
        connection = await two.connect()
        for text in "abc":
            connection.write(frame(text))
        connection.close()
        await asyncio.sleep(1.0)

    two.run(main())

    assert two.far.heard == ["a", "b", "c"]
    assert two.far.ends == [None] == two.ear.ends


def test_nobody_answers_where_nobody_listens() -> None:
    two = Two()

    async def main() -> None:
        with pytest.raises(PeerUnavailable):
            await SimTransport(two.network, two.one).dial("sim:99", 1.0)

    two.run(main())


def test_a_break_is_heard_at_both_ends_once() -> None:
    two = Two(**{"break": 1.0})

    async def main() -> None:
        connection = await two.connect()
        connection.write(frame("a"))
        connection.write(frame("b"))
        await asyncio.sleep(5.0)

    two.run(main())

    assert two.far.heard == []
    assert [type(end) for end in two.far.ends + two.ear.ends] == [PeerUnavailable] * 2


def test_a_frame_comes_twice() -> None:
    two = Two(duplicate=1.0)

    async def main() -> None:
        connection = await two.connect()
        connection.write(frame("hello"))
        connection.write(frame("a"))
        await asyncio.sleep(1.0)

    two.run(main())

    assert two.far.heard == ["hello", "a", "a"]


def test_a_frame_is_overtaken() -> None:
    two = Two(reorder=1.0)

    async def main() -> None:
        connection = await two.connect()
        for text in ("hello", "a", "b"):
            connection.write(frame(text))
        await asyncio.sleep(1.0)

    two.run(main())

    assert two.far.heard == ["hello", "b", "a"]


def test_what_a_short_partition_holds_up_arrives_late() -> None:
    two = Two()

    async def main() -> None:
        connection = await two.connect()
        two.network.cut("one", "other")
        connection.write(frame("a"))
        await asyncio.sleep(0.3)
        assert two.far.heard == []
        two.network.heal("one", "other")
        await asyncio.sleep(0.3)

    two.run(main())

    assert two.far.heard == ["a"]


def test_a_long_partition_ends_the_stream_at_both_ends() -> None:
    two = Two()

    async def main() -> None:
        connection = await two.connect()
        two.network.cut("one", "other")
        connection.write(frame("a"))
        await asyncio.sleep(10.0)
        two.network.heal("one", "other")
        await asyncio.sleep(10.0)

    two.run(main())

    assert two.far.heard == []
    assert [type(end) for end in two.far.ends + two.ear.ends] == [PeerUnavailable] * 2


def test_a_slow_consumer_makes_the_stream_congested_for_a_while() -> None:
    two = Two(slow_consumer=1.0)

    async def main() -> None:
        connection = await two.connect()
        written = 0
        while connection.is_writable:
            connection.write(frame("a"))
            written += 1
        assert written < 10
        await asyncio.sleep(1.0)
        assert connection.is_writable

    two.run(main())

    assert "writable" in two.ear.heard


def test_a_crash_at_a_frame_sends_nothing_after_it() -> None:
    two = Two()
    two.faults.on_crash = two.loop.kill
    two.faults.crash_at(two.other, "after a frame")

    async def main() -> None:
        await two.connect()
        await asyncio.sleep(0.1)
        far = two.far.connection
        assert far is not None
        far.write(frame("a"))
        far.write(frame("b"))
        await asyncio.sleep(1.0)

    two.run(main())

    assert not two.other.is_alive
    assert two.ear.heard == ["a"]


async def appended(store: Any) -> None:
    """Claim a task and append an entry to it."""
    claim = await store.claim(TaskId("t"), Owner(AgentId("manager-0"), 1))
    await store.append(TaskId("t"), claim.term, 1, [b"entry"])


def test_a_lost_reply_leaves_the_outcome_unknown_and_the_effect_done() -> None:
    two = Two()
    store: Any = SimStore(two.server, two.one)

    async def main() -> None:
        claim = await store.claim(TaskId("t"), Owner(AgentId("manager-0"), 1))
        two.faults.rates["store reply lost"] = 1.0
        with pytest.raises(StoreUnavailable):
            await store.append(TaskId("t"), claim.term, 1, [b"entry"])
        two.faults.stop()
        assert await store.read(TaskId("t")) == (b"entry",)

    two.run(main())


def test_a_store_that_is_down_changes_nothing() -> None:
    two = Two()
    store: Any = SimStore(two.server, two.one)

    async def main() -> None:
        two.server.is_up = False
        with pytest.raises(StoreUnavailable):
            await appended(store)
        two.server.is_up = True
        assert await store.read(TaskId("t")) == ()
        await appended(store)
        assert await store.read(TaskId("t")) == (b"entry",)

    two.run(main())


def test_a_caller_may_die_between_the_effect_and_its_answer() -> None:
    two = Two()
    store: Any = SimStore(two.server, two.other)
    two.faults.on_crash = two.loop.kill
    two.faults.crash_at(two.other, "after append, before its answer")
    reached: list[str] = []

    async def works() -> None:
        await appended(store)
        reached.append("the answer")

    async def main() -> None:
        two.loop.create_task(works(), context=two.other.context)
        await asyncio.sleep(5.0)
        mine: Any = SimStore(two.server, two.one)
        assert await mine.read(TaskId("t")) == (b"entry",)

    two.run(main())

    assert reached == []
