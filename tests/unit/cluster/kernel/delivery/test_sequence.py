"""One lane between two agents: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import pytest

from cluster.kernel.delivery.sequence import CREDIT_WINDOW, UNDONE_MAX, Arrival, Inbound, Outbound
from cluster.kernel.envelope import Ack, Envelope, Kind, Lane
from cluster.kernel.errors import Overloaded, WireError
from cluster.kernel.ids import AgentId, EnvelopeId


def make_envelope(number: int) -> Envelope:
    return Envelope(
        EnvelopeId(number.to_bytes(16, "big")), AgentId("a-0"), AgentId("b-0"), Kind.TELL, "", b""
    )


def sent(seq: int) -> Envelope:
    envelope = make_envelope(seq)
    envelope.seq = seq
    return envelope


def ack_of(inbound: Inbound) -> Ack:
    receipt, limit, done = inbound.news()
    return Ack(AgentId("a-0"), 1, AgentId("b-0"), 1, Lane.WORK, receipt, limit, done)


def test_envelopes_get_gap_free_numbers_from_one() -> None:
    outbound = Outbound(has_implicit_done=False)

    for number in range(3):
        outbound.offer(make_envelope(number))

    assert [envelope.seq for envelope in outbound.take(10)] == [1, 2, 3]


def test_sending_stops_at_the_credit_limit_and_goes_on_when_credit_comes_back() -> None:
    outbound, inbound = Outbound(has_implicit_done=False), Inbound(has_implicit_done=False)
    for number in range(CREDIT_WINDOW + 5):
        outbound.offer(make_envelope(number))

    sent = outbound.take(10_000)
    for envelope in sent:
        inbound.accept(envelope)
        inbound.take(envelope)
    outbound.acknowledge(ack_of(inbound))

    assert len(sent) == CREDIT_WINDOW
    assert len(outbound.take(10_000)) == 5


def test_an_offer_beyond_the_bound_is_refused_and_takes_nothing() -> None:
    outbound = Outbound(has_implicit_done=False)
    for number in range(UNDONE_MAX):
        outbound.offer(make_envelope(number))

    with pytest.raises(Overloaded):
        outbound.offer(make_envelope(UNDONE_MAX))

    assert len(outbound) == UNDONE_MAX


def test_what_is_received_and_not_done_is_kept_and_sent_again_after_a_reconnect() -> None:
    outbound, inbound = Outbound(has_implicit_done=False), Inbound(has_implicit_done=False)
    outbound.offer(make_envelope(1))
    inbound.accept(outbound.take(1)[0])
    outbound.acknowledge(ack_of(inbound))

    outbound.reconnect()
    [again] = outbound.take(1)

    assert again.attempt == 2
    assert inbound.accept(again) is Arrival.DUPLICATE


def test_a_duplicate_of_something_done_is_told_done_again() -> None:
    inbound, envelope = Inbound(has_implicit_done=False), sent(1)
    inbound.accept(envelope)
    inbound.finish(envelope)
    assert ack_of(inbound).done == (1,)

    inbound.accept(sent(1))

    assert ack_of(inbound).done == (1,)


def test_a_gap_is_named_and_changes_nothing() -> None:
    inbound = Inbound(has_implicit_done=True)

    assert inbound.accept(sent(2)) is Arrival.GAP
    assert inbound.receipt == 0


def test_an_envelope_that_was_abandoned_after_it_was_sent_leaves_no_gap() -> None:
    outbound, inbound = Outbound(has_implicit_done=False), Inbound(has_implicit_done=False)
    for number in range(2):
        outbound.offer(make_envelope(number))
    first, _ = outbound.take(2)

    outbound.abandon(first)
    outbound.reconnect()

    assert [inbound.accept(e) for e in outbound.take(2)] == [Arrival.NEW, Arrival.NEW]
    assert outbound.acknowledge(ack_of(inbound)) == [first]
    assert [e.seq for e in outbound.undone()] == [2]


def test_an_envelope_that_was_abandoned_before_it_was_sent_never_is() -> None:
    outbound = Outbound(has_implicit_done=False)
    unwanted, wanted = make_envelope(1), make_envelope(2)
    for envelope in (unwanted, wanted):
        outbound.offer(envelope)

    outbound.abandon(unwanted)

    assert outbound.take(2) == [wanted]
    assert wanted.seq == 1


def test_a_new_incarnation_gets_what_is_not_done_under_new_numbers() -> None:
    outbound = Outbound(has_implicit_done=False)
    for number in range(3):
        outbound.offer(make_envelope(number))
    outbound.finish(outbound.take(3)[1])

    outbound.restart()

    assert [(e.seq, e.id[-1]) for e in outbound.take(3)] == [(1, 0), (2, 2)]


def test_receipts_begin_anew_with_the_sequence() -> None:
    outbound = Outbound(has_implicit_done=True)
    for incarnation in (3, 1):
        inbound = Inbound(has_implicit_done=True)
        for number in range(incarnation):
            outbound.offer(make_envelope(number))
        for envelope in outbound.take(10):
            inbound.accept(envelope)
        outbound.acknowledge(ack_of(inbound))
        assert len(outbound) == 0
        outbound.restart()


def test_what_is_done_without_having_been_taken_gives_its_credit_back() -> None:
    # A mailbox that refuses what it has no room for must not use up its sender's credit.
    outbound, inbound = Outbound(has_implicit_done=False), Inbound(has_implicit_done=False)
    for number in range(3 * CREDIT_WINDOW):
        outbound.offer(make_envelope(number))

    for _ in range(3):
        for envelope in outbound.take(CREDIT_WINDOW):
            inbound.accept(envelope)
            inbound.finish(envelope)
        outbound.acknowledge(ack_of(inbound))

    assert len(outbound) == 0


def test_credit_is_given_back_once_for_each_envelope() -> None:
    inbound, envelope = Inbound(has_implicit_done=False), sent(1)
    inbound.accept(envelope)
    for _ in range(3):
        inbound.take(envelope)
        inbound.finish(envelope)

    assert ack_of(inbound).limit == CREDIT_WINDOW + 1


def test_an_envelope_of_an_earlier_sequence_is_not_mistaken_for_its_successor() -> None:
    inbound, earlier = Inbound(has_implicit_done=False), sent(1)
    inbound.accept(sent(1))

    inbound.take(earlier)
    inbound.finish(earlier)

    assert ack_of(inbound) == Ack(
        AgentId("a-0"), 1, AgentId("b-0"), 1, Lane.WORK, 1, CREDIT_WINDOW, ()
    )


def test_what_is_sent_without_credit_is_named() -> None:
    inbound = Inbound(has_implicit_done=False)
    for seq in range(1, CREDIT_WINDOW + 1):
        inbound.accept(sent(seq))

    assert inbound.accept(sent(CREDIT_WINDOW + 1)) is Arrival.OVERDRAWN


def test_an_ack_costs_no_more_than_what_it_acknowledges() -> None:
    outbound = Outbound(has_implicit_done=True)
    outbound.offer(make_envelope(1))
    outbound.take(1)
    for receipt, limit in ((2**64 - 1, 2**64 - 1), (0, 2**64 - 1), (2, CREDIT_WINDOW)):
        with pytest.raises(WireError):
            outbound.acknowledge(
                Ack(AgentId("a-0"), 1, AgentId("b-0"), 1, Lane.REPLY, receipt, limit)
            )

    assert (len(outbound), outbound.receipt, outbound.limit) == (1, 0, CREDIT_WINDOW)


def test_what_is_repeated_without_end_is_told_done_within_a_bound() -> None:
    inbound = Inbound(has_implicit_done=False)
    for _ in range(2):
        for seq in range(1, UNDONE_MAX + 100):
            envelope = sent(seq)
            if inbound.accept(envelope) is Arrival.OVERDRAWN:
                inbound.news()
                inbound.accept(envelope)
            inbound.finish(envelope)

    assert len(ack_of(inbound).done) <= UNDONE_MAX
