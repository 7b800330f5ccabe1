"""A feed of names on Redis: a stream to which whoever writes adds the name of what they wrote to.

For `cluster.memory.namespaces.redis` and `cluster.memory.state.redis`, each of which has a stream
of its own and adds to it in its scripts.
"""

from __future__ import annotations

from typing import Final, Self

from cluster.memory.store.redis import RedisStore

NEWS_MAX = 1_000
"""As many as a stream keeps and a read returns, so that a reader who was away has caught up after
one read."""

# KEYS: the stream. Returns the id of its newest entry, or one before all others.
_NEWEST: Final = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return newest and newest[1] or '0-0'
"""


class RedisFeed:
    """`cluster.memory.namespaces.port.Feed` on a stream.

    Args:
        store: whose connection it waits on, and which it closes.
        key: of the stream.
        seen: id of the entry of the stream after which it begins.
    """

    def __init__(self, store: RedisStore, key: str, seen: bytes) -> None:
        self._store = store
        self._key = key
        self._seen = seen

    @classmethod
    async def open(cls, store: RedisStore, key: str) -> Self:
        """Return a feed that hears of everything from now on, on a connection of its own.

        Args:
            store: on whose server the stream is; it stays its owner's.
            key: of the stream.
        """
        seen = await store.run_script(_NEWEST, [key], [])
        return cls(store.apart(), key, seen)

    async def wait(self, timeout_s: float) -> frozenset[str]:
        """Return the names added since the last call, none when the time is over."""
        news = await self._store.read_stream(
            self._key, self._seen, wait_s=timeout_s, entries_max=NEWS_MAX
        )
        if news:
            self._seen = news[-1][0]
        return frozenset(fields[b"name"].decode() for _, fields in news)

    async def close(self) -> None:
        """Close its connection; a call that waits, and later ones, raise `StoreUnavailable`."""
        await self._store.close()
