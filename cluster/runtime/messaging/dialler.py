"""Looks for peers until a link to them stands. Part of the links beside it.

When it dials again, and when it gives up, is decided in `cluster.kernel.delivery.reach`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.reach import Search, not_reached
from cluster.kernel.errors import ClusterError, PeerUnavailable
from cluster.kernel.ids import AgentId
from cluster.memory.directory import Directory
from cluster.transport.port import Connection, Transport

DIAL_TIMEOUT_S = 2.0


class LinkOpener(Protocol):
    """Who keeps the links that are dialled."""

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""
        ...

    async def open_link(self, connection: Connection, agent: AgentId) -> None:
        """Make a link of a connection to an agent; return when the agent has said hello."""
        ...

    def on_not_reached(self, peer: Peer) -> None:
        """A first try to reach a peer has failed; it is looked for on."""
        ...


@dataclass(slots=True)
class _LookedFor:
    """Whom a search is for, which dials and waits."""

    peer: Peer
    search: Search
    is_over: bool = False
    """A link was made since, by the peer maybe: the search, which may be waiting, ends when it
    looks again. Who loses that link before then has it begin anew."""


class Dialler:
    """One search for each peer that has to be found.

    ``on_given_up`` is told of one that stayed out of reach, and why.
    """

    def __init__(
        self,
        links: LinkOpener,
        on_given_up: Callable[[Peer, str], None],
        *,
        transport: Transport,
        directory: Directory,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._links = links
        self._on_given_up = on_given_up
        self._transport = transport
        self._directory = directory
        self._clock = clock
        self._rng = rng
        self._looked_for: dict[AgentId, _LookedFor] = {}
        self._searching: dict[AgentId, asyncio.Task[None]] = {}
        self._is_stopping = False

    def is_looking_for(self, agent: AgentId) -> bool:
        """Say whether an agent is looked for."""
        looked_for = self._looked_for.get(agent)
        return looked_for is not None and not looked_for.is_over

    def look_for(self, peer: Peer, delay_s_max: float = 0.0) -> None:
        """Look for a peer, unless that is done already; after a wait by chance."""
        if self._is_stopping:
            return
        agent, now = peer.agent, self._clock.now()
        looked_for = self._looked_for.get(agent)
        if looked_for is None:
            self._looked_for[agent] = _LookedFor(peer, Search.begin(now))
            self._searching[agent] = asyncio.ensure_future(self._find(agent, delay_s_max))
        elif looked_for.is_over:
            looked_for.peer, looked_for.search = peer, looked_for.search.again(now)
            looked_for.is_over = False

    def reached(self, agent: AgentId) -> None:
        """A link to an agent stands: the search for it is over, however soon that one is lost."""
        looked_for = self._looked_for.get(agent)
        if looked_for is not None:
            looked_for.is_over = True

    async def stop(self) -> None:
        """Look for nobody any more."""
        self._is_stopping = True
        searching = list(self._searching.values())
        for each in searching:
            each.cancel()
        await asyncio.gather(*searching, return_exceptions=True)

    async def _find(self, agent: AgentId, delay_s_max: float) -> None:
        try:
            if delay_s_max:
                await asyncio.sleep(delay_s_max * self._rng.uniform(0.0, 1.0))
            await self._search(self._looked_for[agent])
        finally:  # not a moment later: a link that is lost then must be looked for again
            del self._looked_for[agent], self._searching[agent]

    async def _search(self, looked_for: _LookedFor) -> None:
        """Dial until a link stands or the peer has been gone for too long."""
        trouble: ClusterError | None = None
        while self._is_missing(looked_for):
            if looked_for.search.has_ended(self._clock.now()):
                looked_for.is_over = True
                self._on_given_up(looked_for.peer, str(trouble or ""))
                continue  # who hears of it may have something for the peer at once
            has_failed = False
            try:
                await self._dial(looked_for.peer.agent)
            except ClusterError as error:
                trouble, has_failed = error, True
            if not self._is_missing(looked_for):
                return
            chance = self._rng.random()
            looked_for.search, order = not_reached(
                looked_for.search, has_failed=has_failed, chance=chance
            )
            if order.is_first_failure:
                self._links.on_not_reached(looked_for.peer)
            await asyncio.sleep(order.after_s)

    def _is_missing(self, looked_for: _LookedFor) -> bool:
        return not looked_for.is_over and not self._links.is_linked(looked_for.peer.agent)

    async def _dial(self, agent: AgentId) -> None:
        registration = await self._directory.lookup(agent)
        if registration is None or not registration.address:
            raise PeerUnavailable("it is not registered")
        connection = await self._transport.dial(registration.address, DIAL_TIMEOUT_S)
        await self._links.open_link(connection, agent)
