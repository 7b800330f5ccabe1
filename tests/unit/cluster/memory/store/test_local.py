"""What the in-memory store does beyond the contract: it follows the clock it was given."""

from __future__ import annotations

from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock


async def test_a_value_is_there_until_the_instant_it_expires() -> None:
    clock = ManualClock()
    store = LocalStore(clock)
    await store.put_many({"a": b"1"}, ttl_s=5.0)
    clock.advance(4.999)
    assert await store.get_many(["a"]) == [b"1"]
    clock.advance(0.001)
    assert await store.get_many(["a"]) == [None]


async def test_an_expired_value_stays_gone_when_the_clock_is_read_again() -> None:
    clock = ManualClock()
    store = LocalStore(clock)
    await store.put_many({"a": b"1", "b": b"2"}, ttl_s=5.0)
    clock.advance(5.0)
    assert await store.items("") == {}
    assert await store.get_many(["a", "b"]) == [None, None]


async def test_two_stores_share_nothing() -> None:
    clock = ManualClock()
    one, other = LocalStore(clock), LocalStore(clock)
    await one.put_many({"a": b"1"})
    assert await one.next_epoch("name") == 1
    assert await other.get_many(["a"]) == [None]
    assert await other.next_epoch("name") == 1
