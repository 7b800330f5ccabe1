"""What an agent knows of a peer: incarnations, fencing, resends."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from cluster.kernel.delivery.peer import DISPENSABLE_MAX, PROGRESS_MAX, Peer
from cluster.kernel.delivery.sequence import CREDIT_WINDOW
from cluster.kernel.envelope import Envelope, Kind, Lane
from cluster.kernel.errors import Overloaded, StaleEpoch, WireError
from cluster.kernel.ids import AgentId, EnvelopeId

A, B = AgentId("a-0"), AgentId("b-0")


def pair() -> tuple[Peer, Peer]:
    """Return b as a sees it, and a as b sees it, after their hellos."""
    b_at_a, a_at_b = Peer(B, A, 1), Peer(A, B, 1)
    b_at_a.meet(1)
    a_at_b.meet(1)
    return b_at_a, a_at_b


_NUMBERS = itertools.count(1)
_KINDS = {Lane.WORK: Kind.TELL, Lane.REPLY: Kind.REPLY, Lane.CONTROL: Kind.CANCEL}


def envelope(lane: Lane = Lane.WORK) -> Envelope:
    identity = EnvelopeId(next(_NUMBERS).to_bytes(16, "big"))
    return Envelope(identity, A, B, _KINDS[lane], "", b"", lane=lane)


def test_control_passes_work_that_was_queued_before_it() -> None:
    b_at_a, _ = pair()
    b_at_a.offer(envelope(Lane.WORK))
    b_at_a.offer(envelope(Lane.CONTROL))

    assert [e.lane for e in b_at_a.take(10)] == [Lane.CONTROL, Lane.WORK]


def test_an_older_incarnation_is_refused() -> None:
    peer = Peer(B, A, 1)
    peer.meet(2)

    with pytest.raises(StaleEpoch):
        peer.meet(1)


def test_an_envelope_of_an_older_incarnation_is_refused() -> None:
    b_at_a, a_at_b = pair()
    b_at_a.offer(envelope())
    [sent] = b_at_a.take(1)
    a_at_b.meet(2)

    with pytest.raises(StaleEpoch):
        a_at_b.arrive(sent)


def test_a_new_incarnation_gets_again_what_is_not_done() -> None:
    b_at_a, a_at_b = pair()
    b_at_a.offer(envelope())
    a_at_b.arrive(b_at_a.take(1)[0])

    is_replacement = b_at_a.meet(2)
    fresh = Peer(A, B, 2)
    fresh.meet(1)

    assert is_replacement
    assert fresh.arrive(b_at_a.take(1)[0])


def test_an_ack_for_another_incarnation_changes_nothing() -> None:
    b_at_a, a_at_b = pair()
    b_at_a.offer(envelope(Lane.REPLY))
    a_at_b.arrive(b_at_a.take(1)[0])
    [ack] = a_at_b.take_acks()
    b_at_a.meet(2)

    assert b_at_a.acknowledge(ack) == []
    assert b_at_a.undone_count == 1


def test_a_gap_means_that_the_link_must_be_made_anew() -> None:
    b_at_a, a_at_b = pair()
    for _ in range(2):
        b_at_a.offer(envelope())
    _, second = b_at_a.take(2)

    with pytest.raises(WireError):
        a_at_b.arrive(second)


def test_sequences_begin_anew_where_the_peer_has_forgotten_us() -> None:
    b_at_a, a_at_b = pair()
    for _ in range(3):
        b_at_a.offer(envelope())
    for sent in b_at_a.take(3):
        a_at_b.arrive(sent)

    b_at_a.meet(1, session=1)
    forgetful = Peer(A, B, 1)
    forgetful.meet(1)

    assert [forgetful.arrive(sent) for sent in b_at_a.take(3)] == [True, True, True]


def test_credit_that_was_told_over_a_broken_link_is_told_again() -> None:
    b_at_a, a_at_b = pair()
    for _ in range(CREDIT_WINDOW + 1):
        b_at_a.offer(envelope(Lane.REPLY))
    for sent in b_at_a.take(1000):
        a_at_b.arrive(sent)
    [first] = a_at_b.take_acks()
    b_at_a.acknowledge(replace(first, limit=CREDIT_WINDOW))  # what raised the limit was lost

    b_at_a.meet(1)
    a_at_b.meet(1)
    for ack in a_at_b.take_acks():
        b_at_a.acknowledge(ack)

    assert len(b_at_a.take(1000)) == 1


def test_an_earlier_record_of_us_is_refused() -> None:
    peer = Peer(B, A, 1)
    peer.meet(1, session=2)

    with pytest.raises(StaleEpoch):
        peer.meet(1, session=1)


def test_a_new_incarnation_counts_its_records_from_one() -> None:
    peer = Peer(B, A, 1)
    peer.meet(1, session=5)

    assert peer.meet(2, session=1)


def test_what_comes_on_a_lane_not_its_own_ends_the_link() -> None:
    _, a_at_b = pair()
    stray = envelope(Lane.WORK)
    stray.lane, stray.seq, stray.sender_epoch = Lane.CONTROL, 1, 1

    with pytest.raises(WireError):
        a_at_b.arrive(stray)


def test_progress_leaves_room_for_answers() -> None:
    b_at_a, _ = pair()
    progress = envelope(Lane.REPLY)
    progress.kind = Kind.PROGRESS
    for _ in range(PROGRESS_MAX):
        b_at_a.offer(replace(progress))

    with pytest.raises(Overloaded):
        b_at_a.offer(replace(progress))
    b_at_a.offer(envelope(Lane.REPLY))


def test_progress_that_can_be_left_out_leaves_room_for_other_progress() -> None:
    b_at_a, _ = pair()
    thought = envelope(Lane.REPLY)
    thought.kind, thought.is_dispensable = Kind.PROGRESS, True
    for _ in range(DISPENSABLE_MAX):
        b_at_a.offer(replace(thought))

    with pytest.raises(Overloaded):
        b_at_a.offer(replace(thought))
    b_at_a.offer(replace(thought, is_dispensable=False))
