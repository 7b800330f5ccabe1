"""An agent's post office: routes envelopes between it and its peers over links.

Owns the links of the host, dials peers through the directory, reconnects by itself, matches
answers with asks. All decisions about sequence, credit and dedupe are `cluster.kernel.peer`'s.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import (
    PROTOCOL_VERSION,
    Batch,
    Envelope,
    Hello,
    Kind,
    Lane,
    Resident,
)
from cluster.kernel.errors import (
    ClusterError,
    DeadlinePassed,
    PeerUnavailable,
    StaleEpoch,
    WireError,
)
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.kernel.peer import Peer
from cluster.runtime.directory import Directory
from cluster.runtime.link import Link, exchange_hellos
from cluster.transport.port import Connection, Transport
from cluster.wire.codec import check_body

_log = logging.getLogger(__name__)

DIAL_TIMEOUT_S = 2.0
BACKOFF_S_MIN = 0.02
BACKOFF_S_MAX = 1.0
LOST_AFTER_S = 20.0
"""How long an unreachable peer is looked for before those who wait for it are told."""
DRAIN_S = 2.0


class Recipient(Protocol):
    """Who takes what starts or ends turns."""

    def on_work(self, envelope: Envelope) -> None:
        """Take an ASK or TELL, or answer it with a failure."""
        ...

    def on_cancel(self, envelope: Envelope) -> None:
        """End the turn of the ask the envelope names."""
        ...


@dataclass(slots=True)
class PendingAsk:
    """An ask that waits for its answer."""

    envelope: Envelope
    peer: Peer
    answer: asyncio.Future[Envelope]
    on_progress: Callable[[Envelope], None] | None = None
    on_restart: Callable[[int], None] | None = None
    """Called with the new epoch when the recipient's new incarnation gets the ask again."""


@dataclass(slots=True)
class ExchangeStatistics:
    """Counters since the start of the host."""

    sent: int = 0
    received: int = 0
    duplicates: int = 0
    stale: int = 0
    reconnects: int = 0
    links: int = field(default=0)


