"""The links of a host: who is reached over which connection, and how it is reached again.

Accepts what others dial, dials through the directory, keeps one sending link a peer, reconnects
with jittered backoff while something waits for the peer, and gives up after `LOST_AFTER_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import PROTOCOL_VERSION, Batch, Hello, Resident
from cluster.kernel.errors import (
    ClusterError,
    Overloaded,
    PeerUnavailable,
    StaleEpoch,
    StoreUnavailable,
)
from cluster.kernel.ids import AgentId
from cluster.runtime.directory import Directory
from cluster.runtime.messaging.alarm import Alarm
from cluster.runtime.messaging.link import Link
from cluster.transport.port import Connection, Transport

DIAL_TIMEOUT_S = 2.0
BACKOFF_S_MIN = 0.02
BACKOFF_S_MAX = 1.0
LOST_AFTER_S = 20.0
"""How long an unreachable peer is looked for before those who wait for it are told."""
FORGET_AFTER_S = 40.0
"""How long a peer is remembered that is lost while nothing waits for it: it may find the loss
later than we did, and then looks for us for `LOST_AFTER_S`."""
PEERS_MAX = 4096
DRAIN_S = 2.0
WATCH_SHARE = 1 / 2
"""Of a lease: how often silent peers are looked for."""


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
        self._lost: Alarm[AgentId] = Alarm(clock, self._forget_lost)
        """When those are forgotten whose link broke while nothing waited for them."""
        self._sessions = 0
        """How many records of peers were ever begun."""
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
        self._lost.close()
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
        """Return what we know of an agent; a new one is made where it is a stranger.

        Raises:
            Overloaded: `PEERS_MAX` are known, and none can be forgotten.
        """
        peer = self._peers.get(agent)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                self._make_room()
            self._sessions += 1
            peer = self._peers[agent] = Peer(agent, self.agent, self.epoch, self._sessions)
        return peer

    def _make_room(self) -> None:
        """Forget the oldest peer that nothing waits for and no link leads to."""
        for peer in self._peers.values():
            is_wanted = peer.agent in self._sending or peer.agent in self._connecting
            if not is_wanted and not peer.undone_count:
                self._forget(peer, "others needed its place")
                return
        raise Overloaded(f"{self.agent} knows {PEERS_MAX} other agents, and all are in use")

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
        met = [self.peer(agent) for agent in greeted]
        return Hello(
            PROTOCOL_VERSION,
            (Resident(self.agent, self.epoch),),
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
        session = next((known.session for known in theirs.met if known.agent == self.agent), 0)
        for resident in theirs.residents:
            self._meet(link, resident, session)
        opened = self._opened.pop(link, None)
        if opened is not None:
            opened.set_result(None)

    def _meet(self, link: Link, resident: Resident, session: int) -> None:
        peer = self.peer(resident.agent)
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
                other.sends_to.pop(peer.agent, None)
                other.fail(f"{peer.agent} is reached over a newer link")
        link.peers[peer.agent] = link.sends_to[peer.agent] = peer
        self._sending[peer.agent] = link
        self._lost.drop(peer.agent)
        self._owner.on_met(peer, known_epoch)
        if has_lost_ours:
            self._owner.on_restarted(peer)

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
            peer.reconnect()
            other.sends_to[peer.agent] = peer
            self._sending[peer.agent] = other
            self.acknowledge(peer)
        elif peer.undone_count and not self._is_stopping:
            age_s = self._clock.now() - lost.opened_at
            self._connect(peer, BACKOFF_S_MAX / 4 if age_s < BACKOFF_S_MAX else 0.0)
        elif lost.is_peer_leaving:
            self._forget(peer, lost.end_reason)
        elif not self._is_stopping:
            self._lost.set(peer.agent, self._clock.now() + FORGET_AFTER_S)

    def _forget_lost(self, agent: AgentId) -> None:
        """Forget a peer that died without a goodbye, though nothing waits for it."""
        peer = self._peers.get(agent)
        if peer is not None and agent not in self._sending and agent not in self._connecting:
            self._forget(peer, "its link broke, and it did not come back")

    def _forget(self, peer: Peer, reason: str) -> None:
        """Drop all that is known of a peer that is gone; nobody waits for it or it for us."""
        if self._peers.get(peer.agent) is peer:
            del self._peers[peer.agent]
        self._lost.drop(peer.agent)
        self._owner.on_unreachable(peer, reason)

    async def _watch(self) -> None:
        """Leave links over which nothing comes any longer, though their streams are open.

        Such are links to frozen processes that were replaced meanwhile, and streams in which a
        damaged length makes the receiver wait for what never comes.
        """
        while True:
            await asyncio.sleep(self._directory.lease_s * WATCH_SHARE)
            for agent, link in list(self._sending.items()):
                peer = self._peers.get(agent)
                if peer is None or not peer.undone_count:
                    link.stuck_since = None
                elif self._is_stuck(link, peer):
                    link.fail(f"{agent} gives no receipts")
                elif link.silent_s() >= self._directory.lease_s:
                    await self._leave_if_replaced(link, peer)

    def _is_stuck(self, link: Link, peer: Peer) -> bool:
        """Say whether nothing has had its receipt for a lease, which takes milliseconds else."""
        now, receipts = self._clock.now(), peer.receipts
        if not peer.awaits_receipt:
            link.stuck_since = None
        elif link.stuck_since is None or link.stuck_since[0] != receipts:
            link.stuck_since = (receipts, now)
        return link.stuck_since is not None and now - link.stuck_since[1] >= self._directory.lease_s

    async def _leave_if_replaced(self, link: Link, peer: Peer) -> None:
        with contextlib.suppress(StoreUnavailable):
            found = await self._directory.lookup(peer.agent)
            if found is not None and found.epoch > peer.epoch:
                link.fail(f"{peer.agent} was replaced by incarnation {found.epoch}")

    # ---- connecting ------------------------------------------------------------------------

    def _connect(self, peer: Peer, delay_s: float = 0.0) -> None:
        """Look for a peer; with a delay where the last link ended as soon as it stood."""
        if peer.agent in self._connecting or self._is_stopping:
            return
        self._connecting[peer.agent] = asyncio.ensure_future(self._find(peer, delay_s))

    async def _find(self, peer: Peer, delay_s: float) -> None:
        try:
            if delay_s:
                await asyncio.sleep(delay_s * self._rng.uniform(0.0, 1.0))
            await self._look_for(peer)
        finally:  # not a moment later: a link that is lost then must be looked for again
            del self._connecting[peer.agent]

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
            if peer.agent in self._sending:
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
