"""One link: what is alone goes at once, what comes together in one frame, much in several."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.delivery import pace as pace_module
from cluster.kernel.delivery.pace import AT_ONCE, PROGRESS_GAP_S
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import (
    PROTOCOL_VERSION,
    Batch,
    Envelope,
    Frame,
    Hello,
    Kind,
    Lane,
    Resident,
)
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.runtime.messaging.link import Link
from cluster.transport.port import Receiver
from tests.support.clock import ManualClock
from tests.support.hosts import until

US, THEM = AgentId("manager-0"), AgentId("coder-0")


class Wire:
    """A connection that only keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.is_writable = True

    def start(self, receiver: Receiver) -> None:
        pass

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        pass

    @property
    def sizes(self) -> list[int]:
        """How many envelopes each frame had."""
        return [len(cast("Batch", frame).envelopes) for frame in self.frames]


class Keeper:
    """Has one peer at the other end."""

    def __init__(self) -> None:
        self.peer = Peer(THEM, US, 1)

    def hello_to(self, theirs: Hello) -> Hello:
        return Hello(PROTOCOL_VERSION, (Resident(US, 1),), "here")

    def on_hello(self, link: Link, theirs: Hello) -> None:
        self.peer.meet(1)
        link.peers[THEM] = link.outgoing.peers[THEM] = self.peer

    def on_batch(self, link: Link, batch: Batch) -> None:
        pass

    def on_link_end(self, link: Link) -> None:
        pass


async def linked(clock: Clock | None = None) -> tuple[Link, Wire, Peer]:
    wire, keeper = Wire(), Keeper()
    link = Link(wire, keeper, keeper.on_batch, clock=clock or SystemClock())
    link.start(None)
    link.on_frame(Hello(PROTOCOL_VERSION, (Resident(THEM, 1),), "there"))
    await asyncio.sleep(0)
    wire.frames.clear()
    return link, wire, keeper.peer


def send(link: Link, peer: Peer, count: int) -> None:
    for number in range(count):
        envelope_id = EnvelopeId(number.to_bytes(16))
        peer.offer(Envelope(envelope_id, US, THEM, Kind.ASK, "example", b"body"))
        link.wake()


async def busy() -> tuple[Link, Wire, Peer]:
    """Return a link after a pass with more than one envelope."""
    link, wire, peer = await linked()
    send(link, peer, 2)
    await asyncio.sleep(0)
    wire.frames.clear()
    return link, wire, peer


async def test_one_alone_goes_at_once() -> None:
    link, wire, peer = await linked()
    for number in range(1, 4):
        send(link, peer, 1)
        assert wire.sizes == [1] * number
        await asyncio.sleep(0)


async def test_what_comes_with_the_first_goes_in_one_frame_at_the_end_of_the_pass() -> None:
    link, wire, peer = await linked()
    send(link, peer, AT_ONCE - 1)

    assert wire.sizes == [1]
    await asyncio.sleep(0)
    assert wire.sizes == [1, AT_ONCE - 2]


async def test_after_a_pass_with_more_than_one_all_go_in_one_frame_at_its_end() -> None:
    link, wire, peer = await busy()
    send(link, peer, AT_ONCE - 1)

    assert wire.sizes == []
    await asyncio.sleep(0)
    assert wire.sizes == [AT_ONCE - 1]


async def test_after_a_pass_with_one_the_first_goes_at_once_again() -> None:
    link, wire, peer = await busy()
    send(link, peer, 1)
    await asyncio.sleep(0)
    send(link, peer, 1)

    assert wire.sizes == [1, 1]


async def test_of_many_in_one_pass_the_first_go_before_its_end() -> None:
    link, wire, peer = await busy()
    send(link, peer, 2 * AT_ONCE + 1)

    assert wire.sizes == [AT_ONCE, AT_ONCE]
    await asyncio.sleep(0)
    assert wire.sizes == [AT_ONCE, AT_ONCE, 1]


async def test_passes_with_nothing_new_send_nothing() -> None:
    link, wire, peer = await busy()
    send(link, peer, AT_ONCE)
    for _ in range(3):
        await asyncio.sleep(0)
    link.wake()
    await asyncio.sleep(0)

    assert wire.sizes == [AT_ONCE]


async def test_silence_is_measured_on_the_clock_that_was_passed() -> None:
    clock = ManualClock()
    link, _, _ = await linked(clock)

    clock.advance(7.0)
    silent_s = link.silent_s()
    link.on_frame(Batch())

    assert (silent_s, link.silent_s()) == (7.0, 0.0)


def tell_thought(link: Link, peer: Peer, number: int) -> None:
    envelope_id = EnvelopeId(number.to_bytes(16))
    peer.offer(Envelope(envelope_id, US, THEM, Kind.PROGRESS, "example", b"", lane=Lane.REPLY))
    link.wake_for_progress()


async def test_a_thought_right_after_a_frame_waits_and_goes_with_the_next_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace_module, "PROGRESS_GAP_S", 60.0)
    clock = ManualClock()
    link, wire, peer = await linked(clock)
    clock.advance(60.0)
    for number in range(1, 4):
        tell_thought(link, peer, number)
        await asyncio.sleep(0)
    assert wire.sizes == [1]

    send(link, peer, 1)
    await asyncio.sleep(0)

    assert wire.sizes == [1, 3]


async def test_a_thought_that_has_no_company_goes_a_moment_after_the_frame_before() -> None:
    clock = ManualClock()
    link, wire, peer = await linked(clock)
    tell_thought(link, peer, 1)
    assert wire.sizes == []

    await until(lambda: wire.sizes == [1])


async def test_a_thought_after_a_quiet_moment_goes_at_once() -> None:
    clock = ManualClock()
    link, wire, peer = await linked(clock)
    for number in range(1, 4):
        clock.advance(2 * PROGRESS_GAP_S)
        tell_thought(link, peer, number)
        assert wire.sizes == [1] * number
        await asyncio.sleep(0)
