"""A peer whose every frame a test writes by hand, linked to a real exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.envelope import (
    LANE_OF_KIND,
    Ack,
    Batch,
    Envelope,
    Frame,
    Hello,
    Kind,
    Lane,
    Resident,
)
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import NO_ENVELOPE, AgentId, EnvelopeId
from cluster.memory.directory import Directory
from cluster.memory.store.local import LocalStore
from cluster.memory.store.port import Store
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.exchange import Exchange
from cluster.runtime.messaging.port import DeliveryObserver
from cluster.transport.port import Accept, Connection, Receiver
from cluster.wire.messages import MessageCodec

US, PUPPET = AgentId("us-0"), AgentId("puppet-0")


class PuppetConnection:
    """Our end of a connection whose other end is the test's hand."""

    def __init__(self) -> None:
        self.receiver: Receiver | None = None
        self.written: list[Frame] = []
        self.is_closed = False
        self.is_writable = True
        self.is_slow = False
        """Each frame fills it, until the receiver is told that it is writable."""

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, frame: Frame) -> None:
        assert not self.is_closed
        self.written.append(frame)
        self.is_writable = not self.is_slow

    def relieve(self) -> None:
        """Let it take frames again."""
        assert self.receiver is not None
        self.is_writable = True
        self.receiver.on_writable()

    def close(self) -> None:
        self.is_closed = True

    def say(self, frame: Frame) -> None:
        """Let a frame arrive from the puppet."""
        assert self.receiver is not None
        self.receiver.on_frame(frame)

    def end(self) -> None:
        """Let the connection break."""
        assert self.receiver is not None
        self.is_closed = True
        self.receiver.on_end(None)

    @property
    def envelopes(self) -> list[Envelope]:
        """What was sent to the puppet."""
        return [e for frame in self.written if isinstance(frame, Batch) for e in frame.envelopes]

    @property
    def acks(self) -> list[Ack]:
        """What was acknowledged to the puppet."""
        return [a for frame in self.written if isinstance(frame, Batch) for a in frame.acks]


class PuppetTransport:
    """Takes the exchange's way of accepting; nobody can be dialled."""

    def __init__(self) -> None:
        self.accept: Accept

    async def listen(self, accept: Accept) -> str:
        self.accept = accept
        return "puppet:1"

    async def dial(self, address: str, timeout_s: float) -> Connection:
        raise AssertionError("nobody is registered")

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Recorder:
    """Takes what would start or end turns."""

    work: list[Envelope] = field(default_factory=list)
    refused: list[tuple[Envelope, ClusterError]] = field(default_factory=list)
    cancelled: list[EnvelopeId] = field(default_factory=list)
    gone: list[AgentId] = field(default_factory=list)
    on_new: Callable[[Envelope], None] = lambda _: None

    def on_work(self, envelope: Envelope) -> bool:
        self.work.append(envelope)
        self.on_new(envelope)
        return False

    def refuse(self, envelope: Envelope, error: ClusterError) -> None:
        self.refused.append((envelope, error))

    def on_cancel(self, envelope: Envelope) -> None:
        self.cancelled.append(envelope.cause)

    def on_asker_gone(self, asker: AgentId) -> None:
        self.gone.append(asker)


class Puppet:
    """The agent `PUPPET`, its epoch and session, and the exchange of `US` that it talks to."""

    def __init__(
        self,
        store: Store | None = None,
        clock: Clock | None = None,
        observer: DeliveryObserver | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        store = store or LocalStore(self.clock)
        self.letters = DeadLetterBox(store)
        self._transport = PuppetTransport()
        self.recorder = Recorder()
        self.exchange = Exchange(
            US,
            transport=self._transport,
            directory=Directory(store, self.clock),
            clock=self.clock,
            codec=MessageCodec(),
            dead_letters=self.letters,
            observer=observer,
        )
        self.epoch, self.session = 1, 1

    async def __aenter__(self) -> Self:
        await self.exchange.start(1, self.recorder)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.exchange.stop()

    def connect(self, agent: AgentId = PUPPET) -> PuppetConnection:
        """Open a new link and say hello on it."""
        connection = PuppetConnection()
        self._transport.accept(connection)
        met = (Resident(US, 1, self.session),)
        connection.say(Hello(1, (Resident(agent, self.epoch),), "", met))
        return connection

    def envelope(self, number: int, kind: Kind = Kind.TELL, seq: int | None = None) -> Envelope:
        """Return an envelope of the puppet's to us."""
        return Envelope(
            EnvelopeId(number.to_bytes(16, "big")),
            PUPPET,
            US,
            kind,
            "",
            b"",
            cause=NO_ENVELOPE,
            lane=LANE_OF_KIND[kind],
            deadline_at=self.clock.now() + 60.0 if kind is Kind.ASK else None,
            sender_epoch=self.epoch,
            seq=number if seq is None else seq,
            attempt=1,
        )

    def ack(
        self, receipt: int, limit: int = 256, done: tuple[int, ...] = (), lane: Lane = Lane.WORK
    ) -> Ack:
        """Return what the puppet says of what it got."""
        return Ack(US, 1, PUPPET, self.epoch, lane, receipt, limit, done)

    def make_ask(self, number: int, timeout_s: float = 60.0) -> Envelope:
        """Return an ask of ours to the puppet."""
        identity = EnvelopeId(number.to_bytes(16, "big"))
        ask = Envelope(identity, US, PUPPET, Kind.ASK, "", b"", lane=Lane.WORK)
        ask.deadline_at = self.clock.now() + timeout_s
        return ask


async def settle() -> None:
    """Let the event loop do all that is due now."""
    for _ in range(20):
        await asyncio.sleep(0)
