"""Logs of shared state on a real server: a full memory, a replica, kills, and what is left over."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cluster.kernel.errors import StaleEpoch, StoreUnavailable
from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.memory.state.entries import (
    Appended,
    Begun,
    LogEntry,
    LogSnapshot,
    PendingEdit,
    StepKey,
)
from cluster.memory.state.limits import (
    APPEND_EDITS_MAX,
    DELETED_KEPT_S,
    PERSON_KEPT_S,
    STEPS_KEPT_S,
)
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from tests.support.redis import kept_alive, until_it_answers

pytestmark = pytest.mark.integration

TASK, STEP = TaskId("task"), StepId("r1")
FIRST = StepKey(TASK, STEP)
PERSON = StepKey(NO_TASK, StepId("person/1"))
DOCUMENT = "task/task/Board/"
EDITS = [PendingEdit(1, b"1"), PendingEdit(2, b"2")]
ENTRIES = (LogEntry(1, b"1"), LogEntry(2, b"2"))


@pytest.fixture
def own_url() -> Iterator[str]:
    """A server for one test, which may spoil it."""
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def all_keys(client: Redis) -> dict[str, bytes | None]:
    """Every key of a server with what it holds."""
    return {key: await client.dump(key) async for key in client.scan_iter()}


async def all_entries(log: RedisStateLog) -> list[LogEntry]:
    """The document's log, page after page."""
    found: list[LogEntry] = []
    while page := (await log.read(DOCUMENT, len(found))).entries:
        found += page
    return found


async def times_left_s(admin: Redis, prefix: str) -> dict[str, int]:
    """The time to live of each key, by the key without the beginning that all have."""
    start = f"{prefix}state:"
    keys = [key async for key in admin.scan_iter(f"{start}*")]
    return {key.removeprefix(start): await admin.ttl(key) for key in keys}


async def test_a_server_that_takes_no_more_changes_nothing_and_reads_go_on(own_url: str) -> None:
    store = await RedisStore.connect(own_url)
    log = RedisStateLog(store)
    await log.begin(TASK, STEP)
    await log.append(DOCUMENT, FIRST, EDITS)
    await log.settle(TASK, STEP)
    head = (await log.heads([DOCUMENT]))[DOCUMENT]
    async with Redis.from_url(own_url) as admin:
        before = await all_keys(admin)
        await admin.config_set("maxmemory", 1)
        writes = (
            log.append(DOCUMENT, FIRST, [PendingEdit(3, b"3")]),
            log.append("cluster/New/", FIRST, EDITS, ttl_s=60.0),
            log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(1, b"x")),
            log.begin(TASK, StepId("c1")),
            log.expire(TASK, 60.0),
        )
        for write in writes:
            with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
                await write
        assert await all_keys(admin) == before
        assert (await log.read(DOCUMENT)).entries == ENTRIES
        assert await log.append(DOCUMENT, FIRST, EDITS) == Appended(2, 0)
        await log.delete(DOCUMENT)
        assert await log.names() == []
    await store.close()


async def test_a_server_that_became_a_replica_refuses_what_writes(own_url: str) -> None:
    store = await RedisStore.connect(own_url)
    log = RedisStateLog(store)
    await log.append(DOCUMENT, FIRST, EDITS)
    async with Redis.from_url(own_url) as admin:
        await admin.replicaof("127.0.0.1", 1)
        for write in (log.append(DOCUMENT, PERSON, EDITS), log.delete(DOCUMENT)):
            with pytest.raises(StoreUnavailable, match=r"refused a command.*replica"):
                await write
        assert (await log.read(DOCUMENT)).entries == ENTRIES
        assert await log.names() == [DOCUMENT]
        await admin.replicaof("NO", "ONE")

    assert await log.append(DOCUMENT, PERSON, EDITS) == Appended(4, 2)
    await store.close()


