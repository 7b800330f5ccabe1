"""Frames <-> bytes, with every limit checked before anything is built from the bytes.

Called by the transports only. Deadlines become remaining time on the way out and instants of the
local monotonic clock on the way in.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from cluster.kernel.delivery.packing import ENVELOPES_PER_FRAME_MAX
from cluster.kernel.delivery.sequence import UNDONE_MAX
from cluster.kernel.envelope import (
    Ack,
    Batch,
    Envelope,
    Frame,
    Goodbye,
    Hello,
    Kind,
    Lane,
    Part,
    Resident,
    Trust,
)
from cluster.kernel.errors import TooLarge, WireError
from cluster.kernel.ids import AgentId
from protos.v1 import exchange_pb2

BODY_BYTES_MAX = 8 * 1024 * 1024
FRAME_BYTES_MAX = 4 * 1024 * 1024
"""A part of a body and as many envelopes and acks as a frame may hold, and then some."""
PARTS_PER_FRAME_MAX = len(Lane)
ACKS_PER_FRAME_MAX = 1024
DONE_PER_ACK_MAX = 2 * UNDONE_MAX
SAW_BYTES_MAX = 8192
"""So that a frame has room for what all its envelopes may bring."""
NAME_CHARS_MAX = 256
RESIDENTS_MAX = 1024
ID_BYTES = 16
REMAINING_US_MAX = 2**50
"""35 years; what is further off is as good as never."""
_CHECKSUM_TAG = bytes([15 << 3 | 5])
"""Field 15, four bytes wide (protobuf's wire type 5)."""
_CHECKSUM_BYTES = 4

_LANES: dict[int, Lane] = {lane.value: lane for lane in Lane}
_KINDS: dict[int, Kind] = {kind.value: kind for kind in Kind}
_TRUSTS: dict[int, Trust] = {trust.value: trust for trust in Trust}


def frame_to_bytes(frame: Frame, now: float) -> bytes:
    """Serialise a frame; ``now`` is the local monotonic time in seconds.

    Raises:
        TooLarge: it has more than `FRAME_BYTES_MAX` bytes.
    """
    made = exchange_pb2.Frame()
    match frame:
        case Batch():
            _put_batch(made.batch, frame, now)
        case Hello(version, residents, address, met):
            made.hello.version = version
            made.hello.address = address
            for resident in residents:
                made.hello.residents.add(agent=resident.agent, epoch=resident.epoch)
            for resident in met:
                made.hello.met.add(
                    agent=resident.agent, epoch=resident.epoch, session=resident.session
                )
        case Goodbye(reason):
            made.goodbye.reason = reason
    data = with_checksum(made.SerializeToString())
    if len(data) > FRAME_BYTES_MAX:
        raise TooLarge(f"a frame of {len(data)} bytes is over the limit of {FRAME_BYTES_MAX}")
    return data


def with_checksum(data: bytes) -> bytes:
    """Return a serialised frame with its last field, the checksum of all that goes before.

    Appending a field to a serialised message is how protobuf merges; so this is still a Frame.
    """
    return data + _CHECKSUM_TAG + zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _is_intact(data: bytes) -> bool:
    end = len(data) - _CHECKSUM_BYTES
    checksum = int.from_bytes(data[end:], "little")
    begin = end - len(_CHECKSUM_TAG)
    if begin < 0 or data[begin:end] != _CHECKSUM_TAG:
        return False
    return zlib.crc32(memoryview(data)[:begin]) == checksum


def check_body(body: bytes) -> None:
    """Refuse a body that is too large to be sent, even in parts.

    Raises:
        TooLarge: it is over `BODY_BYTES_MAX`.
    """
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge(f"a message of {len(body)} bytes is over the limit of {BODY_BYTES_MAX}")


def _put_batch(made: exchange_pb2.Batch, batch: Batch, now: float) -> None:
    made.SetInParent()
    add = made.envelopes.add
    for envelope in batch.envelopes:
        _put_envelope(add(), envelope, now)
    for ack in batch.acks:
        _put_ack(made.acks.add(), ack)
    for part in batch.parts:
        _put_part(made.parts.add(), part, now)


def _put_envelope(made: Any, envelope: Envelope, now: float) -> None:
    """Set what isn't the default; each field costs as much as a look at it."""
    made.id = envelope.id
    made.sender = envelope.sender
    made.sender_epoch = envelope.sender_epoch
    made.seq = envelope.seq
    made.recipient = envelope.recipient
    if envelope.task:
        made.task = envelope.task
    if envelope.step:
        made.step = envelope.step
    if envelope.cause:
        made.cause = envelope.cause
    made.lane = envelope.lane
    made.kind = envelope.kind
    made.attempt = envelope.attempt
    if envelope.deadline_at is not None:
        left_us = min((envelope.deadline_at - now) * 1e6, REMAINING_US_MAX)
        made.remaining_us = max(0, int(left_us)) + 1
    made.trust = envelope.trust
    if envelope.traceparent:
        made.traceparent = envelope.traceparent
    if envelope.saw:
        made.saw = envelope.saw
    made.body_type = envelope.body_type
    made.body = envelope.body


def _put_part(made: Any, part: Part, now: float) -> None:
    made.lane = part.lane
    made.data = part.data
    if part.envelope is not None:
        _put_envelope(made.envelope, part.envelope, now)


def _put_ack(made: Any, ack: Ack) -> None:
    made.sender = ack.sender
    made.sender_epoch = ack.sender_epoch
    made.recipient = ack.recipient
    made.recipient_epoch = ack.recipient_epoch
    made.lane = ack.lane
    made.receipt = ack.receipt
    made.limit = ack.limit
    if ack.done:
        made.done.extend(ack.done)


def frame_from_bytes(data: bytes, now: float) -> Frame:
    """Parse and check a frame; ``now`` is the local monotonic time in seconds.

    Raises:
        WireError: it is too large, not a frame, or a field is out of its bounds.
    """
    if len(data) > FRAME_BYTES_MAX:
        raise WireError(f"a frame of {len(data)} bytes is over the limit of {FRAME_BYTES_MAX}")
    if not _is_intact(data):
        raise WireError("the peer sent bytes that are not a frame, or that changed on the way")
    try:
        message = exchange_pb2.Frame.FromString(data)
    except DecodeError as error:
        raise WireError("the peer sent bytes that are not a frame") from error
    match message.WhichOneof("kind"):
        case "batch":
            return _get_batch(message.batch, now)
        case "hello":
            return _get_hello(message.hello)
        case "goodbye":
            return Goodbye(message.goodbye.reason[:NAME_CHARS_MAX])
        case _:
            return _get_unknown(message)


def _get_unknown(message: exchange_pb2.Frame) -> Batch:
    """Return a frame of a newer version's kind as one that says nothing; its sender knows ours."""
    if not len(UnknownFieldSet(message)):
        raise WireError("the peer sent a frame of no kind")
    return Batch()


def _get_batch(message: exchange_pb2.Batch, now: float) -> Batch:
    envelopes, acks, parts = message.envelopes, message.acks, message.parts
    if (
        len(envelopes) > ENVELOPES_PER_FRAME_MAX
        or len(acks) > ACKS_PER_FRAME_MAX
        or len(parts) > PARTS_PER_FRAME_MAX
    ):
        raise WireError("the peer sent a frame of too many envelopes, acks or parts")
    return Batch(
        tuple([_get_envelope(envelope, now) for envelope in envelopes]),
        tuple([_get_ack(ack) for ack in acks]) if acks else (),
        tuple([_get_part(part, now) for part in parts]) if parts else (),
    )


def _get_envelope(message: Any, now: float) -> Envelope:
    """Check and convert; ``Any``, for a call of a `NewType` costs as much as reading a field."""
    lane = _LANES.get(message.lane)
    kind = _KINDS.get(message.kind, Kind.UNKNOWN)
    id_, seq = message.id, message.seq
    if lane is None or not message.kind or not seq or len(id_) != ID_BYTES:
        raise WireError("the peer sent an envelope without id, seq, kind or lane")
    sender, recipient = message.sender, message.recipient
    if len(sender) > NAME_CHARS_MAX or len(recipient) > NAME_CHARS_MAX:
        raise WireError("the peer sent an agent name over the limit")
    remaining_us, saw = message.remaining_us, message.saw
    if len(saw) > SAW_BYTES_MAX:
        raise WireError(f"the peer sent an envelope that saw more than {SAW_BYTES_MAX} bytes")
    return Envelope(
        id_,
        sender,
        recipient,
        kind,
        message.body_type,
        message.body,
        message.task,
        message.step,
        message.cause,
        lane,
        now + min(remaining_us - 1, REMAINING_US_MAX) / 1e6 if remaining_us else None,
        _TRUSTS.get(message.trust, Trust.RETRIEVED),
        message.traceparent,
        saw,
        message.sender_epoch,
        seq,
        message.attempt,
    )


def _get_part(message: exchange_pb2.Part, now: float) -> Part:
    lane = _LANES.get(message.lane)
    if lane is None:
        raise WireError("the peer sent a part without a lane")
    if not message.HasField("envelope"):
        return Part(lane, message.data)
    envelope = _get_envelope(message.envelope, now)
    if envelope.lane is not lane or envelope.body:
        raise WireError("the peer sent a part that is not its envelope's")
    return Part(lane, message.data, envelope)


def _get_ack(message: Any) -> Ack:
    lane, done = _LANES.get(message.lane), message.done
    if lane is None:
        raise WireError("the peer sent an ack without a lane")
    if len(done) > DONE_PER_ACK_MAX:
        raise WireError(f"the peer sent an ack of more than {DONE_PER_ACK_MAX} envelopes")
    return Ack(
        message.sender,
        message.sender_epoch,
        message.recipient,
        message.recipient_epoch,
        lane,
        message.receipt,
        message.limit,
        tuple(done),
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
        [
            Resident(AgentId(message.agent[:NAME_CHARS_MAX]), message.epoch, message.session)
            for message in messages
        ]
    )
