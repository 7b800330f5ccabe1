"""The central store on Redis, through redis-py's asyncio client.

One `RedisStore` belongs to one event loop and is shared by everything on it. Nobody else
talks to Redis; `cluster.memory.store.embedded` only starts and ends a server.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.time_shares import TLS_SHARE
from cluster.memory.store.port import NO_FENCE, Fence, checked_ttl_s
from cluster.memory.store.redis_scripts import (
    DROP_LEASE,
    LEASES,
    PUT_LEASE,
    PUT_MANY,
    PUT_ONCE,
    ask,
    run,
)
from cluster.memory.store.redis_server import Target, warning_of, what_failed, why_unfit
from cluster.memory.store.tls_mismatch import check_tls

StreamEntry = tuple[bytes, Mapping[bytes, bytes]]
"""The id, and the fields."""

_SCAN_COUNT = 1_000


class RedisStore:
    """`cluster.memory.store.port.Store` on a Redis server of version 6 or later.

    No command is ever sent twice (redis-py#261): a caller that gets `StoreUnavailable` can't know
    whether it took effect, and may repeat every method; a repeated `next_epoch` may skip a number.

    A command that is cancelled or runs out of time closes its connection, so that its late reply is
    never read as the reply to another (redis-py#2624). Nothing watches keys: a pipeline that is
    cancelled as it stops watching leaks its connection (redis-py#4121).
    """

    def __init__(
        self, target: Target, prefix: str, *, timeout_s: float, connections_max: int
    ) -> None:
        self._target = target
        self._prefix = prefix
        self._keys = f"{prefix}key:"
        self._epochs = f"{prefix}epoch:"
        self._lease_set = f"{prefix}leases"
        self._timeout_s = timeout_s
        self._is_closed = False
        self.warning = ""
        """What the server may lose on purpose, in a sentence for who has set it up."""
        # Who waits for a connection waits here, so the pool is never found exhausted. redis-py's
        # blocking pool loses wake-ups: a waiter that is woken and cancelled at once takes its
        # wake-up along, and the next one waits for its whole timeout beside a free connection.
        self._free = asyncio.Semaphore(connections_max)
        options = {
            **target.options,
            "max_connections": connections_max,
            # One deadline around the whole method, none for each write: with `socket_timeout` set,
            # redis-py writes under `asyncio.wait_for`, which on Python 3.11 swallows a cancellation
            # that comes as the write ends (it did so for about 250 in a storm of 3,600).
            "socket_timeout": None,
            "socket_connect_timeout": timeout_s,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
        }
        self._connections = ConnectionPool(**options)
        self._client = Redis.from_pool(self._connections)

    @classmethod
    async def connect(
        cls,
        url: str,
        prefix: str = "fm:",
        *,
        timeout_s: float = 5.0,
        connections_max: int = 16,
    ) -> Self:
        """Return a store whose server has answered.

        Args:
            url: ``redis://``, ``rediss://`` or ``unix://``.
            prefix: of every key of this cluster; clusters with different ones see nothing of each
                other.
            timeout_s: how long any method may take, in seconds, waiting for a connection included.
            connections_max: how many commands may be under way at once.

        Raises:
            UsageError: the URL can't be read.
            StoreUnavailable: there is no answer, or a refusal.
        """
        target = Target.parse(url)
        store = cls(target, prefix, timeout_s=timeout_s, connections_max=connections_max)
        now = asyncio.get_running_loop().time
        deadline = Deadline.after(timeout_s, now())
        # A server without TLS leaves a greeting unanswered: what is left is for asking it.
        kept_back_s = (1 - TLS_SHARE) * timeout_s if target.is_tls else 0.0
        try:
            await store._look(kept_back_s)
        except BaseException as error:
            await store.close()
            left_s = deadline.remaining_s(now())
            await check_tls(
                target.options, target.address, error, is_tls=target.is_tls, timeout_s=left_s
            )
            raise
        return store

    async def _look(self, kept_back_s: float) -> None:
        """See whether the server answers and can be relied on, in less time than the timeout."""
        async with self._operation(-kept_back_s) as client:
            asked = client.pipeline(transaction=False)
            for section in ("memory", "replication"):
                asked.info(section)
            told: dict[str, object] = {}
            for answer in await asked.execute(raise_on_error=False):
                # What a user may not ask for isn't known, and does no harm.
                if isinstance(answer, Exception) and not isinstance(answer, NoPermissionError):
                    raise answer
                told |= answer if isinstance(answer, dict) else {}
        if why := why_unfit(told):
            raise StoreUnavailable(f"the store at {self._target.address} {why}")
        self.warning = warning_of(told)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of the keys in their order, None where there is none."""
        if not keys:
            return []
        async with self._operation():
            values = await ask(self._connections, "MGET", *(self._keys + key for key in keys))
        return cast("list[bytes | None]", values)

    async def put_many(self, items: Mapping[str, bytes], ttl_s: float | None = None) -> None:
        """Set the keys, all or none; with ``ttl_s`` they vanish after that time."""
        ttl_ms = None if ttl_s is None else _milliseconds(ttl_s)
        if not items:
            return
        named = {self._keys + key: value for key, value in items.items()}
        async with self._operation() as client:
            if ttl_ms is None:
                await client.mset(named)
            else:
                await run(self._connections, PUT_MANY, [*named], [*named.values(), ttl_ms])

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; those that are not there are passed over."""
        if not keys:
            return
        async with self._operation() as client:
            await client.delete(*(self._keys + key for key in keys))

    async def items(self, prefix: str) -> dict[str, bytes]:
        """Return all keys that start with the prefix, and their values.

        It walks over every key of the server, a page at a time, and the timeout is for each page:
        for few and known keys, `get_many` is cheaper. What is set or removed meanwhile may be in
        the result or not.
        """
        pattern = _literal(self._keys + prefix) + "*"
        items: dict[str, bytes] = {}
        cursor = -1
        while cursor != 0:
            async with self._operation() as client:
                cursor, found = await client.scan(max(cursor, 0), pattern, _SCAN_COUNT)
                keys = cast("list[bytes]", found)
                values = cast("list[bytes | None]", await client.mget(keys) if keys else [])
            for key, value in zip(keys, values, strict=True):
                if value is not None:
                    items[key.decode().removeprefix(self._keys)] = value
        return items

    async def next_epoch(self, name: str) -> int:
        """Return the next incarnation number of a name, from 1, never the same twice."""
        async with self._operation() as client:
            return int(await client.incr(self._epochs + name))

    async def put_lease(self, name: str, key: str, epoch: int, value: bytes, ttl_s: float) -> bool:
        """Set ``key`` for ``ttl_s`` seconds if ``epoch`` is still the newest of ``name``."""
        keys = [self._epochs + name, self._keys + key, self._lease_set]
        ttl_ms = _milliseconds(ttl_s)
        async with self._operation():
            return bool(await run(self._connections, PUT_LEASE, keys, [epoch, value, ttl_ms]))

    async def put_once(
        self,
        name: str,
        key: str,
        epoch: int,
        value: bytes,
        ttl_s: float,
        *,
        fence: Fence = NO_FENCE,
    ) -> bool:
        """Set a free ``key`` for ``ttl_s`` seconds if ``epoch`` is still the newest of ``name``."""
        keys = [self._epochs + name, self._keys + key, self._keys + fence.key]
        arguments = (epoch, value, _milliseconds(ttl_s), fence.highest)
        async with self._operation():
            return bool(await run(self._connections, PUT_ONCE, keys, arguments))

    async def leases(self) -> dict[str, bytes]:
        """Return every key set by `put_lease` that has not run out, and its value."""
        async with self._operation():
            held: list[bytes] = await run(self._connections, LEASES, [self._lease_set], [])
        keys = (key.decode().removeprefix(self._keys) for key in held[::2])
        return dict(zip(keys, held[1::2], strict=True))

    async def drop_lease(self, name: str, key: str, epoch: int) -> bool:
        """Remove ``key`` if ``epoch`` is still the newest of ``name``; say whether it was."""
        keys = [self._epochs + name, self._keys + key]
        async with self._operation():
            return bool(await run(self._connections, DROP_LEASE, keys, [epoch]))

    def script_key(self, key: str) -> str:
        """Return what `run_script` has to call a key that `put_once` and `get_many` know."""
        return self._keys.removeprefix(self._prefix) + key

    async def run_script(
        self, script: str, keys: Sequence[str], arguments: Sequence[bytes | int | str]
    ) -> Any:
        """Run a Lua script for another port on this server, on keys of this cluster.

        The script must bear that it takes effect and its reply is lost: it is never sent again.
        """
        named = [self._prefix + key for key in keys]
        async with self._operation():
            return await run(self._connections, script, named, arguments)

    def apart(self) -> Self:
        """Return a store on the same server, with one connection of its own for reads that wait.

        It is the caller's to close, and not connected before it is used.
        """
        return type(self)(self._target, self._prefix, timeout_s=self._timeout_s, connections_max=1)

    async def read_stream(
        self, key: str, after: bytes, *, wait_s: float, entries_max: int
    ) -> list[StreamEntry]:
        """Return the entries of a stream after an id, as `read_streams` those of several."""
        told = await self.read_streams({key: after}, wait_s=wait_s, entries_max=entries_max)
        return told.get(key, [])

    async def read_streams(
        self, after: Mapping[str, bytes], *, wait_s: float, entries_max: int
    ) -> dict[str, list[StreamEntry]]:
        """Return the entries of streams after an id of each, at once if there are any.

        Otherwise it waits for the next one, up to ``wait_s`` beside the timeout, and holds one of
        the connections meanwhile.

        Args:
            after: one stream or more; those that have nothing new are not in the result.
            wait_s: 0 to wait for nothing.
            entries_max: of each stream.
        """
        # To the server, 0 ms are for ever.
        block = max(1, math.ceil(wait_s * 1000)) if wait_s > 0 else None
        places = {self._prefix + key: place for key, place in after.items()}
        async with self._operation(max(wait_s, 0.0)) as client:
            told = await client.xread(cast("dict[Any, Any]", places), entries_max, block)
        streams = cast("list[tuple[bytes, list[StreamEntry]]]", told)
        return {name.decode().removeprefix(self._prefix): entries for name, entries in streams}

    async def ping(self) -> float:
        """Return the round trip in seconds."""
        now = asyncio.get_running_loop().time
        started = now()
        async with self._operation() as client:
            await client.ping()
        return now() - started

    async def close(self) -> None:
        """Close the connections; methods that are called later raise `StoreUnavailable`."""
        self._is_closed = True
        with suppress(RedisError, OSError):  # a connection that broke is given back as well
            await self._client.aclose()

    @asynccontextmanager
    async def _operation(self, wait_s: float = 0.0) -> AsyncIterator[Redis]:
        """Hold one of the connections, within the timeout, and turn errors into ours.

        Args:
            wait_s: how long the server may take on purpose, beside the timeout; below zero for
                how much sooner it has to be done.
        """
        if self._is_closed:
            raise StoreUnavailable(f"the store at {self._target.address} has been closed here")
        timeout_s = wait_s + self._timeout_s
        try:
            async with asyncio.timeout(timeout_s), self._free:
                yield self._client
        except TimeoutError as error:
            raise StoreUnavailable(
                f"the store at {self._target.address} did not answer within {timeout_s:g} s: "
                "it is overloaded, or the network holds it up"
            ) from error
        except (RedisError, OSError, RuntimeError) as error:
            # RuntimeError is what uvloop raises for a write to a connection that has just been
            # reset, which redis-py passes on.
            told = self._target.without_secrets(str(error))
            words = " ".join(told.split()).rstrip(".") or type(error).__name__
            raise StoreUnavailable(
                f"the store at {self._target.address} {what_failed(error, words)}"
            ) from (error if told == str(error) else None)


def _milliseconds(ttl_s: float) -> int:
    return max(1, round(checked_ttl_s(ttl_s) * 1000))


def _literal(text: str) -> str:
    """Return the glob pattern that matches the text alone."""
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
