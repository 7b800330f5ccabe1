"""Namespaces on a real server: what a full memory, eviction and other clusters do to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.namespaces.port import UNNAMED_KEPT_S, Applied, SourceChange, document_key
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore

pytestmark = pytest.mark.integration

ONE, TWO = "1" * 32, "2" * 32
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
        with pytest.raises(StoreUnavailable, match=r"refused a command.*memory"):
            await namespaces.apply("n", PUTS)
        with pytest.raises(StoreUnavailable, match=r"refused a command.*memory"):
            await namespaces.store_documents({ONE: b"again"})
        assert (await namespaces.entries("n"), await namespaces.names()) == ((0, []), {})
        await admin.config_set("maxmemory", 0)

    assert await namespaces.apply("n", PUTS) == Applied(2)
    assert await namespaces.documents([ONE, TWO]) == [b"one", b"two"]
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
    seen = (await theirs.names(), await theirs.entries("n"), await theirs.missing([ONE]))
    await other.close()

    assert seen == ({}, (0, []), frozenset({ONE}))
