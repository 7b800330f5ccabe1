"""The central store's twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.store.redis` passes, on a clock that is handed
in, and imports nothing outside the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cluster.kernel.clock import Clock
from cluster.memory.store.port import NO_FENCE, Fence, checked_ttl_s


class LocalStore:
    """`cluster.memory.store.port.Store` in a dictionary; no method ever waits or fails.

    Expired values leave memory when their key is next read or listed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}
        """Each key's value, and the instant it expires."""
        self._epochs: dict[str, int] = {}
        self._leases: set[str] = set()

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of the keys in their order, None where there is none."""
        return [self._get(key) for key in keys]

    async def put_many(self, items: Mapping[str, bytes], ttl_s: float | None = None) -> None:
        """Set the keys; with ``ttl_s`` they vanish after that time."""
        expires_at = math.inf if ttl_s is None else self._clock.now() + checked_ttl_s(ttl_s)
        self._values.update({key: (value, expires_at) for key, value in items.items()})

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; those that are not there are passed over."""
        for key in keys:
            self._values.pop(key, None)

    async def items(self, prefix: str) -> dict[str, bytes]:
        """Return all keys that start with the prefix, and their values."""
        named = [key for key in self._values if key.startswith(prefix)]
        return {key: value for key in named if (value := self._get(key)) is not None}

    async def next_epoch(self, name: str) -> int:
        """Return the next incarnation number of a name, from 1, never the same twice."""
        self._epochs[name] = epoch = self._epochs.get(name, 0) + 1
        return epoch

    async def put_lease(self, name: str, key: str, epoch: int, value: bytes, ttl_s: float) -> bool:
        """Set ``key`` for ``ttl_s`` seconds if ``epoch`` is still the newest of ``name``."""
        checked_ttl_s(ttl_s)
        if self._epochs.get(name, 0) > epoch:
            return False
        self._epochs[name] = epoch
        await self.put_many({key: value}, ttl_s)
        self._leases.add(key)
        return True

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
        checked_ttl_s(ttl_s)
        if self._epochs.get(name, 0) > epoch or self._get(key) is not None:
            return False
        if int(self._get(fence.key) or 0) > fence.highest:
            return False
        self._epochs[name] = epoch
        await self.put_many({key: value}, ttl_s)
        return True

    async def leases(self) -> dict[str, bytes]:
        """Return every key set by `put_lease` that has not run out, and its value."""
        held = {key: value for key in self._leases if (value := self._get(key)) is not None}
        self._leases.intersection_update(held)
        return held

    async def drop_lease(self, name: str, key: str, epoch: int) -> bool:
        """Remove ``key`` if ``epoch`` is still the newest of ``name``; say whether it was."""
        if self._epochs.get(name, 0) > epoch:
            return False
        self._values.pop(key, None)
        return True

    async def ping(self) -> float:
        """Return the round trip in seconds, which is nothing."""
        return 0.0

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def _get(self, key: str) -> bytes | None:
        value, expires_at = self._values.get(key, (None, math.inf))
        if self._clock.now() < expires_at:
            return value
        del self._values[key]
        return None
