"""A real redis-server for tests: one for the whole run, with a prefix of its own for each test.

Import the fixtures by name in a `conftest.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from cluster.memory.embedded import EmbeddedRedis
from cluster.memory.redis_store import RedisStore

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