async def test_edits_count_once_however_often_the_server_is_killed(tmp_path: Path) -> None:
    kills, writers = 8, 4
    acknowledged = dict.fromkeys(range(writers), 0)
    is_over = asyncio.Event()

    async def write(log: RedisStateLog, who: int) -> None:
        """Append until it is over, repeating with more what was not answered."""
        step, waiting = StepKey(TASK, StepId(f"s{who}")), 0
        while waiting or not is_over.is_set():
            waiting = min(waiting + (not is_over.is_set()), APPEND_EDITS_MAX)
            ordinals = range(acknowledged[who] + 1, acknowledged[who] + waiting + 1)
            edits = [PendingEdit(each, b"%d/%d" % (who, each)) for each in ordinals]
            with suppress(StoreUnavailable):
                await log.append(DOCUMENT, step, edits)
                acknowledged[who] += waiting
                waiting = 0
            await asyncio.sleep(0)

    async with kept_alive(tmp_path) as url:
        store = await RedisStore.connect(url)
        log = RedisStateLog(store)
        pid = await until_it_answers(url)
        async with asyncio.TaskGroup() as group:
            for who in acknowledged:
                group.create_task(write(log, who))
            for kill in range(kills):
                enough = sum(acknowledged.values()) + 10 + 7 * kill
                while sum(acknowledged.values()) < enough:  # noqa: ASYNC110 - of several writers
                    await asyncio.sleep(0)
                os.kill(pid, signal.SIGKILL)
                pid = await until_it_answers(url, pid)
            is_over.set()
        entries = await all_entries(log)
        await store.close()

    assert [each.version for each in entries] == list(range(1, len(entries) + 1))
    for who, count in acknowledged.items():
        written = [each.data for each in entries if each.data.startswith(b"%d/" % who)]
        assert written == [b"%d/%d" % (who, each) for each in range(1, count + 1)]


async def test_a_server_that_was_killed_knows_attempts_snapshots_and_tombstones(
    tmp_path: Path,
) -> None:
    async with kept_alive(tmp_path) as url:
        store = await RedisStore.connect(url)
        log = RedisStateLog(store)
        await log.begin(TASK, STEP)
        await log.append(DOCUMENT, FIRST, EDITS)
        await log.append("cluster/Board/", PERSON, EDITS)
        gone = await log.delete("cluster/Board/")
        head = (await log.heads([DOCUMENT]))[DOCUMENT]
        await log.settle(TASK, STEP)
        await log.begin(TASK, StepId("c1"))
        await log.append(DOCUMENT, StepKey(TASK, StepId("c1")), EDITS)
        await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(1, b"x"))
        page = await log.read(DOCUMENT)
        pid = await until_it_answers(url)
        os.kill(pid, signal.SIGKILL)
        await until_it_answers(url, pid)

        assert await log.read(DOCUMENT) == page
        assert await log.heads(["cluster/Board/"]) == {"cluster/Board/": gone}
        assert await log.begin(TASK, StepId("c1")) == Begun(2, (DOCUMENT,))
        with pytest.raises(StaleEpoch):
            await log.begin(TASK, STEP)
        await store.close()


async def test_what_is_of_nobody_expires(
    redis_store: RedisStore, redis_prefix: str, admin: Redis
) -> None:
    log = RedisStateLog(redis_store)
    await log.begin(TASK, STEP)
    await log.append(DOCUMENT, FIRST, EDITS)
    await log.append("cluster/Board/", PERSON, EDITS)
    await log.append("cluster/Gone/", PERSON, EDITS)
    await log.delete("cluster/Gone/")
    left = await times_left_s(admin, redis_prefix)
    forever = {key for key, seconds in left.items() if seconds == -1}

    board = {"head:cluster/Board/", "log:cluster/Board/"}
    task = {f"head:{DOCUMENT}", f"log:{DOCUMENT}", f"open:{DOCUMENT}"}
    assert forever == {*board, *task, "names", "feed", "begun"}
    assert 0.9 * STEPS_KEPT_S < left["task:task"] <= STEPS_KEPT_S
    assert 0.9 * PERSON_KEPT_S < left["task:person/1"] <= PERSON_KEPT_S
    assert 0.9 * DELETED_KEPT_S < left["head:cluster/Gone/"] <= DELETED_KEPT_S

    await log.expire(TASK, 60.0)
    left = await times_left_s(admin, redis_prefix)
    assert {key for key in left if 0 < left[key] <= 60} == {*task, "task:task"}


