"""The links of a host: who is reached over which connection, and how it is reached again.

Accepts what others dial, dials through the directory, keeps one sending link a peer, reconnects
while something waits for the peer: when, and until when, is decided in
`cluster.kernel.delivery.reach`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.reach import FORGET_AFTER_S, REDIAL_S_MAX, Loss, LostLink, link_lost
from cluster.kernel.envelope import PROTOCOL_VERSION, Batch, Hello, Resident
from cluster.kernel.errors import PeerUnavailable, StaleEpoch
from cluster.kernel.ids import AgentId
from cluster.memory.directory import Directory
from cluster.runtime.messaging.dialler import Dialler
from cluster.runtime.messaging.link import Link
from cluster.runtime.messaging.peers import Peers
from cluster.runtime.messaging.watcher import Watcher
from cluster.transport.port import Connection, Transport

DRAIN_S = 2.0
STOPPING = "the host is stopping"
"""What a host says when it leaves."""


class LinkOwner(Protocol):
    """Who takes what comes in over the links, and learns what became of peers."""

    def on_batch(self, link: Link, batch: Batch) -> None:
        """Take the acks and envelopes of a frame."""
        ...

    def on_met(self, peer: Peer, known_epoch: int) -> None:
        """An incarnation is linked; until now the highest we had met was ``known_epoch``."""
        ...

    def on_restarted(self, peer: Peer) -> None:
        """A new incarnation of a known peer is linked; it gets what is not done."""
        ...

    def on_stale(self) -> None:
        """An older incarnation than we have met has said hello, and was refused."""
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
        self.address = ""
        self.peers = Peers(agent, self._is_used, owner.on_unreachable, clock)
        """What is known of other agents."""
        self._owner = owner
        self._clock = clock
        self._transport = transport
        self._is_coalescing = is_coalescing
        self._sending: dict[AgentId, Link] = {}
        """The one link we send on, by peer."""
        self._links: dict[Link, AgentId | None] = {}
        """Every link until its end, and whom we dialled; in order, unlike a set."""
        self._opened: dict[Link, asyncio.Future[None]] = {}
        """Links that we dialled and that wait for the peer's hello."""
        self._dialler = Dialler(
            self,
            self.peers.forget,
            transport=transport,
            directory=directory,
            clock=clock,
            rng=rng or random.Random(),
        )
        self._watcher = Watcher(self._sending, self.peers.find, directory, clock)
        self._all_ended = asyncio.Event()
        self._is_stopping = False

    async def start(self, epoch: int, *, listens: bool) -> str:
        """Take an incarnation number and, where it is to be dialled, listen."""
        self.peers.local_epoch = epoch
        self._watcher.start()
        if listens:
            self.address = await self._transport.listen(self._accept)
        return self.address

    async def stop(self) -> None:
        """Send what is queued, say goodbye, close the transport."""
        await self._stop_connecting()
        for link in list(self._links):
            link.finish(STOPPING)
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
        self.peers.close()
        await self._dialler.stop()
        await self._watcher.stop()

    async def _close(self) -> None:
        for link in list(self._links):
            link.fail("the host has stopped")
        await self._transport.close()

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""
        return agent in self._sending

    def _is_used(self, agent: AgentId) -> bool:
        return agent in self._sending or self._dialler.is_looking_for(agent)

    def send(self, peer: Peer, *, is_progress: bool = False) -> None:
        """Something was queued for a peer: send it, or find the peer first."""
        link = self._sending.get(peer.agent)
        if link is None:
            self._dialler.look_for(peer)
        elif is_progress:
            link.wake_for_progress()
        else:
            link.wake()

    def acknowledge(self, peer: Peer) -> None:
        """Something changed for a peer: send what can't wait now, the rest with other things."""
        link = self._sending.get(peer.agent)
        if link is None:
            return
        if peer.has_news:
            link.wake_soon()
        if peer.has_sendable:
            link.wake()

    # ---- links -----------------------------------------------------------------------------

    def _accept(self, connection: Connection) -> None:
        """Take a connection that somebody else opened."""
        if self._is_stopping:
            connection.close()
        else:
            self._start_link(connection, None)

    def _start_link(self, connection: Connection, dialled: AgentId | None) -> Link:
        link = Link(
            connection,
            self,
            self._owner.on_batch,
            clock=self._clock,
            is_coalescing=self._is_coalescing,
        )
        self._links[link] = dialled
        link.start(None if dialled is None else self._hello([dialled]))
        return link

    def _hello(self, greeted: Sequence[AgentId]) -> Hello:
        met = [self.peers.get(agent) for agent in greeted]
        return Hello(
            PROTOCOL_VERSION,
            (Resident(self.peers.local, self.peers.local_epoch),),
            self.address,
            tuple([Resident(peer.agent, peer.epoch, peer.session) for peer in met]),
        )

    def hello_to(self, theirs: Hello) -> Hello:
        """Say what we know of those who greet us; only so do they learn that we forgot them."""
        return self._hello([resident.agent for resident in theirs.residents])

    def on_hello(self, link: Link, theirs: Hello) -> None:
        """Send to those who live at the other end over this link."""
        dialled = self._links[link]
        if dialled is not None and dialled not in {r.agent for r in theirs.residents}:
            raise PeerUnavailable("somebody else answers at its address")
        session = next(
            (known.session for known in theirs.met if known.agent == self.peers.local), 0
        )
        for resident in theirs.residents:
            self._meet(link, resident, session)
        opened = self._opened.pop(link, None)
        if opened is not None:
            opened.set_result(None)

    def _meet(self, link: Link, resident: Resident, session: int) -> None:
        peer = self.peers.get(resident.agent)
        if peer.agent in self._sending and peer.is_known_as(resident.epoch, session):
            link.peers[peer.agent] = peer
            return  # both dialled at once: each goes on sending on its own link
        known_epoch = peer.epoch
        try:
            has_lost_ours = peer.meet(resident.epoch, session)
        except StaleEpoch:
            self._owner.on_stale()
            raise
        for other in list(self._links):
            if other.peers.pop(peer.agent, None) is not None:
                other.outgoing.peers.pop(peer.agent, None)
                other.fail(f"{peer.agent} is reached over a newer link")
        link.peers[peer.agent] = link.outgoing.peers[peer.agent] = peer
        self._sending[peer.agent] = link
        self._dialler.reached(peer.agent)
        self.peers.keep(peer.agent)
        self._owner.on_met(peer, known_epoch)
        if has_lost_ours:
            self._owner.on_restarted(peer)

    def on_link_end(self, link: Link) -> None:
        """Find other ways to the peers that we sent to over this link."""
        del self._links[link]
        opened = self._opened.pop(link, None)
        if opened is not None and not opened.done():
            assert link.end is not None
            opened.set_exception(PeerUnavailable(link.end.reason))
        if self._is_stopping and not self._links:
            self._all_ended.set()
        for agent, peer in link.outgoing.peers.items():
            if self._sending.get(agent) is link:
                del self._sending[agent]
                self._reroute(peer, link)

    def _reroute(self, peer: Peer, lost: Link) -> None:
        other = next((o for o in self._links if peer.agent in o.peers), None)
        assert lost.end is not None
        age_s = self._clock.now() - lost.opened_at
        fact = LostLink(other is not None, peer.undone_count > 0, age_s, lost.end.is_peer_leaving)
        match link_lost(fact, is_stopping=self._is_stopping):
            case Loss.USE_OTHER:
                assert other is not None
                peer.reconnect()
                other.outgoing.peers[peer.agent] = peer
                self._sending[peer.agent] = other
                self.acknowledge(peer)
            case Loss.DIAL:
                self._dialler.look_for(peer)
            case Loss.DIAL_LATER:
                self._dialler.look_for(peer, REDIAL_S_MAX)
            case Loss.FORGET:
                self.peers.forget(peer, lost.end.reason)
            case Loss.FORGET_LATER:
                self.peers.forget_later(peer.agent, FORGET_AFTER_S)
            case Loss.NOTHING:
                pass

    # ---- dialling --------------------------------------------------------------------------

    async def open_link(self, connection: Connection, agent: AgentId) -> None:
        """Make a link of a connection that we opened; return when its other end said hello."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        link = self._start_link(connection, agent)
        self._opened[link] = opened
        try:
            await opened
        except asyncio.CancelledError:
            link.fail("nobody needs the link any longer")
            raise

    def on_not_reached(self, peer: Peer) -> None:
        """Pass on that a peer can't be reached just now."""
        self._owner.on_link_lost(peer)
