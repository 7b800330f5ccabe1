"""The central store as the rest of the cluster sees it: a port with two implementations.

`cluster.memory.store.redis` is the real one, `cluster.memory.store.local` its in-memory twin; both
pass `tests/conformance/store_contract.py`. Values are protobuf bytes, keys are text without the
cluster's prefix (each implementation adds it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from cluster.kernel.errors import UsageError


class Fence(NamedTuple):
    """A key whose value is a number, as text, and how high that may be for something to be done."""

    key: str
    highest: int


NO_FENCE: Final = Fence("", 0)


class Store(Protocol):
    """Keys and bytes, leases and epochs. Every method ends within the store's own timeout.

    Raises:
        StoreUnavailable: from every method, where the store can't be reached in time.
    """

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of the keys in their order, None where there is none."""
        ...

    async def put_many(self, items: Mapping[str, bytes], ttl_s: float | None = None) -> None:
        """Set the keys, all or none; with ``ttl_s`` they vanish after that time."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; those that are not there are passed over."""
        ...

    async def items(self, prefix: str) -> dict[str, bytes]:
        """Return all keys that start with the prefix, and their values.

        Its time grows with the store: the timeout is for each page of it.
        """
        ...

    async def next_epoch(self, name: str) -> int:
        """Return the next incarnation number of a name, from 1, never the same twice."""
        ...

    async def put_lease(self, name: str, key: str, epoch: int, value: bytes, ttl_s: float) -> bool:
        """Set ``key`` for ``ttl_s`` seconds if ``epoch`` is still the newest of ``name``.

        An epoch newer than any the store remembers (it lost some) counts as given out.

        Returns:
            False, and nothing is written, where a higher epoch has been given out.
        """
        ...

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
        """Set a free ``key`` for ``ttl_s`` seconds if ``epoch`` is still the newest of ``name``.

        Newer epochs count as in `put_lease`. Where an earlier try ended in `StoreUnavailable`, a
        False may be that try's own success: read the key to know.

        Returns:
            False, and nothing is written, where a higher epoch has been given out, the key is set,
            or the fence is passed.
        """
        ...

    async def leases(self) -> dict[str, bytes]:
        """Return every key set by `put_lease` that has not run out, and its value."""
        ...

    async def drop_lease(self, name: str, key: str, epoch: int) -> bool:
        """Remove ``key`` if ``epoch`` is still the newest of ``name``; say whether it was."""
        ...

    async def ping(self) -> float:
        """Return the round trip in seconds."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


def checked_ttl_s(ttl_s: float) -> float:
    """Return a time to live, in seconds, as it is.

    Raises:
        UsageError: it is zero, negative, infinite or no number.
    """
    if not 0.0 < ttl_s < math.inf:
        raise UsageError(f"a time to live must be over 0 s and finite, not {ttl_s}")
    return ttl_s
