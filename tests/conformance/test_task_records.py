"""The records and their twin keep the same promises."""

from __future__ import annotations

import time

import pytest

from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.memory.task_records.port import KEY_KEPT_S, RECORD_KEPT_S, KeyUse, TaskFilter
from cluster.memory.task_records.redis import RedisTaskRecords
from tests.conformance.task_records_contract import (
    PROMISES,
    TOOL,
    Promise,
    listed,
    record,
    summary,
    task_id,
)
from tests.support.clock import ManualClock

each_promise = pytest.mark.parametrize(
    "promise", [pytest.param(promise, id=promise.__name__) for promise in PROMISES]
)


@each_promise
async def test_the_local_records_keep_their_promises(promise: Promise) -> None:
    await promise(LocalTaskRecords(ManualClock(wall=time.time())))


@pytest.mark.integration
@each_promise
async def test_the_redis_records_keep_their_promises(
    promise: Promise, redis_store: RedisStore
) -> None:
    await promise(RedisTaskRecords(redis_store, "cluster"))


async def test_the_local_records_are_kept_for_their_time() -> None:
    clock = ManualClock()
    records = LocalTaskRecords(clock)
    await records.ended(record(1), tokens=0)
    first, second = KeyUse(task_id(1), "one"), KeyUse(task_id(2), "two")
    await records.use_key(TOOL, "key", first)

    clock.advance(KEY_KEPT_S - 1)
    assert await records.use_key(TOOL, "key", second) == first
    clock.advance(1)
    assert await records.use_key(TOOL, "key", second) == second
    clock.advance(RECORD_KEPT_S - KEY_KEPT_S - 1)
    assert await listed(records) == [1]
    clock.advance(1)
    assert await listed(records) == []
    assert await records.record(task_id(1)) is None


_MEMBERS = """
local found = {}
for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do
  if redis.call('TYPE', key).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do found[#found + 1] = member end
  end
end
return found
"""
_LET_EXPIRE = """
redis.call('DEL', KEYS[1] .. 'task:' .. ARGV[1])
redis.call('ZADD', KEYS[1] .. 'listed', 1, ARGV[1] .. ARGV[2])
"""
_TIMES_TO_LIVE = """
local found = {}
for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do
  found[#found + 1] = redis.call('PTTL', key)
end
return found
"""
_KEYS = ["task_records:cluster:"]


@pytest.mark.integration
async def test_what_redis_has_let_expire_leaves_the_lists(redis_store: RedisStore) -> None:
    records = RedisTaskRecords(redis_store, "cluster")
    for number in (1, 2):
        await records.ended(record(number, TOOL), tokens=0)
        expired = [task_id(number), f" answered {TOOL}"]
        await redis_store.run_script(_LET_EXPIRE, _KEYS, expired)
    assert await listed(records, TaskFilter(owner=TOOL)) == []

    await records.began(summary(3, TOOL))

    assert await listed(records, TaskFilter(owner=TOOL)) == [3]
    members = await redis_store.run_script(_MEMBERS, _KEYS, [])
    assert {member.decode().split()[0] for member in members} == {task_id(3)}


@pytest.mark.integration
async def test_nothing_that_redis_has_stays_for_ever(redis_store: RedisStore) -> None:
    records = RedisTaskRecords(redis_store, "cluster")
    await records.admit(task_id(1), TOOL, time.time() + 900, 5)
    await records.admit(task_id(2), TOOL, time.time() + 600, 5)
    await records.began(summary(1, TOOL))
    await records.ended(record(3, TOOL), tokens=4)
    await records.use_key(TOOL, "key", KeyUse(task_id(1), "digest"))

    left_ms = await redis_store.run_script(_TIMES_TO_LIVE, _KEYS, [])

    assert len(left_ms) == 12
    assert all(600_000 < each <= RECORD_KEPT_S * 1000 for each in left_ms)


@pytest.mark.integration
async def test_the_redis_records_of_another_cluster_are_not_seen(redis_store: RedisStore) -> None:
    await RedisTaskRecords(redis_store, "one").began(summary(1))

    assert await listed(RedisTaskRecords(redis_store, "two")) == []
