"""Poison kills its recipient each time; its neighbours get done, in order, and are not given up."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kernel.delivery.quarantine import DEATHS_MAX, SUSPECT_DEATHS
from cluster.kernel.delivery.sequence import CREDIT_WINDOW, Inbound, Outbound
from cluster.kernel.envelope import Ack, Envelope, Kind, Lane
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId

A, B = AgentId("a-0"), AgentId("b-0")


def make_envelope(number: int, step: str = "") -> Envelope:
    identity = EnvelopeId(number.to_bytes(16, "big"))
    return Envelope(
        identity, A, B, Kind.ASK, "", b"", TaskId("t"), StepId(step or f"s{number}"), lane=Lane.WORK
    )


def outbound_with(count: int) -> tuple[Outbound, list[Envelope]]:
    outbound = Outbound(has_implicit_done=False)
    envelopes = [make_envelope(number) for number in range(count)]
    for envelope in envelopes:
        outbound.offer(envelope)
    return outbound, envelopes


def die(outbound: Outbound, times: int = 1) -> list[Envelope]:
    """Send all that may be sent to a recipient that dies of it; return what was given up."""
    given_up: list[Envelope] = []
    for _ in range(times):
        outbound.take(1000)
        given_up += outbound.restart()
    return given_up


def done_by(outbound: Outbound, envelopes: list[Envelope], receipt: int) -> None:
    done = tuple(envelope.seq for envelope in envelopes)
    outbound.acknowledge(Ack(A, 1, B, 1, Lane.WORK, receipt, receipt + 1, done))


def test_what_kills_five_incarnations_is_given_up() -> None:
    outbound, [poison] = outbound_with(1)

    assert die(outbound, DEATHS_MAX - 1) == []
    assert die(outbound) == [poison]
    assert outbound.take(10) == []
    assert len(outbound) == 0


def test_what_goes_on_without_its_recipient_is_never_suspected() -> None:
    outbound, envelopes = outbound_with(3)
    for envelope in envelopes:
        envelope.outlives_recipient = True

    assert die(outbound, DEATHS_MAX) == []
    assert outbound.take(10) == envelopes


def test_suspects_are_sent_one_at_a_time() -> None:
    outbound, [first, second, third] = outbound_with(3)
    die(outbound, SUSPECT_DEATHS)

    assert outbound.take(10) == [first]
    done_by(outbound, [first], receipt=1)
    assert outbound.take(10) == [second]
    outbound.finish(second)
    assert outbound.take(10) == [third]


def test_poison_kills_only_itself_once_it_is_suspected() -> None:
    outbound, [poison, *neighbours] = outbound_with(4)

    given_up = die(outbound, DEATHS_MAX)

    assert given_up == [poison]
    for neighbour in neighbours:
        assert outbound.take(10) == [neighbour]
        outbound.finish(neighbour)


def test_what_was_sent_after_the_deaths_does_not_wait_for_a_suspect() -> None:
    outbound, [suspect, _] = outbound_with(2)
    die(outbound, SUSPECT_DEATHS)
    fresh = make_envelope(9)
    outbound.offer(fresh)

    assert outbound.take(10) == [suspect, fresh]


def test_what_follows_a_suspect_in_its_step_stays_behind_it() -> None:
    outbound, [first, second] = outbound_with(2)
    die(outbound, SUSPECT_DEATHS)
    follower = make_envelope(9, step=second.step)
    outbound.offer(follower)

    assert outbound.take(10) == [first]
    outbound.finish(first)
    assert outbound.take(10) == [second, follower]


def test_a_suspect_that_nobody_waits_for_makes_room_for_the_next() -> None:
    outbound, [first, second, third] = outbound_with(3)
    die(outbound, SUSPECT_DEATHS)

    outbound.abandon(second)
    outbound.abandon(first)

    assert outbound.take(10) == [third]
    assert len(outbound) == 1


def test_a_peer_that_only_forgot_us_is_no_death() -> None:
    outbound, [_] = outbound_with(1)

    for _ in range(2 * DEATHS_MAX):
        outbound.take(10)
        assert outbound.restart(has_died=False) == []

    assert len(outbound.take(10)) == 1


def test_what_was_held_at_four_deaths_is_sent_quite_alone_and_the_rest_after_it() -> None:
    outbound, [poison, neighbour] = outbound_with(2)
    die(outbound, DEATHS_MAX - 1)
    fresh = make_envelope(9)
    outbound.offer(fresh)

    assert outbound.take(10) == [poison]
    outbound.finish(poison)
    assert outbound.take(10) == [neighbour, fresh]


def test_an_innocent_that_meets_one_poison_after_another_is_never_given_up() -> None:
    outbound, [innocent] = outbound_with(1)
    given_up: list[Envelope] = []

    for number in range(1, 60):
        if number % 2:
            outbound.offer(make_envelope(number))
        if outbound.take(10) == [innocent]:
            outbound.finish(innocent)  # it does no harm, so alone it gets done
            break
        given_up += outbound.restart()

    assert innocent not in outbound.undone()
    assert innocent not in given_up


def test_what_was_never_sent_to_the_dead_is_not_suspected() -> None:
    outbound, envelopes = outbound_with(CREDIT_WINDOW + 2)
    die(outbound, SUSPECT_DEATHS)

    assert outbound.take(10) == [envelopes[0], *envelopes[CREDIT_WINDOW:]]


def test_the_rest_goes_on_when_nobody_waits_for_a_suspect_that_is_tried() -> None:
    outbound, [poison, neighbour] = outbound_with(2)
    die(outbound, DEATHS_MAX - 1)

    outbound.abandon(poison)

    assert outbound.take(10) == [neighbour]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=12),
    st.sets(st.integers(0, 11), max_size=3),
    st.integers(0, 2**32),
)
def test_whatever_is_poison_only_poison_is_given_up_and_steps_keep_their_order(
    steps: list[str], poison: set[int], seed: int
) -> None:
    rng = random.Random(seed)
    outbound, inbound = Outbound(has_implicit_done=False), Inbound(has_implicit_done=False)
    envelopes = [make_envelope(number, step) for number, step in enumerate(steps)]
    poisonous = {envelopes[number].id for number in poison if number < len(envelopes)}
    given_up: list[Envelope] = []
    done: list[Envelope] = []

    for tick in range(400):
        if tick < len(envelopes):
            outbound.offer(envelopes[tick])
        for envelope in outbound.take(rng.randint(1, 4)):
            inbound.accept(envelope)
        running = list(inbound.running.values())
        if running and rng.random() < 0.7:
            step = rng.choice(running).step
            handled = next(each for each in running if each.step == step)
            if handled.id in poisonous:
                given_up += outbound.restart()
                inbound = Inbound(has_implicit_done=False)
                continue
            done.append(handled)
            inbound.finish(handled)
        receipt, limit, told = inbound.news()
        outbound.acknowledge(Ack(A, 1, B, 1, Lane.WORK, receipt, limit, told))

    assert len(outbound) == 0
    assert {envelope.id for envelope in given_up} == poisonous
    for name in set(steps):
        order = [envelope.id for envelope in done if envelope.step == name]
        assert order == sorted(order)
