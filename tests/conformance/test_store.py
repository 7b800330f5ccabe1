"""The store and its twin keep the same promises; on Redis also on the event loop that Ray uses."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from cluster.memory.store.local import LocalStore
from cluster.memory.store.redis import RedisStore
from tests.conformance.store_contract import (
    PROMISES,
    Promise,
    Subject,
    cancelled_calls_end_and_never_mix_up_replies,
)
from tests.support.clock import ManualClock

each_promise = pytest.mark.parametrize(
    "promise", [pytest.param(promise, id=promise.__name__) for promise in PROMISES]
)


def _on_redis(store: RedisStore) -> Subject:
    async def pass_time(seconds: float) -> None:
        now = asyncio.get_running_loop().time
        until = now() + seconds
        while now() < until:
            await store.ping()

    return Subject(store, pass_time)


@each_promise
async def test_the_local_store_keeps_its_promises(promise: Promise) -> None:
    clock = ManualClock()

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    await promise(Subject(LocalStore(clock), pass_time))


@pytest.mark.integration
@each_promise
async def test_the_redis_store_keeps_its_promises(
    promise: Promise, redis_store: RedisStore
) -> None:
    await promise(_on_redis(redis_store))


@pytest.mark.integration
def test_replies_are_never_mixed_up_on_uvloop(redis_url: str, redis_prefix: str) -> None:
    async def storm() -> None:
        store = await RedisStore.connect(redis_url, redis_prefix, timeout_s=20.0)
        try:
            await cancelled_calls_end_and_never_mix_up_replies(_on_redis(store))
        finally:
            await store.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(storm())
