"""The links of a host: who is reached over which connection, and how it is reached again.

Accepts what others dial, dials through the directory, keeps one sending link a peer, reconnects
with jittered backoff while something waits for the peer, and gives up after `LOST_AFTER_S`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import PROTOCOL_VERSION, Batch, Hello, Resident
from cluster.kernel.errors import ClusterError, PeerUnavailable, StaleEpoch
from cluster.kernel.ids import AgentId
from cluster.kernel.peer import Peer
from cluster.runtime.directory import Directory
from cluster.runtime.link import Link, exchange_hellos
from cluster.transport.port import Connection, Transport
from cluster.wire.codec import RESIDENTS_MAX

_log = logging.getLogger(__name__)

DIAL_TIMEOUT_S = 2.0
BACKOFF_S_MIN = 0.02
BACKOFF_S_MAX = 1.0
LOST_AFTER_S = 20.0
"""How long an unreachable peer is looked for before those who wait for it are told."""
DRAIN_S = 2.0


class LinkOwner(Protocol):
    """Who takes what comes in over the links, and learns what became of peers."""

    def on_batch(self, link: Link, batch: Batch) -> None:
        """Take the acks and envelopes of a frame."""
        ...

    def on_restarted(self, peer: Peer) -> None:
        """A new incarnation of a known peer is linked; it gets what is not done."""
        ...

    def on_unreachable(self, peer: Peer, reason: str) -> None:
        """A peer stayed out of reach and was forgotten."""
        ...


class Links:
    """All links of one agent's host."""

    def __init__(
        self,
        agent: AgentId,
        owner: LinkOwner,
        *,
        transport: Transport,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self.agent = agent
        self.epoch = 0
        self.address = ""
        self._owner = owner
        self._transport = transport
        self._directory = directory
        self._clock = clock
        self._random = random.Random()
        self._peers: dict[AgentId, Peer] = {}
        self._sending: dict[AgentId, Link] = {}
        """The one link we send on, by peer."""
        self._open: set[Link] = set()
        self._connecting: dict[AgentId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        """Those that run a link."""
        self._is_stopping = False

    async def start(self, epoch: int, *, listens: bool) -> str:
        """Take an incarnation number and, where it is to be dialled, listen."""
        self.epoch = epoch
        if listens:
            self.address = await self._transport.listen(self._accept)
        return self.address

    async def stop(self) -> None:
        """Send what is queued, say goodbye, close the transport."""
        self._is_stopping = True
        for task in self._connecting.values():
            task.cancel()
        for link in self._open:
            link.end("the host is stopping")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_S)
        left = [*self._tasks, *self._connecting.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._transport.close()

    async def abort(self) -> None:
        """End as a crash does: no goodbye, nothing sent."""
        self._is_stopping = True
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

    async def _accept(self, connection: Connection) -> None:
        """Serve a connection that somebody else opened, until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            theirs = await exchange_hellos(connection, self._hello())
            link = self._open_link(connection, theirs)
        except (PeerUnavailable, StaleEpoch):
            return
        finally:
            self._tasks.discard(task)
        await self._run_link(link)

    def _hello(self) -> Hello:
        met = [Resident(peer.agent, peer.epoch) for peer in self._peers.values() if peer.epoch]
        ours = (Resident(self.agent, self.epoch),)
        return Hello(PROTOCOL_VERSION, ours, self.address, tuple(met[-RESIDENTS_MAX:]))

    def _open_link(self, connection: Connection, theirs: Hello) -> Link:
        link = Link(connection, self._owner.on_batch)
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
        self._open.add(link)
        return link

    async def _run_link(self, link: Link) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link.wake()
        try:
            await link.run()
        except Exception:  # noqa: BLE001 - the stream task is a containment point
            _log.exception("a link of %s ended in an error of ours", self.agent)
        finally:
            self._tasks.discard(task)
            self._open.discard(link)
            self._lost(link)

    def _lost(self, link: Link) -> None:
        """Find other ways to the peers that we sent to over this link."""
        for agent, peer in link.sends_to.items():
            if self._sending.get(agent) is not link:
                continue
            del self._sending[agent]
            other = next((o for o in self._open if agent in o.peers), None)
            if other is not None:
                peer.meet(peer.epoch)
                other.sends_to[agent] = peer
                self._sending[agent] = other
                other.wake()
            elif peer.undone_count and not self._is_stopping:
                self._connect(peer)
            elif link.is_peer_leaving:
                self._forget(peer, link.end_reason)

    def _forget(self, peer: Peer, reason: str) -> None:
        """Drop all that is known of a peer that is gone; nobody waits for it or it for us."""
        self._peers.pop(peer.agent, None)
        self._owner.on_unreachable(peer, reason)

    def _connect(self, peer: Peer) -> None:
        if peer.agent in self._connecting or self._is_stopping:
            return
        task = asyncio.ensure_future(self._connect_and_run(peer))
        self._connecting[peer.agent] = task
        task.add_done_callback(lambda _: self._connecting.pop(peer.agent, None))

    async def _connect_and_run(self, peer: Peer) -> None:
        """Look for a peer until a link stands or it has been gone for too long."""
        gives_up_at = self._clock.now() + LOST_AFTER_S
        backoff_s = BACKOFF_S_MIN
        reason = ""
        while self._clock.now() < gives_up_at and peer.agent not in self._sending:
            try:
                link = await self._dial(peer)
            except ClusterError as error:
                reason = str(error)
            else:
                task = asyncio.ensure_future(self._run_link(link))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return
            await asyncio.sleep(backoff_s * self._random.uniform(0.5, 1.0))
            backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
        if peer.agent not in self._sending:
            self._forget(peer, reason)

    async def _dial(self, peer: Peer) -> Link:
        registration = await self._directory.lookup(peer.agent)
        if registration is None or not registration.address:
            raise PeerUnavailable("it is not registered")
        connection = await self._transport.dial(registration.address, DIAL_TIMEOUT_S)
        try:
            theirs = await exchange_hellos(connection, self._hello())
            if peer.agent not in {resident.agent for resident in theirs.residents}:
                raise PeerUnavailable(f"somebody else answers at {registration.address}")
            return self._open_link(connection, theirs)
        except BaseException:
            await connection.close()
            raise
