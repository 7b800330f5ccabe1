"""The logs of shared state and their twin keep the same promises."""

from __future__ import annotations

import asyncio

import pytest

from cluster.memory.state.local import LocalStateLog
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.local import LocalStore
from cluster.memory.store.redis import RedisStore
from tests.conformance.state_log_contract import PROMISES, Promise, StateLogSubject
from tests.conformance.state_log_workload import Workload
from tests.conformance.step_marks_contract import STEP_PROMISES
from tests.support.clock import ManualClock

each_promise = pytest.mark.parametrize(
    "promise",
    [pytest.param(promise, id=promise.__name__) for promise in (*PROMISES, *STEP_PROMISES)],
)


@each_promise
async def test_the_local_log_keeps_its_promises(promise: Promise) -> None:
    clock = ManualClock()
    store = LocalStore(clock)

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    await promise(StateLogSubject(LocalStateLog(clock, store), store, pass_time))


@pytest.mark.integration
@each_promise
async def test_the_redis_log_keeps_its_promises(promise: Promise, redis_store: RedisStore) -> None:
    async def pass_time(seconds: float) -> None:
        now = asyncio.get_running_loop().time
        until = now() + seconds
        while now() < until:
            await redis_store.ping()

    await promise(StateLogSubject(RedisStateLog(redis_store), redis_store, pass_time))


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(12))
async def test_both_answer_the_same_whatever_is_asked(redis_store: RedisStore, seed: int) -> None:
    real = Workload(RedisStateLog(redis_store), seed)
    twin = Workload(LocalStateLog(ManualClock()), seed)

    for _ in range(60):
        assert await real.turn() == await twin.turn()