class Exchange:
    """Sends, receives and matches the envelopes of one agent."""

    def __init__(
        self, agent: AgentId, *, transport: Transport, directory: Directory, clock: Clock
    ) -> None:
        self.agent = agent
        self.epoch = 0
        self.address = ""
        self.statistics = ExchangeStatistics()
        self._transport = transport
        self._directory = directory
        self._clock = clock
        self._random = random.Random()
        self._recipient: Recipient | None = None
        self._peers: dict[AgentId, Peer] = {}
        self._sending_link: dict[AgentId, Link] = {}
        self._links: set[Link] = set()
        self._asks: dict[EnvelopeId, PendingAsk] = {}
        self._answering: dict[EnvelopeId, tuple[Peer, int, int]] = {}
        """Asks of others by id: peer, seq and epoch, until our answer has its receipt."""
        self._connecting: dict[AgentId, asyncio.Task[None]] = {}
        self._link_tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def start(self, epoch: int, recipient: Recipient, *, listens: bool = True) -> str:
        """Open for others under an incarnation number; return the address."""
        self.epoch = epoch
        self._recipient = recipient
        if listens:
            self.address = await self._transport.listen(self._accept)
        return self.address

    async def stop(self) -> None:
        """Send what is queued, say goodbye, fail what waits, close the transport."""
        self._is_stopping = True
        for task in self._connecting.values():
            task.cancel()
        for link in self._links:
            link.end("the host is stopping")
        if self._link_tasks:
            await asyncio.wait(self._link_tasks, timeout=DRAIN_S)
        for task in [*self._link_tasks, *self._connecting.values()]:
            task.cancel()
        await asyncio.gather(*self._link_tasks, *self._connecting.values(), return_exceptions=True)
        for pending in list(self._asks.values()):
            self._fail(pending, PeerUnavailable("this host is stopping"))
        await self._transport.close()

    async def abort(self) -> None:
        """End as a crash does: no goodbye, nothing answered."""
        self._is_stopping = True
        await self._transport.close()

    # ---- sending ---------------------------------------------------------------------------

    def post(self, envelope: Envelope) -> Peer:
        """Queue an envelope for its recipient. Never waits.

        Raises:
            TooLarge: the body is over the limit.
            Overloaded: too much waits for this recipient already.
        """
        check_body(envelope.body)
        peer = self._peer(envelope.recipient)
        peer.offer(envelope)
        self.statistics.sent += 1
        link = self._sending_link.get(peer.agent)
        if link is not None:
            link.wake()
        else:
            self._connect(peer)
        return peer

    async def ask(
        self,
        envelope: Envelope,
        *,
        on_progress: Callable[[Envelope], None] | None = None,
        on_restart: Callable[[int], None] | None = None,
        grace_s: float = 0.0,
    ) -> Envelope:
        """Send an ask and return the envelope of its answer.

        With ``grace_s`` the answer may still come that long after the recipient's deadline.

        Raises:
            DeadlinePassed: no answer came by the envelope's deadline.
            PeerUnavailable: the recipient stayed out of reach.
            TooLarge, Overloaded: it could not be sent at all.
        """
        answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        peer = self.post(envelope)
        pending = PendingAsk(envelope, peer, answer, on_progress, on_restart)
        self._asks[envelope.id] = pending
        assert envelope.deadline_at is not None
        left_s = envelope.deadline_at - self._clock.now() + grace_s
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                return await answer
        except TimeoutError as error:
            self.cancel(envelope.id, "the deadline has passed")
            raise DeadlinePassed(
                f"{envelope.recipient} did not answer before the deadline"
            ) from error
        except asyncio.CancelledError:
            self.cancel(envelope.id, "nobody waits for the answer any longer")
            raise
        finally:
            self._asks.pop(envelope.id, None)

    def cancel(self, ask: EnvelopeId, reason: str) -> None:
        """Stop waiting for an ask and tell its recipient to stop working on it."""
        pending = self._asks.pop(ask, None)
        if pending is not None:
            pending.peer.abandon(pending.envelope.seq)
            self.request_cancel(pending.envelope, reason)

    def request_cancel(self, asked: Envelope, reason: str) -> None:
        """Tell the recipient of an ask to stop working on it; its answer will say so."""
        notice = Envelope(
            id=EnvelopeId(self._random.randbytes(16)),
            sender=self.agent,
            recipient=asked.recipient,
            kind=Kind.CANCEL,
            body_type="",
            body=reason.encode(),
            task=asked.task,
            step=asked.step,
            cause=asked.id,
            lane=Lane.CONTROL,
        )
        try:
            self.post(notice)
        except ClusterError:
            return  # the recipient's own deadline ends the turn

    def answer(self, asked: Envelope, reply: Envelope) -> None:
        """Send the answer to an ask; the ask is done when the answer has its receipt."""
        peer = self._peer(asked.sender)
        self._answering[asked.id] = (peer, asked.seq, asked.sender_epoch)
        try:
            self.post(reply)
        except ClusterError:
            del self._answering[asked.id]
            peer.done(asked.seq, asked.sender_epoch)
            raise

    def taken(self, envelope: Envelope) -> None:
        """A turn has taken the envelope out of the mailbox: give its credit back."""
        peer = self._peers[envelope.sender]
        peer.taken(envelope.lane, envelope.sender_epoch)
        self._wake(peer)

    def told(self, envelope: Envelope) -> None:
        """The turn of a TELL has ended."""
        peer = self._peers[envelope.sender]
        peer.done(envelope.seq, envelope.sender_epoch)
        self._wake(peer)

    def _wake(self, peer: Peer) -> None:
        link = self._sending_link.get(peer.agent)
        if link is None:
            return
        if peer.has_sendable:
            link.wake()
        elif peer.has_news:
            link.wake_soon()

    def _peer(self, agent: AgentId) -> Peer:
        peer = self._peers.get(agent)
        if peer is None:
            peer = self._peers[agent] = Peer(agent, self.agent, self.epoch)
        return peer

    # ---- receiving -------------------------------------------------------------------------

    def _on_batch(self, link: Link, batch: Batch) -> None:
        for ack in batch.acks:
            peer = link.peers.get(ack.recipient)
            if peer is None:
                continue
            for envelope in peer.acknowledge(ack):
                if envelope.kind is Kind.REPLY:
                    self._answer_received(envelope)
        for envelope in batch.envelopes:
            self._arrive(link, envelope)
        for peer in link.peers.values():
            self._wake(peer)

    def _answer_received(self, reply: Envelope) -> None:
        answered = self._answering.pop(reply.cause, None)
        if answered is not None:
            peer, seq, epoch = answered
            peer.done(seq, epoch)

    def _arrive(self, link: Link, envelope: Envelope) -> None:
        peer = link.peers.get(envelope.sender)
        if peer is None or envelope.recipient != self.agent:
            raise WireError(
                f"an envelope from {envelope.sender} to {envelope.recipient} came over a link"
                f" between others"
            )
        try:
            is_new = peer.arrive(envelope)
        except StaleEpoch:
            self.statistics.stale += 1
            return
        if not is_new:
            self.statistics.duplicates += 1
            return
        self.statistics.received += 1
        self._dispatch(peer, envelope)

    def _dispatch(self, peer: Peer, envelope: Envelope) -> None:
        assert self._recipient is not None
        match envelope.kind:
            case Kind.ASK | Kind.TELL:
                self._recipient.on_work(envelope)
                return
            case Kind.CANCEL:
                self._recipient.on_cancel(envelope)
            case Kind.REPLY | Kind.PROGRESS:
                self._to_asker(envelope)
        peer.taken(envelope.lane, envelope.sender_epoch)

    def _to_asker(self, envelope: Envelope) -> None:
        pending = self._asks.get(envelope.cause)
        if pending is None or pending.answer.done():
            return
        if envelope.kind is Kind.PROGRESS:
            if pending.on_progress is not None:
                pending.on_progress(envelope)
            return
        pending.peer.answered(pending.envelope.seq)
        pending.answer.set_result(envelope)

    def _fail(self, pending: PendingAsk, error: ClusterError) -> None:
        if not pending.answer.done():
            pending.answer.set_exception(error)

    # ---- links -----------------------------------------------------------------------------

    async def _accept(self, connection: Connection) -> None:
        """Serve a connection that somebody else opened, until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._link_tasks.add(task)
        try:
            theirs = await exchange_hellos(connection, self._hello())
            link = self._open_link(connection, theirs)
        except (PeerUnavailable, StaleEpoch):
            return
        finally:
            self._link_tasks.discard(task)
        await self._run_link(link)

    def _hello(self) -> Hello:
        return Hello(PROTOCOL_VERSION, (Resident(self.agent, self.epoch),), self.address)

    def _open_link(self, connection: Connection, theirs: Hello) -> Link:
        link = Link(connection, self._on_batch)
        for resident in theirs.residents:
            peer = self._peer(resident.agent)
            old = self._sending_link.get(peer.agent)
            if old is not None and resident.epoch == peer.epoch:
                link.peers[peer.agent] = peer
                continue  # both dialled at once: each goes on sending on its own link
            is_new_incarnation = peer.meet(resident.epoch)
            link.peers[peer.agent] = peer
            if old is not None:
                old.sends_to.pop(peer.agent, None)
            link.sends_to[peer.agent] = peer
            self._sending_link[peer.agent] = link
            if is_new_incarnation:
                self._tell_of_restart(peer)
        self._links.add(link)
        self.statistics.links += 1
        return link

    def _tell_of_restart(self, peer: Peer) -> None:
        for pending in list(self._asks.values()):
            if pending.peer is peer and pending.on_restart is not None:
                pending.on_restart(peer.epoch)

    async def _run_link(self, link: Link) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._link_tasks.add(task)
        link.wake()
        try:
            await link.run()
        except Exception:  # noqa: BLE001 - the stream task is a containment point
            _log.exception("a link of %s ended in an error of ours", self.agent)
        finally:
            self._link_tasks.discard(task)
            self._links.discard(link)
            self._lost(link)

    def _lost(self, link: Link) -> None:
        """Find other ways to the peers that we sent to over this link."""
        for agent, peer in link.sends_to.items():
            if self._sending_link.get(agent) is not link:
                continue
            del self._sending_link[agent]
            other = next((o for o in self._links if agent in o.peers), None)
            if other is not None:
                peer.meet(peer.epoch)
                other.sends_to[agent] = peer
                self._sending_link[agent] = other
                other.wake()
            elif peer.undone_count and not self._is_stopping:
                self._connect(peer)

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
        while self._clock.now() < gives_up_at and peer.agent not in self._sending_link:
            try:
                link = await self._dial(peer)
            except ClusterError as error:
                reason = str(error)
            else:
                task = asyncio.ensure_future(self._run_link(link))
                self._link_tasks.add(task)
                task.add_done_callback(self._link_tasks.discard)
                return
            await asyncio.sleep(backoff_s * self._random.uniform(0.5, 1.0))
            backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
        if peer.agent not in self._sending_link:
            self._give_up(peer, reason)

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

    def _give_up(self, peer: Peer, reason: str) -> None:
        """Forget a peer that stayed out of reach, and tell those who wait for it."""
        self._peers.pop(peer.agent, None)
        for pending in list(self._asks.values()):
            if pending.peer is peer:
                self._fail(pending, PeerUnavailable(f"{peer.agent} can't be reached: {reason}"))
