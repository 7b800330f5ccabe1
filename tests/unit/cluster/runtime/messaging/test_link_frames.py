"""What a link puts into frames: all that is queued, large bodies in parts, acks once due."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.delivery.packing import PART_BYTES
from cluster.kernel.envelope import LANE_OF_KIND, Batch, Envelope, Goodbye, Kind, Lane, Part
from cluster.kernel.ids import EnvelopeId
from cluster.kernel.vocabulary import Finding
from cluster.runtime.messaging import link
from cluster.wire.codec import BODY_BYTES_MAX
from tests.support.hosts import MemoryCluster, until
from tests.support.puppet import PUPPET, US, Puppet, PuppetConnection, settle
from tests.unit.cluster.runtime.turns.test_runner import ask, echo


def message(number: int, kind: Kind = Kind.TELL, size: int = 0) -> Envelope:
    """Something of ours to the puppet."""
    identity = EnvelopeId(number.to_bytes(16, "big"))
    body = bytes([number]) * size
    return Envelope(identity, US, PUPPET, kind, "", body, lane=LANE_OF_KIND[kind])


def batches(connection: PuppetConnection) -> list[Batch]:
    return [frame for frame in connection.written if isinstance(frame, Batch)]


async def slowed(puppet: Puppet) -> PuppetConnection:
    """A link whose stream is congested after each frame."""
    connection = puppet.connect()
    await settle()
    connection.is_slow = True
    return connection


async def test_what_comes_with_the_first_in_one_pass_of_the_loop_goes_in_one_frame() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        await settle()

        for number in (1, 2, 3):
            puppet.exchange.post(message(number))
        await settle()

        assert [[e.seq for e in batch.envelopes] for batch in batches(connection)] == [[1], [2, 3]]


async def test_a_congested_stream_gets_nothing_until_it_is_writable() -> None:
    async with Puppet() as puppet:
        connection = await slowed(puppet)
        puppet.exchange.post(message(1))
        await settle()
        puppet.exchange.post(message(2))
        puppet.exchange.post(message(3))
        await settle()
        sent_before = [e.seq for e in connection.envelopes]

        connection.relieve()

        assert sent_before == [1]
        assert [[e.seq for e in batch.envelopes] for batch in batches(connection)] == [[1], [2, 3]]
        connection.relieve()


async def test_a_cancel_and_an_answer_pass_between_the_parts_of_a_large_message() -> None:
    async with Puppet() as puppet:
        connection = await slowed(puppet)
        puppet.exchange.post(message(1, size=3 * PART_BYTES))
        await settle()
        puppet.exchange.post(message(2, Kind.PROGRESS))
        puppet.exchange.post(message(3, Kind.CANCEL))
        puppet.exchange.post(message(4))
        for _ in range(3):
            connection.relieve()

        order = [each.lane for batch in batches(connection) for each in batch.envelopes]
        parts = [part for batch in batches(connection) for part in batch.parts]
        assert order == [Lane.CONTROL, Lane.REPLY, Lane.WORK]
        assert b"".join(part.data for part in parts) == b"\x01" * (3 * PART_BYTES)
        assert [part.envelope is not None for part in parts][-1]
        assert [bool(batch.parts) for batch in batches(connection)][:2] == [True, True]
        connection.relieve()


async def test_a_large_message_is_sent_whole_again_over_the_next_link() -> None:
    async with Puppet() as puppet:
        first = await slowed(puppet)
        puppet.exchange.post(message(1, size=2 * PART_BYTES))
        await settle()
        second = puppet.connect()
        first.end()
        await settle()

        parts = [part for batch in batches(second) for part in batch.parts]
        assert len(batches(first)) == 1
        assert b"".join(part.data for part in parts) == b"\x01" * (2 * PART_BYTES)


async def test_parts_of_a_body_over_the_limit_end_the_link() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()

        for _ in range(BODY_BYTES_MAX // PART_BYTES + 1):
            connection.say(Batch(parts=(Part(Lane.WORK, bytes(PART_BYTES)),)))

        assert connection.is_closed


async def test_large_bodies_arrive_beside_small_ones() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("echo-0", echo)
        sender = cluster.senders["asker-0"]
        findings = [Finding("x" * size) for size in (7_000_000, 10, PART_BYTES, 2_500_000)]

        answers = await asyncio.gather(
            *(ask(sender, "echo", each, task=str(n)) for n, each in enumerate(findings))
        )

        assert answers == findings


async def test_an_ack_waits_for_others_like_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ACK_DELAY_S", 0.0)
    async with Puppet() as puppet:
        connection = puppet.connect()
        await settle()
        connection.say(Batch((puppet.envelope(1),)))
        connection.say(Batch((puppet.envelope(2),)))

        await until(lambda: bool(connection.acks))

        assert [ack.receipt for ack in connection.acks] == [2]


async def test_credit_that_runs_short_is_given_back_at_once() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        await settle()
        for number in range(1, 65):
            envelope = puppet.envelope(number)
            connection.say(Batch((envelope,)))
            puppet.exchange.taken(envelope)
        await settle()

        [ack] = connection.acks
        assert (ack.receipt, ack.limit) == (64, 256 + 64)


async def test_the_end_of_a_host_sends_what_is_queued_and_says_goodbye() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        await settle()
        puppet.exchange.post(message(1))

    assert [e.seq for e in connection.envelopes] == [1]
    assert isinstance(connection.written[-1], Goodbye)
    assert connection.is_closed
