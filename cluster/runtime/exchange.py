"""An agent's post office: queues envelopes for its peers and matches answers with asks.

Reaching the peers is `cluster.runtime.links`' work; all decisions about sequence, credit and
dedupe are `cluster.kernel.peer`'s.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import (
    Batch,
    Envelope,
    Kind,
    Lane,
)
from cluster.kernel.errors import (
    Cancelled,
    ClusterError,
    DeadlinePassed,
    PeerUnavailable,
    StaleEpoch,
    WireError,
)
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.kernel.peer import Peer
from cluster.runtime.directory import Directory
from cluster.runtime.link import Link
from cluster.runtime.links import Links
from cluster.transport.port import Transport
from cluster.wire.codec import check_body


class Recipient(Protocol):
    """Who takes what starts or ends turns."""

    def on_work(self, envelope: Envelope) -> None:
        """Take an ASK or TELL, or answer it with a failure."""
        ...

    def on_cancel(self, envelope: Envelope) -> None:
        """End the turn of the ask the envelope names."""
        ...

    def on_asker_gone(self, asker: AgentId) -> None:
        """End what an agent asked for that can't be reached any longer."""
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
    on_link_lost: Callable[[], None] | None = None
    """Called when the recipient can't be reached just now; the ask goes on waiting."""


@dataclass(slots=True)
class ExchangeStatistics:
    """Counters since the start of the host."""

    sent: int = 0
    received: int = 0
    redelivered: int = 0
    """Arrivals that were not the first attempt at their envelope, dropped or not."""
    duplicates: int = 0
    """Arrivals dropped since the same incarnation had sent them before."""
    stale: int = 0
    dead_letters: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Envelopes refused here, ours and others', by the kind of the error."""


