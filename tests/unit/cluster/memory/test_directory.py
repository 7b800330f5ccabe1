"""The directory's cache: many who look at once cost one reading, and share how it went."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.cache_statistics import CacheStatistics, NamespaceStatistics
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from cluster.memory.directory import CACHE_S, Directory
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock

HELD = CacheStatistics(
    (NamespaceStatistics("docs", 3, 20, 5, 9_000, 1, "no room"),), 1, 2, 3, 4, 5.0
)
CODER = Registration(
    AgentId("coder-0"),
    "127.0.0.1:1",
    1,
    2,
    "runs code",
    ("Program",),
    7,
    HELD,
    ("Board.verdict",),
    subscribes=("prices",),
    pure=("Program",),
)


class SlowStore(LocalStore):
    """Lists leases when it is let; counts how often it was asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked = 0
        self.is_down = False
        self.go = asyncio.Event()

    async def leases(self) -> dict[str, bytes]:
        self.asked += 1
        await self.go.wait()
        if self.is_down:
            raise StoreUnavailable("gone")
        return await super().leases()


async def opened() -> tuple[Directory, SlowStore, ManualClock]:
    clock = ManualClock()
    store = SlowStore(clock)
    directory = Directory(store, clock)
    await directory.next_epoch(CODER.agent)
    await directory.put(CODER)
    return directory, store, clock


async def look(directory: Directory, times: int) -> list[asyncio.Task[list[Registration]]]:
    looking = [asyncio.ensure_future(directory.replicas("coder")) for _ in range(times)]
    await asyncio.sleep(0)
    return looking


async def test_many_who_look_at_once_cost_one_reading() -> None:
    directory, store, _ = await opened()
    looking = await look(directory, 64)
    store.go.set()

    assert await asyncio.gather(*looking) == [[CODER]] * 64
    assert store.asked == 1


async def test_what_is_read_is_good_for_a_while_and_then_read_again() -> None:
    directory, store, clock = await opened()
    store.go.set()
    for step_s in (0.0, CACHE_S / 2, CACHE_S):
        clock.advance(step_s)
        await directory.all()

    assert store.asked == 2
    await directory.all(is_fresh=True)
    assert store.asked == 3


async def test_who_reads_for_others_may_be_cancelled_and_another_one_reads() -> None:
    directory, store, _ = await opened()
    first, *others = await look(directory, 3)
    first.cancel()
    store.go.set()

    assert await asyncio.gather(*others) == [[CODER]] * 2
    assert store.asked == 2


async def test_a_reading_that_fails_fails_for_all_who_wait_at_once() -> None:
    directory, store, _ = await opened()
    store.is_down = True
    looking = await look(directory, 3)
    store.go.set()
    outcomes = await asyncio.gather(*looking, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    assert store.asked == 1
    store.is_down = False
    assert await directory.replicas("coder") == [CODER]


async def test_without_the_store_what_was_known_is_told_unless_it_must_be_fresh() -> None:
    directory, store, clock = await opened()
    store.go.set()
    await directory.all()
    store.is_down = True
    clock.advance(2 * CACHE_S)

    assert await directory.replicas("coder") == [CODER]
    with pytest.raises(StoreUnavailable):
        await directory.all(is_fresh=True)


async def test_leases_of_the_dead_are_outlasted_and_those_of_the_living_are_named() -> None:
    directory, store, clock = await opened()
    store.go.set()

    async def pass_s(seconds: float) -> None:
        clock.advance(seconds)

    async def pass_and_renew(seconds: float) -> None:
        clock.advance(seconds)
        await directory.put(CODER)

    living = await directory.outlast(pass_and_renew)
    asked_before = store.asked
    dead = await directory.outlast(pass_s)

    assert ([each.agent for each in living], dead) == ([CODER.agent], [])
    assert store.asked > asked_before


async def test_a_cluster_of_which_nothing_is_left_waits_for_nobody() -> None:
    directory, store, _ = await opened()
    store.go.set()
    await directory.drop(CODER)

    assert await directory.outlast(pause=never) == []


async def never(_seconds: float) -> None:
    raise AssertionError("there was nobody to wait for")
