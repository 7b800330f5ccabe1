"""Namespaces on a real server: what a full memory, eviction and other clusters do to them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import (
    UNNAMED_KEPT_S,
    Applied,
    Head,
    NamespaceLog,
    SourceChange,
    document_key,
)
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from tests.support.redis import kept_alive, until_it_answers

pytestmark = pytest.mark.integration

ONE, TWO = "1" * 32, "2" * 32
NOTHING = NamespaceLog(0, 0, [])
PUTS = [SourceChange("a", 0, ONE, b"r"), SourceChange("b", 0, TWO, b"r")]


@pytest.fixture
def own_url() -> Iterator[str]:
    """A server for one test, which may spoil it."""
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


async def test_a_server_that_takes_no_more_refuses_changes_as_a_whole(own_url: str) -> None:
    store = await RedisStore.connect(own_url)
    namespaces = RedisNamespaces(store)
    await namespaces.store_documents({ONE: b"one", TWO: b"two"})
    async with Redis.from_url(own_url) as admin:
        await admin.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
            await namespaces.apply("n", PUTS)
        with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
            await namespaces.store_documents({ONE: b"again"})
        with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
            await namespaces.apply("n", PUTS, documents={ONE: b"again"})
        assert (await namespaces.entries("n"), await namespaces.names()) == (NOTHING, {})
        await admin.config_set("maxmemory", 0)

    assert await namespaces.apply("n", PUTS) == Applied(2)
    assert await namespaces.documents([ONE, TWO]) == [b"one", b"two"]
    await store.close()


async def test_a_server_that_became_a_replica_refuses_changes_and_new_clients(
    own_url: str,
) -> None:
    store = await RedisStore.connect(own_url)
    namespaces = RedisNamespaces(store)
    await namespaces.store_documents({ONE: b"one", TWO: b"two"})
    async with Redis.from_url(own_url) as admin:
        await admin.replicaof("127.0.0.1", 1)
        with pytest.raises(StoreUnavailable, match=r"refused a command.*replica"):
            await namespaces.apply("n", PUTS)
        with pytest.raises(StoreUnavailable, match=r"is a replica of 127\.0\.0\.1"):
            await RedisStore.connect(own_url)
        assert await namespaces.documents([ONE]) == [b"one"]
        await admin.replicaof("NO", "ONE")

    assert await namespaces.apply("n", PUTS) == Applied(2)
    await store.close()


async def test_a_server_that_evicts_is_warned_of(own_url: str) -> None:
    async with Redis.from_url(own_url) as admin:
        await admin.config_set("maxmemory-policy", "allkeys-lru")
        await admin.config_set("maxmemory", 2**30)

    store = await RedisStore.connect(own_url)

    assert "maxmemory-policy allkeys-lru" in store.warning
    await store.close()


async def test_a_user_who_may_not_ask_how_the_server_is_set_is_served(own_url: str) -> None:
    async with Redis.from_url(own_url) as admin:
        await admin.acl_setuser(
            "default",
            enabled=True,
            nopass=True,
            commands=["+@all", "-info"],
            keys=["*"],
            channels=["*"],
        )

    store = await RedisStore.connect(own_url)

    assert store.warning == ""
    await store.close()


async def test_only_what_is_named_has_no_time_to_live(
    redis_store: RedisStore, redis_prefix: str, redis_url: str
) -> None:
    namespaces = RedisNamespaces(redis_store)
    keys = [f"{redis_prefix}key:{document_key(document)}" for document in (ONE, TWO)]
    async with Redis.from_url(redis_url) as admin:
        await namespaces.store_documents({ONE: b"one", TWO: b"two"})
        await namespaces.apply("n", PUTS[:1])
        named = [await admin.ttl(key) for key in keys]
        await namespaces.apply("n", [SourceChange("a", 1)])
        removed = await admin.ttl(keys[0])

    assert named[0] == -1
    assert 0 < named[1] <= UNNAMED_KEPT_S
    assert 0 < removed <= UNNAMED_KEPT_S


async def test_clusters_of_other_prefixes_have_namespaces_of_their_own(
    redis_store: RedisStore, redis_prefix: str, redis_url: str
) -> None:
    namespaces = RedisNamespaces(redis_store)
    await namespaces.store_documents({ONE: b"one", TWO: b"two"})
    await namespaces.apply("n", PUTS)
    other = await RedisStore.connect(redis_url, f"{redis_prefix}other:")

    theirs = RedisNamespaces(other)
    feed = await theirs.feed()
    await namespaces.apply("n", [SourceChange("a", 1)])
    seen = (
        await theirs.names(),
        await theirs.entries("n"),
        await theirs.missing([ONE]),
        await feed.wait(0.0),
    )
    await feed.close()
    await other.close()

    assert seen == ({}, NOTHING, frozenset({ONE}), frozenset())


@pytest.mark.parametrize("left", [None, b"1 5"], ids=["by none", "by one that went on without it"])
async def test_a_namespace_of_an_earlier_version_gets_its_digest_with_the_next_entry(
    redis_store: RedisStore, redis_prefix: str, redis_url: str, left: bytes | None
) -> None:
    namespaces = RedisNamespaces(redis_store)
    await namespaces.store_documents({ONE: b"one", TWO: b"two"})
    await namespaces.apply("n", [*PUTS, SourceChange("c", 0, ONE), SourceChange("c", 3)])
    key = f"{redis_prefix}knowledge:digest:n"
    async with Redis.from_url(redis_url) as admin:
        await (admin.delete(key) if left is None else admin.set(key, left))
    await namespaces.apply("n", PUTS)
    without = (await namespaces.heads(["n"]), (await namespaces.entries("n")).digest)
    await namespaces.apply("n", [SourceChange("a", 1)])

    assert without == ({"n": Head(4, None)}, None)
    assert await namespaces.heads(["n"]) == {"n": Head(5, entry_digest("b", 2, TWO))}


async def test_digests_are_exact_up_to_the_modulus(
    redis_store: RedisStore, redis_prefix: str, redis_url: str
) -> None:
    namespaces = RedisNamespaces(redis_store)
    await namespaces.store_documents({ONE: b"one"})
    async with Redis.from_url(redis_url) as admin:
        await admin.set(f"{redis_prefix}knowledge:digest:n", f"0 {DIGEST_MODULUS - 1}")
        await namespaces.apply("n", PUTS[:1])
        assert (await namespaces.heads(["n"]))["n"].digest == entry_digest("a", 1, ONE) - 1
        await namespaces.apply("n", [SourceChange("a", 1)])
    assert (await namespaces.heads(["n"]))["n"].digest == DIGEST_MODULUS - 1


async def test_a_feed_goes_on_after_its_server_was_started_again(tmp_path: Path) -> None:
    async with kept_alive(tmp_path) as url:
        pid = await until_it_answers(url)
        store = await RedisStore.connect(url)
        namespaces = RedisNamespaces(store)
        await namespaces.store_documents({ONE: b"one"})
        feed = await namespaces.feed()
        wait = asyncio.create_task(feed.wait(20.0))
        await until_one_waits(url)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            await wait
        await until_it_answers(url, pid)
        await namespaces.apply("n", PUTS[:1])

        assert await feed.wait(20.0) == {"n"}
        assert await feed.wait(0.0) == set()
        await feed.close()
        await store.close()


async def test_waits_that_are_cancelled_leave_no_connection(own_url: str) -> None:
    store = await RedisStore.connect(own_url)
    feeds = [await RedisNamespaces(store).feed() for _ in range(3)]
    for feed in feeds:
        wait = asyncio.create_task(feed.wait(20.0))
        await until_one_waits(own_url)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        await until_one_waits(own_url, 0)
        await feed.wait(0.0)
        await feed.close()
    await store.close()

    async with Redis.from_url(own_url) as admin:
        assert len(await admin.client_list()) == 1


async def test_closing_a_feed_ends_the_wait(redis_store: RedisStore, redis_url: str) -> None:
    feed = await RedisNamespaces(redis_store).feed()
    wait = asyncio.create_task(feed.wait(20.0))
    await until_one_waits(redis_url)

    await feed.close()

    with pytest.raises(StoreUnavailable):
        await wait


async def until_one_waits(url: str, clients: int = 1) -> None:
    async with asyncio.timeout(20.0), Redis.from_url(url) as admin:
        while (await admin.info("clients"))["blocked_clients"] != clients:
            pass
