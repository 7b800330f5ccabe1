"""Who is where: leased registrations in the central store, read through a short-lived cache."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import LEASE_S, Registration
from cluster.memory.store.port import Store
from cluster.wire.registration import registration_from_bytes, registration_to_bytes

SCOPE_CHARS = 16
CACHE_S = 0.5
OUTLAST_POLL_S = 0.2
OUTLAST_MARGIN_S = 1.0
"""Beyond a lease: how long one is waited for that nobody renews."""


def scope_of(token: str, kept: str = "") -> str:
    """Return the scope of the cluster with that token, which it does not give away.

    Clusters that share a Redis thus share knowledge, and never each other's agents or tasks.

    Args:
        token: of its streams, another one at each start.
        kept: the scope that it has from one start to the next, where it has one.
    """
    return kept or hashlib.sha256(token.encode()).hexdigest()[:SCOPE_CHARS]


class Directory:
    """Registrations of one cluster. Store failures surface as StoreUnavailable."""

    def __init__(
        self, store: Store, clock: Clock, *, scope: str = "", lease_s: float = LEASE_S
    ) -> None:
        self._prefix = f"agent/{scope}/"
        self._store = store
        self._clock = clock
        self.lease_s = lease_s
        self._cached: dict[AgentId, Registration] = {}
        self._cached_at = float("-inf")
        self._reading: asyncio.Future[None] | None = None
        """Done when what somebody reads just now is in the cache, or is known not to come."""

    async def next_epoch(self, agent: AgentId) -> int:
        """Return a new, higher incarnation number for an agent."""
        return await self._store.next_epoch(self._prefix + agent)

    async def put(self, registration: Registration) -> bool:
        """Write or renew a lease; False where a higher incarnation has taken over."""
        return await self._store.put_lease(
            self._prefix + registration.agent,
            self._prefix + registration.agent,
            registration.epoch,
            registration_to_bytes(registration),
            self.lease_s,
        )

    async def drop(self, registration: Registration) -> None:
        """Give a lease back."""
        name = self._prefix + registration.agent
        await self._store.drop_lease(name, name, registration.epoch)

    async def lookup(self, agent: AgentId) -> Registration | None:
        """Return an agent's registration as it is in the store now."""
        [value] = await self._store.get_many([self._prefix + agent])
        return None if value is None else registration_from_bytes(value)

    async def replicas(self, role: str, *, is_fresh: bool = False) -> list[Registration]:
        """Return the registered replicas of a role, at most `CACHE_S` old."""
        return [r for r in await self.all(is_fresh=is_fresh) if r.role == role]

    def known(self, role: str) -> list[Registration]:
        """Return the replicas of a role as they were read last, without asking the store."""
        return [r for r in self._cached.values() if r.role == role]

    async def all(self, *, is_fresh: bool = False) -> list[Registration]:
        """Return all registrations, at most `CACHE_S` old, ordered by agent.

        Without the store they may be older, unless they must be fresh: whoever isn't there any
        longer can't be reached or is fenced off by its epoch.
        """
        if is_fresh:
            await self._read()
        else:
            try:
                await self._renew()
            except StoreUnavailable:
                if not self._cached:
                    raise
        return list(self._cached.values())

    async def outlast(
        self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> list[Registration]:
        """Wait until the leases of agents that have died are over; return those that are renewed.

        For a cluster that starts in the scope of an earlier one, before its first agent does.
        """
        give_up_at = self._clock.now() + self.lease_s + OUTLAST_MARGIN_S
        while living := await self.all(is_fresh=True):
            if self._clock.now() > give_up_at:
                break
            await pause(OUTLAST_POLL_S)
        return living

    async def _renew(self) -> None:
        """Read what is too old; whoever finds somebody reading waits for the same outcome."""
        while self._clock.now() - self._cached_at > CACHE_S:
            reading = self._reading
            if reading is None:
                await self._read_for_all()
                return
            await asyncio.wait([reading])
            reading.result()

    async def _read_for_all(self) -> None:
        reading = self._reading = asyncio.get_running_loop().create_future()
        try:
            await self._read()
        except StoreUnavailable as error:
            reading.set_exception(error)
            reading.exception()  # nobody else may have waited
            raise
        finally:
            self._reading = None
            if not reading.done():  # where we were cancelled, one of those who wait reads again
                reading.set_result(None)

    async def _read(self) -> None:
        now = self._clock.now()
        entries = await self._store.leases()
        found = [
            registration_from_bytes(value)
            for key, value in entries.items()
            if key.startswith(self._prefix)
        ]
        self._cached = {r.agent: r for r in sorted(found, key=lambda r: r.agent)}
        self._cached_at = now
