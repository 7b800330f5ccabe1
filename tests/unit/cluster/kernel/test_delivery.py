"""One lane between two agents: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kernel.delivery import CREDIT_WINDOW, UNDONE_MAX, Arrival, Inbound, Outbound
from cluster.kernel.envelope import Ack, Envelope, Kind, Lane
from cluster.kernel.errors import Overloaded
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


@pytest.mark.parametrize("has_implicit_done", [True, False])
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["offer", "send", "lose", "ack", "finish", "reconnect"]),
        max_size=60,
    ),
)
def test_over_a_lossy_link_each_envelope_has_one_effect_in_order(
    has_implicit_done: bool,  # noqa: FBT001 - a parameter of the test
    moves: list[str],
) -> None:
    outbound = Outbound(has_implicit_done=has_implicit_done)
    inbound = Inbound(has_implicit_done=has_implicit_done)
    effects: list[int] = []
    offered = 0

    def deliver() -> None:
        for envelope in outbound.take(3):
            if inbound.accept(envelope) is Arrival.NEW:
                effects.append(envelope.id[-1])
                inbound.take(envelope)

    def finish_one() -> None:
        for envelope in list(inbound.running.values())[:1]:
            inbound.finish(envelope)

    def lose() -> None:
        outbound.take(2)
        outbound.reconnect()

    steps = {
        "send": deliver,
        "lose": lose,
        "ack": lambda: outbound.acknowledge(ack_of(inbound)),
        "finish": finish_one,
        "reconnect": outbound.reconnect,
    }
    for move in moves:
        if move == "offer":
            outbound.offer(make_envelope(offered))
            offered += 1
        else:
            steps[move]()
    outbound.reconnect()
    for _ in range(100):
        deliver()
        for envelope in list(inbound.running.values()):
            inbound.finish(envelope)
        outbound.acknowledge(ack_of(inbound))

    assert effects == list(range(offered))
    assert not outbound
