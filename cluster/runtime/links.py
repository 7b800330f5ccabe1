"""The links of a host: who is reached over which connection, and how it is reached again.

Accepts what others dial, dials through the directory, keeps one sending link a peer, reconnects
with jittered backoff while something waits for the peer, and gives up after `LOST_AFTER_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import PROTOCOL_VERSION, Batch, Hello, Resident
from cluster.kernel.errors import ClusterError, PeerUnavailable, StoreUnavailable
from cluster.kernel.ids import AgentId
from cluster.kernel.peer import Peer
from cluster.runtime.directory import Directory
from cluster.runtime.link import Link
from cluster.transport.port import Connection, Transport
from cluster.wire.codec import RESIDENTS_MAX

DIAL_TIMEOUT_S = 2.0
BACKOFF_S_MIN = 0.02
BACKOFF_S_MAX = 1.0
LOST_AFTER_S = 20.0
"""How long an unreachable peer is looked for before those who wait for it are told."""
DRAIN_S = 2.0
WATCH_SHARE = 1 / 2
"""Of a lease: how often silent peers are looked for."""


class LinkOwner(Protocol):
    """Who takes what comes in over the links, and learns what became of peers."""

    def on_batch(self, link: Link, batch: Batch) -> None:
        """Take the acks and envelopes of a frame."""
        ...

    def on_restarted(self, peer: Peer) -> None:
        """A new incarnation of a known peer is linked; it gets what is not done."""
        ...

    def on_link_lost(self, peer: Peer) -> None:
        """No link to a peer stands that something waits for, and a first try to make one failed.

        It is looked for on; whoever knows another way to its end need not wait.
        """
        ...

    def on_unreachable(self, peer: Peer, reason: str) -> None:
        """A peer stayed out of reach and was forgotten."""
        ...


class Links:
    """All links of one agent's host. Makes no decision by chance but with ``rng``."""

    def __init__(
        self,
        agent: AgentId,
        owner: LinkOwner,
        *,
        transport: Transport,
        directory: Directory,
        clock: Clock,
        rng: random.Random | None = None,
        is_coalescing: bool = True,
    ) -> None:
        self.agent = agent
        self.epoch = 0
        self.address = ""
        self._owner = owner
        self._transport = transport
        self._directory = directory
        self._clock = clock
        self._rng = rng or random.Random()
        self._is_coalescing = is_coalescing
        self._peers: dict[AgentId, Peer] = {}
        self._sending: dict[AgentId, Link] = {}
        """The one link we send on, by peer."""
        self._links: dict[Link, AgentId | None] = {}
        """Every link until its end, and whom we dialled; in order, unlike a set."""
        self._opened: dict[Link, asyncio.Future[None]] = {}
        """Links that we dialled and that wait for the peer's hello."""
        self._connecting: dict[AgentId, asyncio.Task[None]] = {}
        self._all_ended = asyncio.Event()
        self._is_stopping = False
        self._watching: asyncio.Task[None] | None = None

    async def start(self, epoch: int, *, listens: bool) -> str:
        """Take an incarnation number and, where it is to be dialled, listen."""
        self.epoch = epoch
        self._watching = asyncio.ensure_future(self._watch())
        if listens:
            self.address = await self._transport.listen(self._accept)
        return self.address

    async def stop(self) -> None:
        """Send what is queued, say goodbye, close the transport."""
        await self._stop_connecting()
        for link in list(self._links):
            link.end("the host is stopping")
        if self._links:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await self._all_ended.wait()
        await self._close()

    async def abort(self) -> None:
        """End as a crash does: no goodbye, nothing sent."""
        await self._stop_connecting()
        await self._close()

    async def _stop_connecting(self) -> None:
        self._is_stopping = True
        connecting = list(self._connecting.values())
        if self._watching is not None:
            connecting.append(self._watching)
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)

    async def _close(self) -> None:
        for link in list(self._links):
            link.fail("the host has stopped")
        await self._transport.close()

    def peer(self, agent: AgentId) -> Peer:
        """Return what we know of an agent; a new one is made where it is a stranger."""
        peer = self._peers.get(agent)
        if peer is None:
            peer = self._peers[agent] = Peer(agent, self.agent, self.epoch)
        return peer

    @property
    def peers_known(self) -> int:
        """How many peers are remembered."""
        return len(self._peers)

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""
        return agent in self._sending

    def send(self, peer: Peer) -> None:
        """Something was queued for a peer: send it, or find the peer first."""
        link = self._sending.get(peer.agent)
        if link is not None:
            link.wake()
        else:
            self._connect(peer)

    def acknowledge(self, peer: Peer) -> None:
        """Something changed for a peer: send what can't wait now, the rest with other things."""
        link = self._sending.get(peer.agent)
        if link is None:
            return
        if peer.has_sendable:
            link.wake()
        elif peer.has_news:
            link.wake_soon()

    # ---- links -----------------------------------------------------------------------------

    def _accept(self, connection: Connection) -> None:
        """Take a connection that somebody else opened."""
        if self._is_stopping:
            connection.close()
        else:
            self._start_link(connection, None)

    def _start_link(self, connection: Connection, dialled: AgentId | None) -> Link:
        link = Link(connection, self, is_coalescing=self._is_coalescing)
        self._links[link] = dialled
        link.start(self._hello())
        return link

    def _hello(self) -> Hello:
        met = [Resident(peer.agent, peer.epoch) for peer in self._peers.values() if peer.epoch]
        ours = (Resident(self.agent, self.epoch),)
        return Hello(PROTOCOL_VERSION, ours, self.address, tuple(met[-RESIDENTS_MAX:]))

    def on_hello(self, link: Link, theirs: Hello) -> None:
        """Send to those who live at the other end over this link."""
        dialled = self._links[link]
        if dialled is not None and dialled not in {r.agent for r in theirs.residents}:
            raise PeerUnavailable("somebody else answers at its address")
        remembers_us = Resident(self.agent, self.epoch) in theirs.met
        for resident in theirs.residents:
            peer = self.peer(resident.agent)
            old = self._sending.get(peer.agent)
            if old is not None and resident.epoch == peer.epoch:
                link.peers[peer.agent] = peer
                continue  # both dialled at once: each goes on sending on its own link
            is_new_incarnation = peer.meet(resident.epoch, remembers_us=remembers_us)
            link.peers[peer.agent] = peer
            if old is not None:
                old.sends_to.pop(peer.agent, None)
            link.sends_to[peer.agent] = peer
            self._sending[peer.agent] = link
            if is_new_incarnation:
                self._owner.on_restarted(peer)
        opened = self._opened.pop(link, None)
        if opened is not None:
            opened.set_result(None)

    def on_batch(self, link: Link, batch: Batch) -> None:
        """Hand on what came in."""
        self._owner.on_batch(link, batch)

    def on_link_end(self, link: Link) -> None:
        """Find other ways to the peers that we sent to over this link."""
        del self._links[link]
        opened = self._opened.pop(link, None)
        if opened is not None and not opened.done():
            opened.set_exception(PeerUnavailable(link.end_reason))
        if self._is_stopping and not self._links:
            self._all_ended.set()
        for agent, peer in link.sends_to.items():
            if self._sending.get(agent) is link:
                del self._sending[agent]
                self._reroute(peer, link)

    def _reroute(self, peer: Peer, lost: Link) -> None:
        other = next((o for o in self._links if peer.agent in o.peers), None)
        if other is not None:
            peer.meet(peer.epoch)
            other.sends_to[peer.agent] = peer
            self._sending[peer.agent] = other
            other.wake()
        elif peer.undone_count and not self._is_stopping:
            self._connect(peer)
        elif lost.is_peer_leaving:
            self._forget(peer, lost.end_reason)

    def _forget(self, peer: Peer, reason: str) -> None:
        """Drop all that is known of a peer that is gone; nobody waits for it or it for us."""
        self._peers.pop(peer.agent, None)
        self._owner.on_unreachable(peer, reason)

    async def _watch(self) -> None:
        """Leave links to frozen processes: one that was replaced may keep its stream open.

        Whoever is silent for a lease though it has things of ours to do is looked up; where a newer
        incarnation is registered, the link ends and the newer one is dialled.
        """
        loop, lease_s = asyncio.get_running_loop(), self._directory.lease_s
        while True:
            await asyncio.sleep(lease_s * WATCH_SHARE)
            for agent, link in list(self._sending.items()):
                peer = self._peers.get(agent)
                if peer is None or not peer.undone_count:
                    continue
                if loop.time() - link.heard_at < lease_s:
                    continue
                with contextlib.suppress(StoreUnavailable):
                    found = await self._directory.lookup(agent)
                    if found is not None and found.epoch > peer.epoch:
                        link.fail(f"{agent} was replaced by incarnation {found.epoch}")

    # ---- connecting ------------------------------------------------------------------------

    def _connect(self, peer: Peer) -> None:
        if peer.agent in self._connecting or self._is_stopping:
            return
        task = asyncio.ensure_future(self._look_for(peer))
        self._connecting[peer.agent] = task
        task.add_done_callback(lambda _: self._connecting.pop(peer.agent, None))

    async def _look_for(self, peer: Peer) -> None:
        """Look for a peer until a link stands or it has been gone for too long."""
        gives_up_at = self._clock.now() + LOST_AFTER_S
        backoff_s = BACKOFF_S_MIN
        reason = ""
        while self._clock.now() < gives_up_at and peer.agent not in self._sending:
            try:
                await self._dial(peer)
            except ClusterError as error:
                if not reason and peer.agent not in self._sending:
                    self._owner.on_link_lost(peer)
                reason = str(error)
            else:
                return
            await asyncio.sleep(backoff_s * self._rng.uniform(0.5, 1.0))
            backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
        if peer.agent not in self._sending:
            self._forget(peer, reason)

    async def _dial(self, peer: Peer) -> None:
        registration = await self._directory.lookup(peer.agent)
        if registration is None or not registration.address:
            raise PeerUnavailable("it is not registered")
        connection = await self._transport.dial(registration.address, DIAL_TIMEOUT_S)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        link = self._start_link(connection, peer.agent)
        self._opened[link] = opened
        try:
            await opened
        except asyncio.CancelledError:
            link.fail("nobody needs the link any longer")
            raise