async def test_a_document_with_a_life_leaves_nothing_when_it_has_passed(
    redis_store: RedisStore, redis_prefix: str, admin: Redis
) -> None:
    log = RedisStateLog(redis_store)
    await log.append(DOCUMENT, PERSON, EDITS, ttl_s=60.0)
    await log.append(DOCUMENT, FIRST, EDITS)
    head = (await log.heads([DOCUMENT]))[DOCUMENT]
    await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(2, b"x"))
    left = await times_left_s(admin, redis_prefix)
    assert {left[f"{part}:{DOCUMENT}"] > 0 for part in ("head", "log", "open")} == {True}

    await admin.delete(*(f"{redis_prefix}state:{part}:{DOCUMENT}" for part in ("head", "open")))
    await admin.zadd(f"{redis_prefix}state:expiring", {DOCUMENT: 1})
    await log.append("cluster/Board/", PERSON, EDITS)
    assert await admin.zrange(f"{redis_prefix}state:names", 0, -1) == ["cluster/Board/"]
    assert await admin.zcard(f"{redis_prefix}state:expiring") == 0
    assert await log.append(DOCUMENT, FIRST, EDITS) == Appended(2, 2), "what is left is not read"
    assert (await log.read(DOCUMENT)).entries == ENTRIES


async def test_a_document_that_comes_again_without_a_life_is_not_waited_for(
    redis_store: RedisStore, redis_prefix: str, admin: Redis
) -> None:
    log = RedisStateLog(redis_store)
    await log.append(DOCUMENT, PERSON, EDITS, ttl_s=60.0)
    await admin.delete(f"{redis_prefix}state:head:{DOCUMENT}")
    await log.append(DOCUMENT, PERSON, EDITS)

    assert await admin.zcard(f"{redis_prefix}state:expiring") == 0
    assert await log.names() == [DOCUMENT]


async def test_a_task_that_is_not_ended_is_forgotten_in_the_end(
    redis_store: RedisStore, redis_prefix: str, admin: Redis
) -> None:
    log = RedisStateLog(redis_store)
    await log.append("cluster/Board/", FIRST, EDITS)
    assert 0 < (await times_left_s(admin, redis_prefix))["task:task"] <= STEPS_KEPT_S

    await admin.delete(f"{redis_prefix}state:task:task")
    head = (await log.heads(["cluster/Board/"]))["cluster/Board/"]
    assert await log.put_snapshot("cluster/Board/", head.incarnation, LogSnapshot(2, b"x"))
    assert "open:cluster/Board/" not in await times_left_s(admin, redis_prefix)


async def test_clusters_of_other_prefixes_have_documents_of_their_own(
    redis_store: RedisStore, redis_prefix: str, redis_url: str
) -> None:
    log = RedisStateLog(redis_store)
    await log.append(DOCUMENT, FIRST, EDITS)
    other = await RedisStore.connect(redis_url, f"{redis_prefix}other:")
    theirs = RedisStateLog(other)
    feed = await theirs.feed()
    await log.append(DOCUMENT, PERSON, EDITS)

    assert (await theirs.names(), (await theirs.read(DOCUMENT)).entries) == ([], ())
    assert await theirs.begin(TASK, STEP) == Begun(1, ())
    assert await feed.wait(0.0) == set()
    await feed.close()
    await other.close()


async def test_a_feed_goes_on_after_its_server_was_started_again(tmp_path: Path) -> None:
    async with kept_alive(tmp_path) as url:
        pid = await until_it_answers(url)
        store = await RedisStore.connect(url)
        log = RedisStateLog(store)
        feed = await log.feed()
        os.kill(pid, signal.SIGKILL)
        with suppress(StoreUnavailable):
            await feed.wait(20.0)
        await until_it_answers(url, pid)
        await log.append(DOCUMENT, FIRST, EDITS)

        assert await feed.wait(20.0) == {DOCUMENT}
        await feed.close()
        await store.close()
