"""Ten thousand damaged frames: each is taken for what it says or ends its link, and no other.

Half of the damage is to bytes, half to fields; most of it under a right checksum, so that what is
behind that is reached as well.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from cluster.kernel.envelope import Ack, Batch, Frame, Goodbye, Hello, Kind, Lane, Part, Resident
from cluster.kernel.errors import WireError
from cluster.kernel.ids import AgentId
from cluster.runtime.messaging.peers import PEERS_MAX
from cluster.wire.codec import frame_from_bytes, frame_to_bytes, with_checksum
from cluster.wire.messages import PACKAGE, MessageCodec
from protos.v1 import agents_pb2, exchange_pb2
from tests.support.puppet import PUPPET, US, Puppet, PuppetConnection, settle

FRAMES = 10_000
CHECKSUM_BYTES = 5
NEIGHBOUR = AgentId("neighbour-0")
ODD_NUMBERS = (0, 1, 2, 255, 256, 2**31, 2**32 - 1, 2**53, 2**63, 2**64 - 1)
ODD_TEXTS = ("", "\0", "x" * 300, "\u202e", "puppet-0", "us-0", "neighbour-0")
ODD_BYTES = (b"", bytes(16), bytes(15), b"\xff" * 16, bytes(2_000))


def a_frame(puppet: Puppet, rng: random.Random) -> bytes:
    """Return a well-formed frame, without its checksum."""
    make: Callable[[], Frame] = rng.choice(
        (
            lambda: Batch((puppet.envelope(1), puppet.envelope(2, Kind.ASK)), (puppet.ack(1),)),
            lambda: Batch((puppet.envelope(1, Kind.CANCEL),), (puppet.ack(0, lane=Lane.REPLY),)),
            lambda: Batch((puppet.envelope(1, Kind.REPLY), puppet.envelope(2, Kind.PROGRESS))),
            lambda: Batch((), (), (Part(Lane.WORK, b"x" * 64, puppet.envelope(1)),)),
            lambda: Batch((), (puppet.ack(0, done=(1, 2)), puppet.ack(0, lane=Lane.CONTROL))),
            lambda: Hello(1, (Resident(PUPPET, 1),), "h:1", (Resident(US, 1, 1),)),
            lambda: Goodbye("the host is stopping"),
        )
    )
    return frame_to_bytes(make(), puppet.clock.now())[:-CHECKSUM_BYTES]


def flip(data: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def splice(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.randint(1, 40)
    return data[:at] + data[at : at + length] * rng.randint(2, 9) + data[at + length :]


def nest(data: bytes, rng: random.Random) -> bytes:
    """Add groups within groups, of a field that nobody knows."""
    return data + bytes([100 << 3 & 0x7F | 0x83, 6]) * rng.randint(1, 3_000)


def unknown(data: bytes, rng: random.Random) -> bytes:
    """Add a field of a later version."""
    return data + b"\xfa\x06" + bytes([40]) + rng.randbytes(40)


def odd_field(data: bytes, rng: random.Random) -> bytes:
    """Set a field, somewhere in the frame, to what nobody would send."""
    frame = exchange_pb2.Frame.FromString(data)
    messages: list[Any] = []
    todo: list[Any] = [frame]
    while todo:
        message = todo.pop()
        messages.append(message)
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                todo += list(value) if field.is_repeated else [value]
    for _ in range(rng.randint(1, 3)):
        message = rng.choice(messages)
        _set_odd(message, rng.choice(list(message.DESCRIPTOR.fields)), rng)
    return frame.SerializeToString()


def _set_odd(message: Any, field: FieldDescriptor, rng: random.Random) -> None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if field.is_repeated:
            items = getattr(message, field.name)
            items.extend(list(items) * rng.choice((1, 3, 300)) or [items.add()])
    else:
        value = _odd_value(field, rng)
        if field.is_repeated:
            getattr(message, field.name).extend([value] * rng.choice((1, 50)))
        else:
            setattr(message, field.name, value)


def _odd_value(field: FieldDescriptor, rng: random.Random) -> object:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return rng.choice(ODD_TEXTS)
        case FieldDescriptor.TYPE_BYTES:
            return rng.choice(ODD_BYTES)
        case FieldDescriptor.TYPE_ENUM:
            return rng.choice((0, 1, 2, 3, 4, 5, 99))
        case FieldDescriptor.TYPE_UINT32 | FieldDescriptor.TYPE_FIXED32:
            return rng.choice([number for number in ODD_NUMBERS if number < 2**32])
        case _:
            return rng.choice(ODD_NUMBERS)


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip,
    cut,
    splice,
    repeat,
    nest,
    unknown,
    *([odd_field] * 6),
)


def feed(connection: PuppetConnection, data: bytes, now: float) -> None:
    """Let bytes arrive as a transport does: as a frame, or as the end of the stream."""
    assert connection.receiver is not None
    try:
        frame = frame_from_bytes(data, now)
    except WireError as error:
        connection.is_closed = True
        connection.receiver.on_end(error)
    else:
        connection.say(frame)


async def test_ten_thousand_damaged_frames_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(20)
    ended = 0
    async with Puppet() as puppet:
        neighbour = puppet.connect(NEIGHBOUR)
        connection = puppet.connect()
        with caplog.at_level(logging.ERROR):
            for number in range(FRAMES):
                data = rng.choice(DAMAGES)(a_frame(puppet, rng), rng)
                whole = with_checksum(data) if rng.random() < 0.9 else data
                work = len(puppet.recorder.work)
                feed(connection, whole, puppet.clock.now())
                for envelope in puppet.recorder.work[work:]:
                    puppet.exchange.taken(envelope)
                    puppet.exchange.told(envelope)
                if number % 50 == 0:
                    await settle()
                if connection.is_closed:
                    ended += 1
                    puppet.epoch += 1
                    connection = puppet.connect()
            await settle()

        assert caplog.records == []
        assert not neighbour.is_closed
        greeting = puppet.envelope(1)
        greeting.sender, greeting.sender_epoch = NEIGHBOUR, 1
        neighbour.say(Batch((greeting,)))
        assert puppet.recorder.work[-1] is greeting
        assert puppet.exchange.peers_known <= PEERS_MAX
        assert ended > FRAMES // 4


async def test_what_can_not_be_read_is_never_acknowledged() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        good, later = puppet.envelope(1), puppet.envelope(2)
        bad = frame_to_bytes(Batch((later,)), puppet.clock.now())

        connection.say(Batch((good,)))
        feed(connection, flip(bad, random.Random(1)), puppet.clock.now())
        again = puppet.connect()
        await settle()

        [receipt] = [ack.receipt for ack in again.acks if ack.lane is Lane.WORK]
        assert receipt == 1
        assert [e.id for e in puppet.recorder.work] == [good.id]


@pytest.mark.parametrize("remaining_us", [2**53, 2**63, 2**64 - 1])
def test_a_deadline_without_end_can_be_sent_on(remaining_us: int) -> None:
    frame = exchange_pb2.Frame()
    envelope = frame.batch.envelopes.add(id=bytes(16), seq=1, lane=3, kind=1)
    envelope.remaining_us = remaining_us

    received = frame_from_bytes(with_checksum(frame.SerializeToString()), 5.0)

    assert isinstance(received, Batch)
    assert frame_from_bytes(frame_to_bytes(received, 5.0), 5.0) == received


def test_a_deadline_that_never_comes_can_be_sent() -> None:
    envelope = Puppet().envelope(1)
    envelope.deadline_at = math.inf

    received = frame_from_bytes(frame_to_bytes(Batch((envelope,)), 5.0), 5.0)

    assert isinstance(received, Batch)
    assert received.envelopes[0].deadline_at is not None


def test_messages_within_messages_end_in_a_wire_error() -> None:
    name, body = f"{PACKAGE}Assignment", b""
    for _ in range(3_000):
        message = agents_pb2.Assignment(step="s")
        message.results.add(step="s", value=agents_pb2.Packed(type=name, body=body))
        body = message.SerializeToString()

    with pytest.raises(WireError):
        MessageCodec().decode(name, body)


def test_an_ack_of_everything_is_read_and_costs_nothing() -> None:
    ack = Ack(US, 1, PUPPET, 1, Lane.REPLY, 2**64 - 1, 2**64 - 1, (2**64 - 1,))

    assert frame_from_bytes(frame_to_bytes(Batch((), (ack,)), 0.0), 0.0) == Batch((), (ack,))
