"""A real redis-server for tests: one for the whole run, with a prefix of its own for each test.

Import the fixtures by name in a `conftest.py`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore

_PREFIXES = (f"test{number}:" for number in itertools.count())


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


@pytest.fixture
def redis_prefix() -> str:
    return next(_PREFIXES)


@pytest.fixture
async def redis_store(redis_url: str, redis_prefix: str) -> AsyncIterator[RedisStore]:
    store = await RedisStore.connect(redis_url, redis_prefix, timeout_s=20.0)
    yield store
    await store.close()


@asynccontextmanager
async def kept_alive(data_root: Path) -> AsyncIterator[str]:
    """Start a server that is started again when it ends."""
    server = EmbeddedRedis(data_root=data_root)
    keeping = asyncio.create_task(server.keep_alive(), name="keep")
    url = await asyncio.to_thread(server.start)
    try:
        yield url
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await asyncio.to_thread(server.stop)


async def until_it_answers(url: str, other_than: int | None = None) -> int:
    """Wait for a server, another than the one of that process, and return its process id."""
    async with asyncio.timeout(60.0), Redis.from_url(url) as client:
        while True:
            with suppress(RedisConnectionError):
                told = await client.info()
                if told["process_id"] != other_than and not told["loading"]:
                    return int(told["process_id"])
            await asyncio.sleep(0.005)
