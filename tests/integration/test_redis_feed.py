"""Feeds on a real server: readers that are cut, a server that is killed, or full; what waits."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StaleEpoch, StoreUnavailable, UsageError
from cluster.kernel.events import Event, Thought, WasCancelled
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.memory.feed.port import FeedTail
from cluster.memory.feed.redis import APPENDS_MAX, RedisTaskFeed
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from cluster.runtime.driver.detached import TaskStores
from cluster.runtime.driver.watching import Watching
from cluster.wire.messages import MessageCodec
from tests.support.redis import kept_alive, until_it_answers

pytestmark = pytest.mark.integration

TASK = TaskId("task")
CUTS = 50
TASKS = 200
CODEC = MessageCodec()


def entry(number: int, *, is_final: bool = False) -> bytes:
    """Return an event that says its number."""
    detail = WasCancelled(str(number)) if is_final else Thought(str(number))
    return CODEC.encode(Event(1.0, TASK, AgentId("researcher-0"), NO_STEP, detail))[1]


@asynccontextmanager
async def watcher(url: str, prefix: str) -> AsyncIterator[Watching]:
    """Watch as a process of its own does, with connections of its own."""
    store = await RedisStore.connect(url, prefix)
    feed = RedisTaskFeed(store, "c")
    watching = Watching(feed, TaskStores(feed), MessageCodec(), SystemClock())
    yield watching
    await watching.close()
    await feed.close()
    await store.close()


async def test_a_reader_that_is_cut_and_goes_on_elsewhere_sees_each_event_once(
    redis_url: str, redis_prefix: str, redis_store: RedisStore
) -> None:
    feed, rng = RedisTaskFeed(redis_store, "c"), random.Random(50)
    events = 4 * CUTS

    async def write() -> None:
        for number in range(1, events + 1):
            is_final = number == events
            written = [entry(number, is_final=is_final)]
            await feed.append(TASK, Cursor(1, number), written, index=0, is_final=is_final)

    async with (
        watcher(redis_url, redis_prefix) as one,
        watcher(redis_url, redis_prefix) as another,
    ):
        await feed.append(TASK, Cursor(1, 1), [entry(1)], index=0)
        writing = asyncio.ensure_future(write())
        seen: list[Cursor] = []
        for cut in range(CUTS + 1):
            replica = (one, another)[cut % 2]
            wanted = rng.randrange(1, 6) if cut < CUTS else events
            after = seen[-1] if seen else BEFORE_ALL
            async with aclosing(replica.events(TASK, after)) as shown:
                async for cursor, _ in shown:
                    seen.append(cursor)
                    wanted -= 1
                    if not wanted:
                        break
        await writing

    assert seen == [Cursor(1, number) for number in range(1, events + 1)]


async def test_a_wait_may_be_longer_than_the_store_has_time_to_answer(
    redis_url: str, redis_prefix: str
) -> None:
    store = await RedisStore.connect(redis_url, redis_prefix, timeout_s=1.0)
    feed = RedisTaskFeed(store, "c")

    assert await feed.wait({TASK: BEFORE_ALL}, 1.2) == frozenset()

    await feed.close()
    await store.close()


async def test_waits_that_are_cancelled_leave_no_connection(
    redis_url: str, redis_prefix: str, redis_store: RedisStore
) -> None:
    feed = RedisTaskFeed(redis_store, "c")
    async with Redis.from_url(redis_url) as admin:

        async def blocked() -> int:
            return int((await admin.info("clients"))["blocked_clients"])

        async def until_blocked(count: int) -> None:
            async with asyncio.timeout(20.0):
                while True:
                    if await blocked() == count:
                        return
                    await asyncio.sleep(0.005)

        await until_blocked(0)
        before = int((await admin.info("clients"))["connected_clients"])
        for _ in range(20):
            waiting = asyncio.ensure_future(feed.wait({TASK: BEFORE_ALL}, 60.0))
            await until_blocked(1)
            waiting.cancel()
            await asyncio.wait([waiting])
            await until_blocked(0)
        assert int((await admin.info("clients"))["connected_clients"]) <= before + 1
    await feed.close()


async def test_followers_go_on_when_the_server_was_killed(tmp_path: Path) -> None:
    async with kept_alive(tmp_path) as url:
        pid = await until_it_answers(url)
        store = await RedisStore.connect(url, "own:")
        feed = RedisTaskFeed(store, "c")
        async with watcher(url, "own:") as watching:
            await feed.append(TASK, Cursor(1, 1), [entry(1)], index=0)
            async with aclosing(watching.events(TASK, BEFORE_ALL)) as shown:
                assert (await anext(shown))[0] == Cursor(1, 1)
                following = asyncio.ensure_future(anext(shown))
                await asyncio.sleep(0.1)
                os.kill(pid, signal.SIGKILL)
                await until_it_answers(url, pid)
                await feed.append(TASK, Cursor(1, 2), [entry(2)], index=0)
                assert (await following)[0] == Cursor(1, 2)
        await feed.close()
        await store.close()


async def test_a_server_that_is_full_refuses_an_append_whole() -> None:
    with EmbeddedRedis(is_temporary=True) as server:
        store = await RedisStore.connect(server.url, "own:")
        feed = RedisTaskFeed(store, "c")
        async with Redis.from_url(server.url) as admin:
            await feed.append(TASK, Cursor(1, 1), [entry(1)], index=1)
            await admin.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable, match="is full"):
                await feed.append(TASK, Cursor(1, 2), [entry(2), entry(3)], index=2, is_final=True)
            assert await feed.tail(TASK) == FeedTail(Cursor(1, 1), 1)
            await admin.config_set("maxmemory", 0)
            await feed.append(TASK, Cursor(1, 2), [entry(2), entry(3)], index=2, is_final=True)
        assert await feed.tail(TASK) == FeedTail(Cursor(1, 3), 2, is_final=True)
        await feed.close()
        await store.close()


async def test_appends_of_one_moment_are_few_commands_and_have_each_its_own_outcome(
    redis_store: RedisStore, redis_url: str
) -> None:
    feed = RedisTaskFeed(redis_store, "c")
    tasks = [TaskId(f"task-{number}") for number in range(TASKS)]
    await feed.append(tasks[0], Cursor(2, 1), [entry(1)], index=1)
    async with Redis.from_url(redis_url) as admin:
        before = (await admin.info("commandstats"))["cmdstat_evalsha"]["calls"]
        outcomes = await asyncio.gather(
            *(
                feed.append(task, Cursor(1, 1), [entry(1), entry(2)], index=2)
                for task in tasks[:-1]
            ),
            feed.append(tasks[-1], Cursor(1, 5), [entry(1)], index=1),
            return_exceptions=True,
        )
        commands = (await admin.info("commandstats"))["cmdstat_evalsha"]["calls"] - before
    assert commands <= TASKS / APPENDS_MAX + 2  # the first goes alone
    assert [type(each) for each in (outcomes[0], outcomes[-1])] == [StaleEpoch, UsageError]
    assert set(outcomes[1:-1]) == {None}
    for task in tasks[1:-1]:
        assert len((await feed.read(task, BEFORE_ALL, 9)).entries) == 2
    assert await feed.tail(tasks[-1]) == FeedTail()
    await feed.close()


async def test_an_append_that_is_given_up_takes_no_other_along(redis_store: RedisStore) -> None:
    feed = RedisTaskFeed(redis_store, "c")
    tasks = [TaskId(f"task-{number}") for number in range(TASKS)]
    appends = [
        asyncio.ensure_future(feed.append(task, Cursor(1, 1), [entry(1)], index=1))
        for task in tasks
    ]
    await asyncio.sleep(0)
    for each in appends[::2]:
        each.cancel()
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert set(outcomes[1::2]) == {None}
    for task in tasks[1::2]:
        assert await feed.tail(task) == FeedTail(Cursor(1, 1), 1)
    await feed.close()


async def test_a_feed_that_is_closed_answers_those_who_append(redis_store: RedisStore) -> None:
    feed = RedisTaskFeed(redis_store, "c")
    appends = [
        asyncio.ensure_future(feed.append(TaskId(f"{n}"), Cursor(1, 1), [entry(1)], index=1))
        for n in range(TASKS)
    ]
    await asyncio.sleep(0)
    await feed.close()
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert {type(each) for each in outcomes} == {StoreUnavailable}
