"""Envelopes and frames: what travels between hosts, as plain values.

The protobuf twins are in `protos/v1/{envelope,exchange}.proto`, the conversion in
`cluster.wire.codec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cluster.kernel.ids import NO_ENVELOPE, NO_STEP, NO_TASK, AgentId, EnvelopeId, StepId, TaskId


class Lane(IntEnum):
    """Which of a pair's sequences an envelope belongs to; none waits behind another."""

    CONTROL = 1
    REPLY = 2
    WORK = 3


class Kind(IntEnum):
    """What the recipient is to do with an envelope."""

    ASK = 1
    TELL = 2
    REPLY = 3
    PROGRESS = 4
    CANCEL = 5
    UNKNOWN = -1
    """One that only a newer version knows: it is acknowledged, and has no effect. Never sent."""


LANE_OF_KIND = {
    Kind.ASK: Lane.WORK,
    Kind.TELL: Lane.WORK,
    Kind.REPLY: Lane.REPLY,
    Kind.PROGRESS: Lane.REPLY,
    Kind.CANCEL: Lane.CONTROL,
}


class Trust(IntEnum):
    """Where the text in a body comes from; taint is passed on, never removed."""

    USER = 1
    AGENT = 2
    RETRIEVED = 3


_AGENT, _RETRIEVED = Trust.AGENT, Trust.RETRIEVED
"""Of an enum a member is looked up at some cost, which a message need not pay."""


@dataclass(slots=True)
class Envelope:
    """Metadata and one serialised message.

    Not frozen: the delivery machine sets ``seq``, ``sender_epoch`` and ``attempt`` each time it
    sends, and a copy per send would be paid on every hop.
    """

    id: EnvelopeId
    sender: AgentId
    recipient: AgentId
    kind: Kind
    body_type: str
    body: bytes
    task: TaskId = NO_TASK
    step: StepId = NO_STEP
    cause: EnvelopeId = NO_ENVELOPE
    lane: Lane = Lane.WORK
    deadline_at: float | None = None
    """Instant on the local monotonic clock; remaining time on the wire."""
    trust: Trust = Trust.AGENT
    traceparent: str = ""
    saw: bytes = b""
    """Of an answer: what it was made from, as a serialised `cluster.kernel.reads.Saw`."""
    sender_epoch: int = 0
    seq: int = 0
    attempt: int = 0
    outlives_recipient: bool = False
    """What it asks for is journaled and goes on elsewhere: that its recipient died while it waited
    says nothing against it. Its sender's business, not on the wire."""
    is_dispensable: bool = False
    """Progress that is left out where its recipient is slow, long before any other is. Not on the
    wire either."""

    @classmethod
    def about(
        cls,
        asked: Envelope,
        own_id: EnvelopeId,
        sender: AgentId,
        *,
        recipient: AgentId,
        kind: Kind,
        message: tuple[str, bytes],
        deadline_at: float | None = None,
        is_dispensable: bool = False,
    ) -> Envelope:
        """Return what is sent because of another envelope, for the same step of the same task.

        What came from documents may be in it, where it was in the other.
        """
        body_type, body = message
        return cls(
            own_id,
            sender,
            recipient,
            kind,
            body_type,
            body,
            asked.task,
            asked.step,
            asked.id,
            LANE_OF_KIND[kind],
            deadline_at,
            _RETRIEVED if asked.trust is _RETRIEVED else _AGENT,
            asked.traceparent,
            is_dispensable=is_dispensable,
        )


@dataclass(slots=True)
class Ack:
    """State of one inbound sequence as its recipient sees it; later ones replace earlier.

    Not frozen, which would make it three times as slow to make; nobody changes one.
    """

    sender: AgentId
    sender_epoch: int
    recipient: AgentId
    recipient_epoch: int
    lane: Lane
    receipt: int
    limit: int
    done: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Resident:
    """An agent on a host, with its incarnation."""

    agent: AgentId
    epoch: int
    session: int = 0
    """Of one that was met: which of its records this is at the host that says so, from 1."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame each way: who lives here, and where it can be dialled."""

    version: int
    residents: tuple[Resident, ...]
    address: str
    met: tuple[Resident, ...] = ()
    """What this host knows of those it greets: the incarnation it has met, and in which record."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a body that is too large for one frame; those of a lane are one body's, in order.

    The last one carries the envelope, without its body.
    """

    lane: Lane
    data: bytes
    envelope: Envelope | None = None


@dataclass(slots=True)
class Batch:
    """Envelopes and acks that were queued when the writer was free; parts come before envelopes.

    Not frozen, for the sake of speed; nobody changes one.
    """

    envelopes: tuple[Envelope, ...] = ()
    acks: tuple[Ack, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Announces an orderly end of the link."""

    reason: str


Frame = Hello | Batch | Goodbye

PROTOCOL_VERSION = 1
