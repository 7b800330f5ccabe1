"""The feed and its twin keep the same promises."""

from __future__ import annotations

import pytest

from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.memory.feed.local import LocalTaskFeed
from cluster.memory.feed.port import ENDED_KEPT_S, SILENT_KEPT_S, FeedTail
from cluster.memory.feed.redis import RedisTaskFeed
from cluster.memory.store.redis import RedisStore
from tests.conformance.feed_contract import PROMISES, TASK, Promise
from tests.support.clock import ManualClock

each_promise = pytest.mark.parametrize(
    "promise", [pytest.param(promise, id=promise.__name__) for promise in PROMISES]
)


@each_promise
async def test_the_local_feed_keeps_its_promises(promise: Promise) -> None:
    await promise(LocalTaskFeed(ManualClock()))


@pytest.mark.integration
@each_promise
async def test_the_redis_feed_keeps_its_promises(promise: Promise, redis_store: RedisStore) -> None:
    feed = RedisTaskFeed(redis_store, "cluster")
    await promise(feed)
    await feed.close()


@pytest.mark.parametrize(("is_final", "kept_s"), [(True, ENDED_KEPT_S), (False, SILENT_KEPT_S)])
async def test_the_local_feed_is_kept_for_its_time(
    is_final: bool,  # noqa: FBT001 - a parameter of the test
    kept_s: float,
) -> None:
    clock = ManualClock()
    feed = LocalTaskFeed(clock)
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1, is_final=is_final)

    clock.advance(kept_s - 1)
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 1), 1, is_final)
    clock.advance(1)
    assert await feed.tail(TASK) == FeedTail()
    assert (await feed.read(TASK, BEFORE_ALL, 10)).entries == ()


_TIMES_TO_LIVE = "return {redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2])}"


@pytest.mark.integration
@pytest.mark.parametrize(("is_final", "kept_s"), [(True, ENDED_KEPT_S), (False, SILENT_KEPT_S)])
async def test_the_redis_feed_is_kept_for_its_time(
    is_final: bool,  # noqa: FBT001 - a parameter of the test
    kept_s: float,
    redis_store: RedisStore,
) -> None:
    feed = RedisTaskFeed(redis_store, "cluster")
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1, is_final=is_final)

    keys = [f"feed:cluster:{what}:{TASK}" for what in ("facts", "stream")]
    for left_ms in await redis_store.run_script(_TIMES_TO_LIVE, keys, []):
        assert kept_s - 60 < left_ms / 1000 <= kept_s


@pytest.mark.integration
async def test_the_redis_feed_of_another_cluster_is_not_seen(redis_store: RedisStore) -> None:
    await RedisTaskFeed(redis_store, "one").append(TASK, Cursor(1, 1), [b"one"], index=1)

    assert await RedisTaskFeed(redis_store, "two").tail(TASK) == FeedTail()
