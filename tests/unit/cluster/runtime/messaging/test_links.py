"""Which link leads to a peer, and what becomes of sequences when links and records come and go."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.delivery import reach
from cluster.kernel.envelope import Ack, Batch, Goodbye, Hello, Kind, Lane, Resident
from cluster.kernel.errors import PeerUnavailable
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import LEASE_S
from cluster.runtime.messaging import links, peers, watcher
from cluster.runtime.messaging.sender import Unobserved
from tests.support.clock import ManualClock
from tests.support.hosts import until
from tests.support.puppet import PUPPET, US, Puppet, settle


class LossCounter(Unobserved):
    """Counts how often an ask is told that its recipient can't be reached."""

    def __init__(self) -> None:
        self.losses = 0

    def on_link_lost(self) -> None:
        self.losses += 1


async def test_who_dials_hears_which_record_of_it_we_keep() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()

        [hello] = connection.written

        assert hello == Hello(1, (Resident(US, 1),), "puppet:1", (Resident(PUPPET, 1, 1),))


async def test_a_peer_that_has_forgotten_us_gets_what_is_not_done_under_new_numbers() -> None:
    # With both sides cut off for long the peer forgets us; our old link may seem to stand still.
    async with Puppet() as puppet:
        old = puppet.connect()
        asking = [asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(n))) for n in (1, 2)]
        await settle()
        old.say(Batch((), (puppet.ack(2, done=(1,)),)))

        puppet.session = 2
        new = puppet.connect()
        await settle()

        assert old.is_closed
        assert [(e.seq, e.id[-1]) for e in new.envelopes] == [(1, 2)]
        for each in asking:
            each.cancel()


async def test_a_link_that_is_opened_beside_the_first_changes_no_sequence() -> None:
    async with Puppet() as puppet:
        first = puppet.connect()
        second = puppet.connect()
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1)))
        await settle()

        first.end()
        await settle()

        assert [e.seq for e in first.envelopes] == [1]
        assert [(e.seq, e.attempt) for e in second.envelopes] == [(1, 2)]
        asking.cancel()


async def test_nothing_is_sent_to_a_replaced_incarnation_when_the_newer_ones_link_ends() -> None:
    async with Puppet() as puppet:
        zombie = puppet.connect()
        puppet.epoch = 2
        new = puppet.connect()
        new.end()
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1)))
        await settle()

        assert zombie.is_closed
        assert zombie.envelopes == []
        asking.cancel()


async def test_an_older_incarnation_is_refused_and_counted() -> None:
    async with Puppet() as puppet:
        puppet.epoch = 2
        puppet.connect()
        puppet.epoch = 1

        refused = puppet.connect()

        assert refused.is_closed
        assert refused.written == []
        assert puppet.exchange.statistics.stale == 1


async def test_a_recorded_stream_of_an_older_incarnation_has_no_effect() -> None:
    async with Puppet() as puppet:
        recorded = [Batch((puppet.envelope(number),)) for number in (1, 2, 3)]
        live = puppet.connect()
        for batch in recorded:
            live.say(batch)
        puppet.epoch = 2
        puppet.connect()
        puppet.epoch = 1

        replayed = puppet.connect()
        for batch in recorded:
            replayed.say(batch)

        assert len(puppet.recorder.work) == 3


async def test_an_ask_is_looked_for_a_recipient_where_its_link_ends_as_soon_as_it_stood() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1)))
        await settle()

        connection.end()
        puppet.connect().end()
        again = puppet.connect()
        await settle()

        assert [e.id[-1] for e in again.envelopes] == [1]
        asking.cancel()


async def test_a_peer_that_died_without_goodbye_is_forgotten_though_nothing_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "FORGET_AFTER_S", 0.0)
    async with Puppet() as puppet:
        connection = puppet.connect()
        connection.say(Batch((puppet.envelope(1, Kind.ASK),)))

        connection.end()
        await until(lambda: not puppet.exchange.peers_known)

        assert puppet.recorder.gone == [PUPPET]


async def test_a_peer_that_is_back_in_time_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "FORGET_AFTER_S", 0.0)
    async with Puppet() as puppet:
        connection = puppet.connect()

        connection.end()
        puppet.connect()
        await settle()

        assert puppet.recorder.gone == []
        assert puppet.exchange.peers_known == 1


async def test_the_peers_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS_MAX", 2)
    async with Puppet() as puppet:
        puppet.connect().end()  # the puppet is remembered, and nothing waits for it
        links_of = [puppet.connect(AgentId(name)) for name in ("one-0", "two-0", "three-0")]

        assert [each.is_closed for each in links_of] == [False, False, True]
        assert puppet.exchange.peers_known == 2


async def test_who_waits_for_a_peer_that_stays_away_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "LOST_AFTER_S", 0.0)
    async with Puppet() as puppet:
        connection = puppet.connect()
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1)))
        await settle()

        connection.say(Goodbye("the host is stopping"))

        with pytest.raises(PeerUnavailable):
            await asking


async def test_a_peer_whose_link_broke_a_moment_ago_is_not_given_up_for_being_lost_before() -> None:
    clock, seen = ManualClock(), LossCounter()
    async with Puppet(clock=clock) as puppet:
        connection = puppet.connect()
        connection.say(Batch((puppet.envelope(1, Kind.ASK),)))
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1), seen))
        await settle()

        connection.end()
        await until(lambda: seen.losses == 1)
        clock.advance(reach.LOST_AFTER_S)
        puppet.connect().end()
        await until(lambda: asking.done() or seen.losses == 2)

        assert not asking.done()
        assert puppet.recorder.gone == []
        clock.advance(reach.LOST_AFTER_S)
        with pytest.raises(PeerUnavailable):
            await asking
        assert puppet.recorder.gone == [PUPPET]


@pytest.mark.parametrize(
    "ack",
    [
        Ack(US, 1, PUPPET, 1, Lane.WORK, 2**63, 2**63 + 256),
        Ack(US, 1, PUPPET, 1, Lane.CONTROL, 2**63, 256),
        Ack(US, 1, PUPPET, 1, Lane.WORK, 0, 2**63),
        Ack(US, 1, PUPPET, 1, Lane.WORK, 0, 256, (7,)),
        Ack(US, 1, PUPPET, 1, Lane.WORK, 2, 256),
    ],
    ids=["receipt", "receipt-of-control", "credit", "done", "one-too-many"],
)
async def test_an_ack_of_what_was_never_sent_ends_the_link_and_is_passed_over(ack: Ack) -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1)))
        await settle()

        connection.say(Batch((), (ack,)))
        again = puppet.connect()
        await settle()

        assert connection.is_closed
        assert [(e.seq, e.attempt) for e in again.envelopes] == [(1, 2)]
        asking.cancel()


async def test_a_link_is_stuck_after_a_lease_of_the_clock_that_was_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watcher, "WATCH_SHARE", 0.0)
    clock = ManualClock()
    async with Puppet(clock=clock) as puppet:
        connection = puppet.connect()
        asking = asyncio.ensure_future(puppet.exchange.ask(puppet.make_ask(1)))
        await settle()
        was_closed = connection.is_closed
        clock.advance(LEASE_S)
        await settle()

        assert (was_closed, connection.is_closed) == (False, True)
        asking.cancel()
