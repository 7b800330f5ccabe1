"""Asks and what ends them: answers, cancellation, being forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from cluster.kernel.delivery import pace
from cluster.kernel.delivery.peer import DISPENSABLE_MAX
from cluster.kernel.envelope import Batch, Envelope, Goodbye, Kind
from cluster.kernel.errors import Cancelled, TooLarge
from cluster.kernel.events import FellBack, Thought
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding
from cluster.wire.codec import BODY_BYTES_MAX
from tests.support.hosts import MemoryCluster, until
from tests.support.observers import Abandoned, Collected
from tests.support.puppet import Puppet


async def echo(message: object, turn: Turn) -> object:
    return message


@dataclass
class Gate:
    """A handler that waits to be let go, and remembers who came and who was cancelled."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def __call__(self, message: object, turn: Turn) -> object:
        self.started.append(turn.task)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.append(turn.task)
            raise
        self.ended.append(turn.task)
        return message


def make_ask(
    cluster: MemoryCluster, recipient: str, task: str = "t", *, timeout_s: float = 5.0
) -> Envelope:
    sender = cluster.senders["asker-0"]
    envelope = sender.envelope(AgentId(recipient), Kind.ASK, Finding(task))
    envelope.task, envelope.step = TaskId(task), StepId("s")
    envelope.deadline_at = sender.clock.now() + timeout_s
    return envelope


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_an_asker_that_is_cancelled_has_the_turn_cancelled() -> None:
    gate = Gate()
    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        await cluster.add("gate-0", gate)
        asking = asyncio.ensure_future(asker.exchange.ask(make_ask(cluster, "gate-0")))
        await until(lambda: bool(gate.started))

        asking.cancel()
        await until(lambda: bool(gate.cancelled))


async def test_an_asker_that_was_replaced_leaves_the_turn_to_the_one_that_asks_again() -> None:
    gate = Gate()
    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        await cluster.add("gate-0", gate)
        asking = asyncio.ensure_future(asker.exchange.ask(make_ask(cluster, "gate-0"), Abandoned()))
        await until(lambda: bool(gate.started))

        asking.cancel()
        await settle()
        gate.opened.set()
        await until(lambda: bool(gate.ended))

    assert not gate.cancelled
    assert asking.cancelled()


async def test_who_waits_for_a_forgotten_ask_is_told_and_the_turn_goes_on() -> None:
    gate = Gate()
    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        await cluster.add("gate-0", gate)
        envelope = make_ask(cluster, "gate-0")
        asking = asyncio.ensure_future(asker.exchange.ask(envelope))
        await until(lambda: bool(gate.started))

        asker.exchange.asks.forget(envelope.id)
        with pytest.raises(Cancelled):
            await asking
        gate.opened.set()
        await until(lambda: bool(gate.ended))

    assert not gate.cancelled


async def test_an_ask_that_is_forgotten_before_it_was_sent_never_starts() -> None:
    gate = Gate()
    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        forgotten = make_ask(cluster, "gate-0", "forgotten")
        wanted = make_ask(cluster, "gate-0", "wanted")
        asks = [asyncio.ensure_future(asker.exchange.ask(e)) for e in (forgotten, wanted)]
        await asyncio.sleep(0)

        asker.exchange.asks.forget(forgotten.id)
        await cluster.add("gate-0", gate)
        await until(lambda: bool(gate.started))
        gate.opened.set()
        await asyncio.gather(*asks, return_exceptions=True)

    assert gate.started == ["wanted"]


async def test_what_is_refused_here_is_counted_by_its_kind() -> None:
    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        envelope = make_ask(cluster, "echo-0")
        envelope.body = bytes(BODY_BYTES_MAX + 1)

        with pytest.raises(TooLarge):
            await asker.exchange.ask(envelope)

    assert asker.exchange.statistics.refused == {"too_large": 1}


async def test_an_asker_that_is_too_slow_misses_thoughts_and_nothing_else() -> None:
    seen: list[object] = []

    async def talk(message: object, turn: Turn) -> object:
        for number in range(DISPENSABLE_MAX + 100):
            turn.emit(Thought(str(number)))
        turn.emit(FellBack("research", "no time"))
        return message

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        talker = await cluster.add("talker-0", talk)
        observed = Collected(seen)

        answer = await cluster.senders["asker-0"].ask(make_ask(cluster, "talker-0"), observed)

    thoughts = [news.text for news in seen if isinstance(news, Thought)]
    assert thoughts == [str(number) for number in range(DISPENSABLE_MAX)]
    assert seen[-1] == FellBack("research", "no time")
    assert answer == Finding("t")
    statistics = talker.exchange.statistics
    assert (statistics.left_out, statistics.refused) == (100, {})


async def test_cancels_have_ids_in_order_of_time_and_the_trace_of_what_they_cancel() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        ask = puppet.make_ask(1)
        ask.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for _ in range(3):
            puppet.exchange.request_cancel(ask, "enough")
        await settle()

    ids = [envelope.id for envelope in connection.envelopes]
    versions = {each[6] >> 4 for each in ids}
    assert (ids, versions) == (sorted(set(ids)), {7})
    assert {envelope.traceparent for envelope in connection.envelopes} == {ask.traceparent}


class Onlooker:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.met: list[tuple[str, int, int]] = []
        self.gone: list[tuple[str, str]] = []
        self.applied: list[tuple[Kind, bool]] = []

    def on_met(self, agent: AgentId, epoch: int, known_epoch: int) -> None:
        self.met.append((agent, epoch, known_epoch))

    def on_unreachable(self, agent: AgentId, reason: str) -> None:
        self.gone.append((agent, reason))

    def on_applied(self, envelope: Envelope, known_epoch: int, *, is_awaited: bool) -> None:
        self.applied.append((envelope.kind, is_awaited))


async def test_whoever_looks_on_is_told_what_is_met_and_what_has_an_effect() -> None:
    onlooker = Onlooker()
    async with Puppet(observer=onlooker) as puppet:
        connection = puppet.connect()
        connection.say(Batch((puppet.envelope(1), puppet.envelope(1, Kind.REPLY))))
        connection.say(Batch((puppet.envelope(1),)))
        puppet.epoch = 2
        puppet.connect().say(Goodbye("the host is stopping"))

    assert onlooker.gone == [("puppet-0", "the host is stopping")]
    assert onlooker.met == [("puppet-0", 1, 0), ("puppet-0", 2, 1)]
    assert onlooker.applied == [(Kind.TELL, True), (Kind.REPLY, False)]


async def test_progress_right_after_a_frame_waits_for_company_whatever_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "PROGRESS_GAP_S", 60.0)
    seen: list[object] = []
    may_answer = asyncio.Event()
    said = FellBack("research", "no time")

    async def talk(message: object, turn: Turn) -> object:
        turn.emit(said)
        await may_answer.wait()
        return message

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("talker-0", talk)
        asking = cluster.senders["asker-0"].ask(make_ask(cluster, "talker-0"), Collected(seen))
        answer = asyncio.ensure_future(asking)
        await settle()
        assert seen == []
        may_answer.set()
        await answer

    assert seen == [said]
