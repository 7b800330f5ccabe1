"""Leaves links that carry nothing any longer though their streams are open.

Which those are is decided in `cluster.kernel.delivery.silence`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.silence import Heard, Unreceipted, Watch, link_watched
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId
from cluster.memory.directory import Directory
from cluster.runtime.messaging.link import Link

WATCH_SHARE = 1 / 2
"""Of a lease: how often silent peers are looked for."""


class Watcher:
    """Looks now and then at the links that we send on, by peer."""

    def __init__(
        self,
        sending: Mapping[AgentId, Link],
        find: Callable[[AgentId], Peer | None],
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._sending = sending
        self._find = find
        self._directory = directory
        self._clock = clock
        self._waits: dict[Link, Unreceipted] = {}
        """Links on which a receipt did not come yet when they were looked at last."""
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._watching = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._directory.lease_s * WATCH_SHARE)
            waits, self._waits = self._waits, {}
            for agent, link in list(self._sending.items()):
                peer = self._find(agent)
                if peer is not None:
                    await self._look_at(link, peer, waits.get(link))

    async def _look_at(self, link: Link, peer: Peer, waits: Unreceipted | None) -> None:
        heard = Heard(peer.undone_count > 0, peer.awaits_receipt, peer.receipts, link.silent_s())
        now, lease_s = self._clock.now(), self._directory.lease_s
        waits, watch = link_watched(waits, heard, now, lease_s)
        if waits is not None:
            self._waits[link] = waits
        if watch is Watch.LEAVE:
            link.fail(f"{peer.agent} gives no receipts")
        elif watch is Watch.INQUIRE:
            await self._leave_if_replaced(link, peer)

    async def _leave_if_replaced(self, link: Link, peer: Peer) -> None:
        with contextlib.suppress(StoreUnavailable):
            found = await self._directory.lookup(peer.agent)
            if found is not None and found.epoch > peer.epoch:
                link.fail(f"{peer.agent} was replaced by incarnation {found.epoch}")
