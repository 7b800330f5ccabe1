"""A frame has all that is queued for the peers of its link, within its limits, and acks as due."""

from __future__ import annotations

from cluster.kernel.delivery.packing import PART_BYTES
from cluster.kernel.delivery.peer import Outgoing, Peer
from cluster.kernel.envelope import Batch, Envelope, Kind, Lane
from cluster.kernel.ids import AgentId, EnvelopeId

US, THEM = AgentId("manager-0"), AgentId("coder-0")


def linked() -> tuple[Outgoing, Peer]:
    """Return what goes over a link to a peer that was met, whose first acks are out."""
    outgoing, peer = Outgoing(), Peer(THEM, US, 1)
    peer.meet(1)
    outgoing.peers[THEM] = peer
    outgoing.next_frame()
    return outgoing, peer


def ask(number: int, size: int = 4) -> Envelope:
    return Envelope(EnvelopeId(number.to_bytes(16)), US, THEM, Kind.ASK, "example", b"x" * size)


def progress(seq: int) -> Envelope:
    """Return something that has come from the peer and has its receipt as it arrives."""
    news = Envelope(EnvelopeId(b"n" * 16), THEM, US, Kind.PROGRESS, "example", b"")
    news.lane, news.seq, news.sender_epoch = Lane.REPLY, seq, 1
    return news


def sent(frame: Batch | None) -> int:
    assert frame is not None
    return len(frame.envelopes)


def test_a_link_with_nothing_queued_has_no_frame() -> None:
    outgoing, _ = linked()

    assert outgoing.next_frame() is None


def test_all_that_is_queued_goes_in_one_frame() -> None:
    outgoing, peer = linked()
    for number in range(100):
        peer.offer(ask(number))

    assert sent(outgoing.next_frame()) == 100
    assert not outgoing.has_more


def test_what_one_frame_does_not_take_is_left_for_the_next() -> None:
    outgoing, peer = linked()
    for number in range(3):
        peer.offer(ask(number, PART_BYTES // 2))

    assert sent(outgoing.next_frame()) < 3
    assert outgoing.has_more


def test_an_ack_that_can_wait_goes_when_acks_are_due_or_the_link_ends() -> None:
    outgoing, peer = linked()
    peer.arrive(progress(1))
    assert outgoing.next_frame() is None

    outgoing.are_acks_due = True
    due = outgoing.next_frame()
    peer.arrive(progress(2))
    outgoing.is_ending = True
    last = outgoing.next_frame()

    assert due is not None
    assert last is not None
    assert (len(due.acks), len(last.acks)) == (1, 1)
