"""Frames <-> bytes, with every limit checked before anything is built from the bytes.

Called by the transports only. Deadlines become remaining time on the way out and instants of the
local monotonic clock on the way in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from cluster.kernel.envelope import (
    Ack,
    Batch,
    Envelope,
    Frame,
    Goodbye,
    Hello,
    Kind,
    Lane,
    Resident,
    Trust,
)
from cluster.kernel.errors import TooLarge, WireError
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId
from protos.v1 import envelope_pb2, exchange_pb2

BODY_BYTES_MAX = 8 * 1024 * 1024
FRAME_BYTES_MAX = 16 * 1024 * 1024
ENVELOPES_PER_FRAME_MAX = 1024
NAME_CHARS_MAX = 256
RESIDENTS_MAX = 1024
ID_BYTES = 16

_PROTO_LANES: dict[Lane, Any] = {lane: lane.value for lane in Lane}
_PROTO_KINDS: dict[Kind, Any] = {kind: kind.value for kind in Kind}
_PROTO_TRUSTS: dict[Trust, Any] = {trust: trust.value for trust in Trust}
_LANES: dict[int, Lane] = {lane.value: lane for lane in Lane}
_KINDS: dict[int, Kind] = {kind.value: kind for kind in Kind}
_TRUSTS: dict[int, Trust] = {trust.value: trust for trust in Trust}


def frame_to_bytes(frame: Frame, now: float) -> bytes:
    """Serialise a frame; ``now`` is the local monotonic time in seconds.

    Raises:
        TooLarge: a body is over `BODY_BYTES_MAX`.
    """
    made = exchange_pb2.Frame()
    match frame:
        case Batch(envelopes, acks):
            batch = made.batch
            for envelope in envelopes:
                _put_envelope(batch.envelopes.add(), envelope, now)
            for ack in acks:
                _put_ack(batch.acks.add(), ack)
            if not envelopes and not acks:
                batch.SetInParent()
        case Hello(version, residents, address, met):
            made.hello.version = version
            made.hello.address = address
            for resident in residents:
                made.hello.residents.add(agent=resident.agent, epoch=resident.epoch)
            for resident in met:
                made.hello.met.add(agent=resident.agent, epoch=resident.epoch)
        case Goodbye(reason):
            made.goodbye.reason = reason
    return made.SerializeToString()


def check_body(body: bytes) -> None:
    """Refuse a body that no frame may carry.

    Raises:
        TooLarge: it is over `BODY_BYTES_MAX`.
    """
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge(f"a message of {len(body)} bytes is over the limit of {BODY_BYTES_MAX}")


def _put_envelope(made: envelope_pb2.Envelope, envelope: Envelope, now: float) -> None:
    made.id = envelope.id
    made.sender = envelope.sender
    made.sender_epoch = envelope.sender_epoch
    made.seq = envelope.seq
    made.recipient = envelope.recipient
    made.task = envelope.task
    made.step = envelope.step
    made.cause = envelope.cause
    made.lane = _PROTO_LANES[envelope.lane]
    made.kind = _PROTO_KINDS[envelope.kind]
    made.attempt = envelope.attempt
    if envelope.deadline_at is not None:
        made.remaining_us = max(1, int((envelope.deadline_at - now) * 1e6))
    made.trust = _PROTO_TRUSTS[envelope.trust]
    made.traceparent = envelope.traceparent
    if envelope.saw:
        made.saw.update(envelope.saw)
    made.body_type = envelope.body_type
    made.body = envelope.body


def _put_ack(made: exchange_pb2.Ack, ack: Ack) -> None:
    made.sender = ack.sender
    made.sender_epoch = ack.sender_epoch
    made.recipient = ack.recipient
    made.recipient_epoch = ack.recipient_epoch
    made.lane = _PROTO_LANES[ack.lane]
    made.receipt = ack.receipt
    made.limit = ack.limit
    made.done.extend(ack.done)


def frame_from_bytes(data: bytes, now: float) -> Frame:
    """Parse and check a frame; ``now`` is the local monotonic time in seconds.

    Raises:
        WireError: it is too large, not a frame, or a field is out of its bounds.
    """
    if len(data) > FRAME_BYTES_MAX:
        raise WireError(f"a frame of {len(data)} bytes is over the limit of {FRAME_BYTES_MAX}")
    try:
        message = exchange_pb2.Frame.FromString(data)
    except DecodeError as error:
        raise WireError("the peer sent bytes that are not a frame") from error
    match message.WhichOneof("kind"):
        case "batch":
            batch = message.batch
            if len(batch.envelopes) > ENVELOPES_PER_FRAME_MAX:
                raise WireError(f"a frame of more than {ENVELOPES_PER_FRAME_MAX} envelopes")
            envelopes = tuple([_get_envelope(envelope, now) for envelope in batch.envelopes])
            return Batch(envelopes, tuple([_get_ack(ack) for ack in batch.acks]))
        case "hello":
            return _get_hello(message.hello)
        case "goodbye":
            return Goodbye(message.goodbye.reason[:NAME_CHARS_MAX])
        case _:
            raise WireError("the peer sent a frame of no known kind")


def _get_envelope(message: envelope_pb2.Envelope, now: float) -> Envelope:
    lane = _LANES.get(message.lane)
    kind = _KINDS.get(message.kind)
    if lane is None or kind is None or not message.seq or len(message.id) != ID_BYTES:
        raise WireError("the peer sent an envelope without id, seq, kind or lane")
    if len(message.sender) > NAME_CHARS_MAX or len(message.recipient) > NAME_CHARS_MAX:
        raise WireError("the peer sent an agent name over the limit")
    if len(message.body) > BODY_BYTES_MAX:
        raise WireError(f"the peer sent a body of {len(message.body)} bytes, over the limit")
    remaining_us = message.remaining_us
    return Envelope(
        id=EnvelopeId(message.id),
        sender=AgentId(message.sender),
        recipient=AgentId(message.recipient),
        kind=kind,
        body_type=message.body_type,
        body=message.body,
        task=TaskId(message.task),
        step=StepId(message.step),
        cause=EnvelopeId(message.cause),
        lane=lane,
        deadline_at=now + remaining_us / 1e6 if remaining_us else None,
        trust=_TRUSTS.get(message.trust, Trust.RETRIEVED),
        traceparent=message.traceparent,
        saw=dict(message.saw) if message.saw else {},
        sender_epoch=message.sender_epoch,
        seq=message.seq,
        attempt=message.attempt,
    )


def _get_ack(message: exchange_pb2.Ack) -> Ack:
    lane = _LANES.get(message.lane)
    if lane is None:
        raise WireError("the peer sent an ack without a lane")
    return Ack(
        sender=AgentId(message.sender),
        sender_epoch=message.sender_epoch,
        recipient=AgentId(message.recipient),
        recipient_epoch=message.recipient_epoch,
        lane=lane,
        receipt=message.receipt,
        limit=message.limit,
        done=tuple(message.done),
    )


def _get_hello(message: exchange_pb2.Hello) -> Hello:
    return Hello(
        message.version,
        _get_residents(message.residents),
        message.address[:NAME_CHARS_MAX],
        _get_residents(message.met),
    )


def _get_residents(messages: Sequence[exchange_pb2.Resident]) -> tuple[Resident, ...]:
    if len(messages) > RESIDENTS_MAX:
        raise WireError(f"the peer names more than {RESIDENTS_MAX} agents in its hello")
    return tuple(
        [Resident(AgentId(message.agent[:NAME_CHARS_MAX]), message.epoch) for message in messages]
    )
