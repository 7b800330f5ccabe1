"""Looks for peers until a link to them stands. Part of the links beside it.

When it dials again, and when it gives up, is decided in `cluster.kernel.delivery.reach`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
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
        self._searches: dict[AgentId, asyncio.Task[None]] = {}
        self._is_stopping = False

    def is_looking_for(self, agent: AgentId) -> bool:
        """Say whether an agent is looked for."""
        return agent in self._searches

    def look_for(self, peer: Peer, delay_s_max: float = 0.0) -> None:
        """Look for a peer, unless that is done already; after a wait by chance."""
        if peer.agent not in self._searches and not self._is_stopping:
            self._searches[peer.agent] = asyncio.ensure_future(self._find(peer, delay_s_max))

    async def stop(self) -> None:
        """Look for nobody any more."""
        self._is_stopping = True
        searches = list(self._searches.values())
        for search in searches:
            search.cancel()
        await asyncio.gather(*searches, return_exceptions=True)

    async def _find(self, peer: Peer, delay_s_max: float) -> None:
        try:
            if delay_s_max:
                await asyncio.sleep(delay_s_max * self._rng.uniform(0.0, 1.0))
            await self._search(peer)
        finally:  # not a moment later: a link that is lost then must be looked for again
            del self._searches[peer.agent]

    async def _search(self, peer: Peer) -> None:
        """Dial until a link stands or the peer has been gone for too long."""
        search = Search.begin(self._clock.now())
        trouble: ClusterError | None = None
        while not self._links.is_linked(peer.agent):
            if search.has_ended(self._clock.now()):
                self._on_given_up(peer, str(trouble or ""))
                return
            has_failed = False
            try:
                await self._dial(peer)
            except ClusterError as error:
                trouble, has_failed = error, True
            if self._links.is_linked(peer.agent):
                return
            chance = self._rng.random()
            search, order = not_reached(search, has_failed=has_failed, chance=chance)
            if order.is_first_failure:
                self._links.on_not_reached(peer)
            await asyncio.sleep(order.after_s)

    async def _dial(self, peer: Peer) -> None:
        registration = await self._directory.lookup(peer.agent)
        if registration is None or not registration.address:
            raise PeerUnavailable("it is not registered")
        connection = await self._transport.dial(registration.address, DIAL_TIMEOUT_S)
        await self._links.open_link(connection, peer.agent)
