"""What every `cluster.memory.store.port.Store` promises, as checks that run against each of them.

`tests/conformance/test_store.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.store.port import Store


@dataclass(frozen=True, slots=True)
class Subject:
    """A store to be judged, and a way to let time pass for it."""

    store: Store
    pass_time: Callable[[float], Awaitable[None]]


Promise = Callable[[Subject], Awaitable[None]]


async def values_come_back_in_the_order_of_their_keys(subject: Subject) -> None:
    await subject.store.put_many({"a": b"1", "b": b"2"})
    assert await subject.store.get_many(["b", "none", "a", "b"]) == [b"2", None, b"1", b"2"]


async def a_value_is_any_bytes(subject: Subject) -> None:
    values = {"empty": b"", "zeros": b"\0\r\n\0", "all": bytes(range(256)), "large": b"x" * 2**20}
    await subject.store.put_many(values)
    assert await subject.store.get_many(list(values)) == list(values.values())


async def a_later_value_replaces_an_earlier_one(subject: Subject) -> None:
    await subject.store.put_many({"a": b"1"})
    await subject.store.put_many({"a": b"2", "b": b"3"})
    assert await subject.store.get_many(["a", "b"]) == [b"2", b"3"]


async def a_value_vanishes_after_its_time_to_live(subject: Subject) -> None:
    await subject.store.put_many({"short/a": b"1", "short/b": b"2"}, ttl_s=0.02)
    await subject.store.put_many({"long": b"3"}, ttl_s=3600.0)
    await subject.pass_time(0.03)
    assert await subject.store.get_many(["short/a", "short/b", "long"]) == [None, None, b"3"]
    assert await subject.store.items("short/") == {}


async def a_value_put_without_a_time_to_live_loses_the_one_it_had(subject: Subject) -> None:
    await subject.store.put_many({"a": b"1"}, ttl_s=0.02)
    await subject.store.put_many({"a": b"2"})
    await subject.pass_time(0.03)
    assert await subject.store.get_many(["a"]) == [b"2"]


async def a_time_to_live_that_makes_no_sense_is_refused(subject: Subject) -> None:
    for ttl_s in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="time to live"):
            await subject.store.put_many({"a": b"1"}, ttl_s)
        with pytest.raises(UsageError, match="time to live"):
            await subject.store.put_lease("name", "a", 1, b"1", ttl_s)
        with pytest.raises(UsageError, match="time to live"):
            await subject.store.put_once("name", "a", 1, b"1", ttl_s)
    assert await subject.store.get_many(["a"]) == [None]


async def deleted_keys_are_gone_and_missing_ones_are_passed_over(subject: Subject) -> None:
    await subject.store.put_many({"a": b"1", "b": b"2"})
    await subject.store.delete(["a", "none"])
    assert await subject.store.get_many(["a", "b"]) == [None, b"2"]


async def nothing_asked_is_nothing_done(subject: Subject) -> None:
    assert await subject.store.get_many([]) == []
    await subject.store.put_many({})
    await subject.store.put_many({}, ttl_s=1.0)
    await subject.store.delete([])
    assert await subject.store.items("") == {}


async def items_are_those_whose_key_starts_with_the_prefix(subject: Subject) -> None:
    await subject.store.put_many({"a/1": b"1", "a/2": b"2", "ab": b"3", "b/a/": b"4"})
    assert await subject.store.items("a/") == {"a/1": b"1", "a/2": b"2"}
    assert await subject.store.items("none/") == {}
    assert len(await subject.store.items("")) == 4


async def characters_of_patterns_in_a_prefix_stand_for_themselves(subject: Subject) -> None:
    odd = {f"a{char}z/ü€": char.encode() for char in "*?[]\\^-{}% "}
    await subject.store.put_many({**odd, "abz/ü€": b"", "a[b]z/": b"", "a-c": b""})
    for key, value in odd.items():
        assert await subject.store.items(key[:3]) == {key: value}


async def items_are_complete_where_there_are_many(subject: Subject) -> None:
    many = {f"many/{number}": b"%d" % number for number in range(12_000)}
    await subject.store.put_many({**many, "other": b""})
    assert await subject.store.items("many/") == many


async def epochs_count_from_one_for_each_name(subject: Subject) -> None:
    epochs = [await subject.store.next_epoch(name) for name in ("a", "a", "b", "a")]
    assert epochs == [1, 2, 1, 3]
    assert await subject.store.items("") == {}


async def no_epoch_is_given_out_twice_when_many_ask_at_once(subject: Subject) -> None:
    epochs = await asyncio.gather(*(subject.store.next_epoch("a") for _ in range(100)))
    assert sorted(epochs) == list(range(1, 101))


async def the_newest_epoch_holds_the_lease(subject: Subject) -> None:
    epoch = await subject.store.next_epoch("name")
    assert await subject.store.put_lease("name", "key", epoch, b"here", 3600.0) is True
    assert await subject.store.get_many(["key"]) == [b"here"]
    assert await subject.store.put_lease("name", "key", epoch, b"still here", 3600.0) is True
    assert await subject.store.get_many(["key"]) == [b"still here"]


async def an_older_epoch_neither_writes_nor_drops_the_lease(subject: Subject) -> None:
    older = await subject.store.next_epoch("name")
    newer = await subject.store.next_epoch("name")
    assert await subject.store.put_lease("name", "key", older, b"old", 3600.0) is False
    assert await subject.store.get_many(["key"]) == [None]
    await subject.store.put_lease("name", "key", newer, b"new", 3600.0)
    assert await subject.store.drop_lease("name", "key", older) is False
    assert await subject.store.get_many(["key"]) == [b"new"]


async def a_lease_ends_by_itself(subject: Subject) -> None:
    epoch = await subject.store.next_epoch("name")
    await subject.store.put_lease("name", "key", epoch, b"here", 0.02)
    await subject.pass_time(0.03)
    assert await subject.store.get_many(["key"]) == [None]


async def leases_are_listed_while_they_last(subject: Subject) -> None:
    await subject.store.put_lease("short", "agent/short", 1, b"s", 0.02)
    await subject.store.put_lease("long", "agent/long", 1, b"l", 3600.0)
    await subject.store.put_many({"agent/other": b"no lease"})
    await subject.pass_time(0.03)
    assert await subject.store.leases() == {"agent/long": b"l"}
    await subject.store.drop_lease("long", "agent/long", 1)
    assert await subject.store.leases() == {}


async def a_renewed_lease_lasts_from_its_renewal(subject: Subject) -> None:
    epoch = await subject.store.next_epoch("name")
    await subject.store.put_lease("name", "key", epoch, b"here", 0.02)
    await subject.store.put_lease("name", "key", epoch, b"here", 3600.0)
    await subject.pass_time(0.03)
    assert await subject.store.get_many(["key"]) == [b"here"]


async def the_newest_epoch_drops_its_lease(subject: Subject) -> None:
    epoch = await subject.store.next_epoch("name")
    await subject.store.put_lease("name", "key", epoch, b"here", 3600.0)
    assert await subject.store.drop_lease("name", "key", epoch) is True
    assert await subject.store.get_many(["key"]) == [None]
    assert await subject.store.drop_lease("name", "key", epoch) is True


async def an_epoch_the_store_has_lost_is_not_given_out_again(subject: Subject) -> None:
    assert await subject.store.put_lease("name", "key", 7, b"here", 3600.0) is True
    assert await subject.store.next_epoch("name") == 8


async def what_is_put_once_stays_as_it_is(subject: Subject) -> None:
    epoch = await subject.store.next_epoch("name")
    assert await subject.store.put_once("name", "key", epoch, b"first", 3600.0) is True
    assert await subject.store.put_once("name", "key", epoch, b"second", 3600.0) is False
    assert await subject.store.put_once("other", "key", 1, b"third", 3600.0) is False
    assert await subject.store.get_many(["key"]) == [b"first"]
    assert await subject.store.leases() == {}
    await subject.store.delete(["key"])
    assert await subject.store.put_once("name", "key", epoch, b"second", 3600.0) is True
    assert await subject.store.get_many(["key"]) == [b"second"]


async def what_is_put_once_vanishes_after_its_time_to_live(subject: Subject) -> None:
    assert await subject.store.put_once("name", "key", 1, b"first", 0.02) is True
    assert await subject.store.put_once("name", "key", 1, b"second", 3600.0) is False
    await subject.pass_time(0.03)
    assert await subject.store.get_many(["key"]) == [None]
    assert await subject.store.put_once("name", "key", 1, b"third", 3600.0) is True
    assert await subject.store.get_many(["key"]) == [b"third"]


async def an_older_epoch_puts_nothing_once(subject: Subject) -> None:
    older = await subject.store.next_epoch("name")
    newer = await subject.store.next_epoch("name")
    assert await subject.store.put_once("name", "key", older, b"old", 3600.0) is False
    assert await subject.store.get_many(["key"]) == [None]
    assert await subject.store.put_once("name", "key", newer, b"new", 3600.0) is True


async def an_epoch_the_store_has_lost_counts_once_something_is_put(subject: Subject) -> None:
    await subject.store.put_many({"taken": b""})
    assert await subject.store.put_once("name", "taken", 9, b"", 3600.0) is False
    assert await subject.store.put_once("name", "key", 7, b"here", 3600.0) is True
    assert await subject.store.put_once("name", "another", 6, b"", 3600.0) is False
    assert await subject.store.next_epoch("name") == 8


async def of_many_that_put_once_exactly_one_does(subject: Subject) -> None:
    values = [b"%d" % number for number in range(64)]
    puts = (subject.store.put_once("name", "key", 1, value, 3600.0) for value in values)
    outcomes = await asyncio.gather(*puts)
    assert sorted(outcomes) == [False] * 63 + [True]
    assert await subject.store.get_many(["key"]) == [values[outcomes.index(True)]]


async def a_round_trip_takes_some_time_or_none(subject: Subject) -> None:
    assert await subject.store.ping() >= 0.0


async def cancelled_calls_end_and_never_mix_up_replies(subject: Subject) -> None:
    rng = random.Random(20)
    store = subject.store
    await store.put_many({f"nonce/{number}": b"%d" % number for number in range(200)})

    async def call(number: int) -> None:
        assert await store.get_many([f"nonce/{number}"]) == [b"%d" % number]
        held = await store.put_lease("name", f"lease/{number}", number, b"%d" % number, 3600.0)
        assert held in {True, False}

    for _ in range(20):
        calls = [asyncio.create_task(call(rng.randrange(200))) for _ in range(40)]
        cancelled = []
        for victim in rng.sample(calls, 30):
            for _ in range(rng.randrange(8)):
                await asyncio.sleep(0)
            if victim.cancel():
                cancelled.append(victim)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(victim.cancelled() for victim in cancelled)
        assert {type(outcome) for outcome in outcomes} <= {type(None), asyncio.CancelledError}


PROMISES: tuple[Promise, ...] = (
    values_come_back_in_the_order_of_their_keys,
    a_value_is_any_bytes,
    a_later_value_replaces_an_earlier_one,
    a_value_vanishes_after_its_time_to_live,
    a_value_put_without_a_time_to_live_loses_the_one_it_had,
    a_time_to_live_that_makes_no_sense_is_refused,
    deleted_keys_are_gone_and_missing_ones_are_passed_over,
    nothing_asked_is_nothing_done,
    items_are_those_whose_key_starts_with_the_prefix,
    characters_of_patterns_in_a_prefix_stand_for_themselves,
    items_are_complete_where_there_are_many,
    epochs_count_from_one_for_each_name,
    no_epoch_is_given_out_twice_when_many_ask_at_once,
    the_newest_epoch_holds_the_lease,
    an_older_epoch_neither_writes_nor_drops_the_lease,
    a_lease_ends_by_itself,
    leases_are_listed_while_they_last,
    a_renewed_lease_lasts_from_its_renewal,
    the_newest_epoch_drops_its_lease,
    an_epoch_the_store_has_lost_is_not_given_out_again,
    what_is_put_once_stays_as_it_is,
    what_is_put_once_vanishes_after_its_time_to_live,
    an_older_epoch_puts_nothing_once,
    an_epoch_the_store_has_lost_counts_once_something_is_put,
    of_many_that_put_once_exactly_one_does,
    a_round_trip_takes_some_time_or_none,
    cancelled_calls_end_and_never_mix_up_replies,
)