class Exchange:
    """Sends, receives and matches the envelopes of one agent."""

    def __init__(
        self,
        agent: AgentId,
        *,
        transport: Transport,
        directory: Directory,
        clock: Clock,
        rng: random.Random | None = None,
        is_coalescing: bool = True,
    ) -> None:
        self.statistics = ExchangeStatistics()
        self._clock = clock
        self._random = rng or random.Random()
        self._links = Links(
            agent,
            self,
            transport=transport,
            directory=directory,
            clock=clock,
            rng=self._random,
            is_coalescing=is_coalescing,
        )
        self._recipient: Recipient | None = None
        self._asks: dict[EnvelopeId, PendingAsk] = {}
        self._work: dict[EnvelopeId, tuple[Peer, Envelope]] = {}
        """What others want of us: an ask until our answer has its receipt, a tell until its turn
        has ended. Bounded by what the mailbox and the lanes of the answers hold."""

    @property
    def agent(self) -> AgentId:
        """Whose post office it is."""
        return self._links.agent

    @property
    def epoch(self) -> int:
        """The agent's incarnation."""
        return self._links.epoch

    @property
    def address(self) -> str:
        """Where others dial; empty where they can't."""
        return self._links.address

    @property
    def peers_known(self) -> int:
        """How many other agents are remembered."""
        return self._links.peers_known

    async def start(self, epoch: int, recipient: Recipient, *, listens: bool = True) -> str:
        """Open for others under an incarnation number; return the address."""
        self._recipient = recipient
        return await self._links.start(epoch, listens=listens)

    async def stop(self) -> None:
        """Send what is queued, fail what waits, close the links."""
        await self._links.stop()
        self._fail_asks(None, "this host is stopping")

    async def abort(self) -> None:
        """End as a crash does: no goodbye, nothing answered."""
        await self._links.abort()

    # ---- sending ---------------------------------------------------------------------------

    def post(self, envelope: Envelope) -> Peer:
        """Queue an envelope for its recipient. Never waits.

        Raises:
            TooLarge: the body is over the limit.
            Overloaded: too much waits for this recipient already.
        """
        peer = self._links.peer(envelope.recipient)
        try:
            check_body(envelope.body)
            peer.offer(envelope)
        except ClusterError as error:
            self.statistics.refused[error.kind] += 1
            raise
        self.statistics.sent += 1
        self._links.send(peer)
        return peer

    async def ask(
        self,
        envelope: Envelope,
        *,
        on_progress: Callable[[Envelope], None] | None = None,
        on_restart: Callable[[int], None] | None = None,
        on_link_lost: Callable[[], None] | None = None,
        is_abandoned: Callable[[], bool] | None = None,
        grace_s: float = 0.0,
    ) -> Envelope:
        """Send an ask and return the envelope of its answer.

        With ``grace_s`` the answer may still come that long after the recipient's deadline. Where
        the asking task is cancelled the recipient is told to stop, unless ``is_abandoned`` says
        that somebody else has asked for the same meanwhile.

        Raises:
            DeadlinePassed: no answer came by the envelope's deadline.
            PeerUnavailable: the recipient stayed out of reach.
            TooLarge, Overloaded: it could not be sent at all.
        """
        answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        peer = self.post(envelope)
        pending = PendingAsk(envelope, peer, answer, on_progress, on_restart, on_link_lost)
        self._asks[envelope.id] = pending
        assert envelope.deadline_at is not None
        left_s = envelope.deadline_at - self._clock.now() + grace_s
        loop = asyncio.get_running_loop()
        timer = loop.call_later(max(0.0, left_s), self._expire, envelope.id)
        try:
            return await answer
        except asyncio.CancelledError:
            if is_abandoned is not None and is_abandoned():
                self.forget(envelope.id)
            else:
                self.cancel(envelope.id, "nobody waits for the answer any longer")
            raise
        finally:
            timer.cancel()
            self._asks.pop(envelope.id, None)

    def _expire(self, ask: EnvelopeId) -> None:
        """End the wait for an answer that did not come in time."""
        pending = self._asks.get(ask)
        if pending is not None and not pending.answer.done():
            pending.answer.set_exception(
                DeadlinePassed(f"{pending.envelope.recipient} did not answer before the deadline")
            )
            self.cancel(ask, "the deadline has passed")

    def cancel(self, ask: EnvelopeId, reason: str) -> None:
        """Stop waiting for an ask and tell its recipient to stop working on it."""
        pending = self.forget(ask)
        if pending is not None:
            self.request_cancel(pending.envelope, reason)

    def forget(self, ask: EnvelopeId) -> PendingAsk | None:
        """Stop waiting for an ask; a recipient that has it works on, one that gets it does not.

        Whoever still waits in `ask` gets `Cancelled`. Returns what was waited for, if anything was.
        """
        pending = self._asks.pop(ask, None)
        if pending is not None:
            pending.peer.abandon(pending.envelope)
            if not pending.answer.done():
                pending.answer.set_exception(Cancelled("nobody waits for the answer any longer"))
        return pending

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
        """Send the answer to an ask; the ask is done when the answer has its receipt.

        Where the asker was given up, or asked from another incarnation, nothing is sent.

        Raises:
            TooLarge, Overloaded: it can't be sent; the ask is done.
        """
        if asked.id not in self._work:
            return
        try:
            self.post(reply)
        except ClusterError:
            self.told(asked)
            raise

    def taken(self, envelope: Envelope) -> None:
        """A turn has taken the envelope out of the mailbox: give its credit back."""
        wanted = self._work.get(envelope.id)
        if wanted is not None:
            peer, _ = wanted
            peer.taken(envelope)
            self._links.acknowledge(peer)

    def told(self, envelope: Envelope) -> None:
        """The turn of a TELL has ended."""
        wanted = self._work.pop(envelope.id, None)
        if wanted is not None:
            peer, _ = wanted
            peer.done(envelope)
            self._links.acknowledge(peer)

    # ---- receiving -------------------------------------------------------------------------

    def on_batch(self, link: Link, batch: Batch) -> None:
        """Take the acks and envelopes of a frame."""
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
            self._links.acknowledge(peer)

    def _answer_received(self, reply: Envelope) -> None:
        wanted = self._work.pop(reply.cause, None)
        if wanted is not None:
            peer, asked = wanted
            peer.done(asked)

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
        if envelope.attempt > 1 or not is_new:
            self.statistics.redelivered += 1
        if not is_new:
            self.statistics.duplicates += 1
            return
        self.statistics.received += 1
        self._dispatch(peer, envelope)

    def _dispatch(self, peer: Peer, envelope: Envelope) -> None:
        assert self._recipient is not None
        match envelope.kind:
            case Kind.ASK | Kind.TELL:
                self._work[envelope.id] = (peer, envelope)
                self._recipient.on_work(envelope)
            case Kind.CANCEL:
                self._recipient.on_cancel(envelope)
            case Kind.REPLY | Kind.PROGRESS:
                self._to_asker(envelope)

    def _to_asker(self, envelope: Envelope) -> None:
        pending = self._asks.get(envelope.cause)
        if pending is None or pending.answer.done():
            return
        if envelope.kind is Kind.PROGRESS:
            if pending.on_progress is not None:
                pending.on_progress(envelope)
            return
        pending.peer.answered(pending.envelope)
        pending.answer.set_result(envelope)

    def on_restarted(self, peer: Peer) -> None:
        """Tell those who wait for a peer that its new incarnation gets their asks again."""
        self._drop_work_of(peer)
        for pending in list(self._asks.values()):
            if pending.peer is peer and pending.on_restart is not None:
                pending.on_restart(peer.epoch)

    def on_link_lost(self, peer: Peer) -> None:
        """Tell those who wait for a peer that it can't be reached just now."""
        for pending in list(self._asks.values()):
            if pending.peer is peer and pending.on_link_lost is not None:
                pending.on_link_lost()

    def on_unreachable(self, peer: Peer, reason: str) -> None:
        """Tell those who wait for a peer that it can't be reached; end what it waits for."""
        assert self._recipient is not None
        self._drop_work_of(peer)
        self._recipient.on_asker_gone(peer.agent)
        self._fail_asks(peer, f"{peer.agent} can't be reached: {reason}")

    def _drop_work_of(self, peer: Peer) -> None:
        """Forget what a peer wanted that it knows nothing of any longer."""
        for asked, (asker, _) in list(self._work.items()):
            if asker is peer:
                del self._work[asked]

    def _fail_asks(self, peer: Peer | None, reason: str) -> None:
        for pending in list(self._asks.values()):
            if (peer is None or pending.peer is peer) and not pending.answer.done():
                pending.answer.set_exception(PeerUnavailable(reason))
