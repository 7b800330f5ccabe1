"""The namespaces and their twin keep the same promises."""

from __future__ import annotations

import asyncio

import pytest

from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.local import LocalStore
from cluster.memory.store.redis import RedisStore
from tests.conformance.namespaces_contract import PROMISES, NamespacesSubject, Promise
from tests.support.clock import ManualClock

each_promise = pytest.mark.parametrize(
    "promise", [pytest.param(promise, id=promise.__name__) for promise in PROMISES]
)


@each_promise
async def test_the_local_namespaces_keep_their_promises(promise: Promise) -> None:
    clock = ManualClock()

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    await promise(NamespacesSubject(LocalNamespaces(LocalStore(clock), clock), pass_time))


@pytest.mark.integration
@each_promise
async def test_the_redis_namespaces_keep_their_promises(
    promise: Promise, redis_store: RedisStore
) -> None:
    async def pass_time(seconds: float) -> None:
        now = asyncio.get_running_loop().time
        until = now() + seconds
        while now() < until:
            await redis_store.ping()

    await promise(NamespacesSubject(RedisNamespaces(redis_store), pass_time))
