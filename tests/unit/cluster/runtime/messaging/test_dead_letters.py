"""What is given up is kept in the store: bounded, in order, also where the store was away."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.delivery.quarantine import DEATHS_MAX, SUSPECT_DEATHS
from cluster.kernel.envelope import Batch
from cluster.kernel.errors import DeadLettered, StoreUnavailable, WireError
from cluster.kernel.ids import StepId, TaskId
from cluster.memory.store.local import LocalStore
from cluster.runtime.messaging import dead_letters
from cluster.runtime.messaging.dead_letters import LETTERS_MAX, DeadLetterBox
from cluster.wire.dead_letters import dead_letter_from_bytes, dead_letter_to_bytes
from cluster.wire.failure import error_from_failure, failure_from_error
from tests.support.puppet import PUPPET, US, Puppet, settle


def letter(number: int) -> DeadLetter:
    return DeadLetter(
        1_000.0 + number, US, PUPPET, TaskId("t"), StepId("s"), "fleetmind.v1.Finding", 7, "why"
    )


class AwayStore(LocalStore):
    """A store that can't be reached for a while."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.failures_left = 2

    async def next_epoch(self, name: str) -> int:
        if self.failures_left:
            self.failures_left -= 1
            raise StoreUnavailable("the store is silent")
        return await super().next_epoch(name)


async def test_the_newest_hundred_are_kept_in_order() -> None:
    box = DeadLetterBox(LocalStore(SystemClock()), "scope")
    for number in range(LETTERS_MAX + 20):
        box.put(letter(number))
        await settle()
    await box.close()

    kept = await box.latest()

    assert [each.number for each in kept] == list(range(21, LETTERS_MAX + 21))
    assert kept[-1].at_s == 1_000.0 + LETTERS_MAX + 19


async def test_each_cluster_has_its_own_box() -> None:
    store = LocalStore(SystemClock())
    box = DeadLetterBox(store, "one")
    box.put(letter(1))
    await box.close()

    assert await DeadLetterBox(store, "other").latest() == []


async def test_what_is_given_up_while_the_store_is_away_is_kept_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dead_letters, "AGAIN_S", 0.0)
    box = DeadLetterBox(AwayStore())
    box.put(letter(1))
    box.put(letter(2))
    await box.close()

    assert [each.at_s for each in await box.latest()] == [1_001.0, 1_002.0]


async def test_a_box_closes_though_the_store_stays_away() -> None:
    store = AwayStore()
    store.failures_left = 1_000_000
    box = DeadLetterBox(store)
    box.put(letter(1))

    async with asyncio.timeout(1):
        await box.close(0.0)


async def test_a_host_that_is_aborted_leaves_no_letter_being_written() -> None:
    store = AwayStore()
    store.failures_left = 1_000_000
    async with Puppet(store=store) as puppet:
        puppet.letters.put(letter(1))
        await settle()

        await puppet.exchange.abort()  # that nothing is left running, every test checks


def test_bytes_that_are_no_entry_are_named() -> None:
    assert dead_letter_from_bytes(dead_letter_to_bytes(letter(1))) == letter(1)
    with pytest.raises(WireError):
        dead_letter_from_bytes(b"\xff\xff")


async def test_an_ask_that_kills_its_recipient_fails_as_dead_lettered_and_is_kept() -> None:
    async with Puppet() as puppet:
        ask = puppet.make_ask(1)
        ask.task, ask.step = TaskId("t"), StepId("c1")
        asking = asyncio.ensure_future(puppet.exchange.ask(ask))
        puppet.connect()
        for _ in range(DEATHS_MAX):
            await settle()
            puppet.epoch += 1
            last = puppet.connect()

        with pytest.raises(DeadLettered, match="5 incarnations of puppet-0 died") as caught:
            await asking
        await settle()
        [kept] = await puppet.letters.latest()

    assert last.envelopes == []
    assert (kept.sender, kept.recipient, kept.task, kept.step) == (US, PUPPET, "t", "c1")
    assert kept.attempts == DEATHS_MAX
    assert puppet.exchange.statistics.dead_letters == 1
    again = error_from_failure(failure_from_error(caught.value))
    assert (type(again), again.is_retryable) == (DeadLettered, False)


async def test_what_waits_behind_a_suspect_goes_when_nobody_waits_for_that() -> None:
    async with Puppet() as puppet:
        first, second = puppet.make_ask(1), puppet.make_ask(2)
        second.step = StepId("c2")
        asks = [asyncio.ensure_future(puppet.exchange.ask(each)) for each in (first, second)]
        connection = puppet.connect()
        for _ in range(SUSPECT_DEATHS):
            await settle()
            puppet.epoch += 1
            connection = puppet.connect()
        await settle()
        connection.say(Batch((), (puppet.ack(1, limit=257),)))
        assert connection.envelopes == [first]

        puppet.exchange.asks.forget(first.id)
        await settle()

        assert connection.envelopes == [first, second]
        for each in asks:
            each.cancel()


async def test_a_neighbour_of_poison_is_answered() -> None:
    async with Puppet() as puppet:
        poison, neighbour = puppet.make_ask(1), puppet.make_ask(2)
        poison.step = StepId("poison")
        asks = [asyncio.ensure_future(puppet.exchange.ask(each)) for each in (poison, neighbour)]
        connection = puppet.connect()
        for _ in range(DEATHS_MAX):
            await settle()
            if poison in connection.envelopes:
                puppet.epoch += 1
                connection = puppet.connect()
        await settle()

        assert connection.envelopes == [neighbour]
        assert isinstance(asks[0].exception(), DeadLettered)
        asks[1].cancel()
