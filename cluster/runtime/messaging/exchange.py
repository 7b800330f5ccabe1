"""An agent's post office: queues envelopes for its peers and matches answers with asks.

Reaching the peers is `cluster.runtime.messaging.links`' work; all decisions about sequence, credit
and dedupe are `cluster.kernel.delivery.peer`'s. What is known of calls between Ray's actors shaped
it:

- ray#52628: a `ray.cancel` can be lost: ours is an envelope that is kept until it has its receipt.
- ray#26772: a call may hang when its actor died: every ask ends by its deadline, and before that
  where its recipient stays out of reach.
- ray PR#41756: what a generator yields is spliced from two runs when Ray retries it: an ask that is
  sent again says so (`on_restart`), and whoever shows its progress begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.quarantine import DEATHS_MAX
from cluster.kernel.envelope import Batch, Envelope, Kind, Lane
from cluster.kernel.errors import (
    ClusterError,
    DeadLettered,
    DeadlinePassed,
    Overloaded,
    PeerUnavailable,
    StaleEpoch,
    UnknownRecipient,
    Unsupported,
    WireError,
)
from cluster.kernel.ids import AgentId, EnvelopeId, IdSource
from cluster.runtime.directory import Directory
from cluster.runtime.messaging.alarm import Alarm
from cluster.runtime.messaging.asks import Asks, PendingAsk
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.link import Link
from cluster.runtime.messaging.links import Links
from cluster.runtime.messaging.port import DeliveryObserver, ExchangeStatistics, Recipient
from cluster.transport.port import Transport
from cluster.wire.codec import check_body

_log = logging.getLogger(__name__)


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
        ids: IdSource | None = None,
        is_coalescing: bool = True,
        dead_letters: DeadLetterBox | None = None,
        observer: DeliveryObserver | None = None,
    ) -> None:
        self.agent = agent
        """Whose post office it is."""
        self.statistics = ExchangeStatistics()
        self._clock = clock
        self._ids = ids or IdSource(clock.wall, rng or random.Random())
        self._dead_letters = dead_letters
        self._observer = observer
        self._links = Links(
            agent,
            self,
            transport=transport,
            directory=directory,
            clock=clock,
            rng=rng,
            is_coalescing=is_coalescing,
        )
        self._recipient: Recipient | None = None
        self._loop: asyncio.AbstractEventLoop
        self._asks = Asks()
        self._alarm: Alarm[EnvelopeId] = Alarm(clock, self._expire)
        self._work: dict[EnvelopeId, tuple[Peer, Envelope]] = {}
        """What others want of us: an ask until our answer has its receipt, a tell until its turn
        has ended. Bounded by what the mailbox and the lanes of the answers hold."""

    @property
    def epoch(self) -> int:
        """The agent's incarnation."""
        return self._links.peers.local_epoch

    @property
    def address(self) -> str:
        """Where others dial; empty where they can't."""
        return self._links.address

    @property
    def peers_known(self) -> int:
        """How many other agents are remembered."""
        return len(self._links.peers)

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""
        return self._links.is_linked(agent)

    async def start(self, epoch: int, recipient: Recipient, *, listens: bool = True) -> str:
        """Open for others under an incarnation number; return the address."""
        self._recipient = recipient
        self._loop = asyncio.get_running_loop()
        return await self._links.start(epoch, listens=listens)

    async def stop(self) -> None:
        """Send what is queued, fail what waits, close the links."""
        await self._links.stop()
        self._alarm.close()
        for pending in self._asks.of(None):
            pending.fail(PeerUnavailable("this host is stopping"))
        if self._dead_letters is not None:
            await self._dead_letters.close()

    async def abort(self) -> None:
        """End as a crash does: no goodbye, nothing answered."""
        await self._links.abort()
        self._alarm.close()
        if self._dead_letters is not None:
            await self._dead_letters.close(0.0)

    # ---- sending ---------------------------------------------------------------------------

    def post(self, envelope: Envelope) -> Peer:
        """Queue an envelope for its recipient. Never waits.

        Raises:
            TooLarge: the body is over the limit.
            Overloaded: too much waits for this recipient already.
        """
        try:
            check_body(envelope.body)
            peer = self._links.peers.get(envelope.recipient)
            peer.offer(envelope)
        except ClusterError as error:
            if envelope.is_dispensable and isinstance(error, Overloaded):
                self.statistics.left_out += 1
            else:
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
        answer: asyncio.Future[Envelope] = self._loop.create_future()
        peer = self.post(envelope)
        self._asks.add(PendingAsk(envelope, peer, answer, on_progress, on_restart, on_link_lost))
        assert envelope.deadline_at is not None
        self._alarm.set(envelope.id, envelope.deadline_at + grace_s)
        try:
            return await answer
        except asyncio.CancelledError:
            if is_abandoned is not None and is_abandoned():
                self.forget(envelope.id)
            else:
                self.cancel(envelope.id, "nobody waits for the answer any longer")
            raise
        finally:
            self._alarm.drop(envelope.id)
            self._asks.remove(envelope.id)

    def _expire(self, ask: EnvelopeId) -> None:
        """End the wait for an answer that did not come in time."""
        pending = self._asks.get(ask)
        if pending is not None and not pending.answer.done():
            recipient = pending.envelope.recipient
            pending.fail(DeadlinePassed(f"{recipient} did not answer before the deadline"))
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
        pending = self._asks.forget(ask)
        if pending is not None:
            self._links.acknowledge(pending.peer)  # what waited behind it may go now
        return pending

    def request_cancel(self, asked: Envelope, reason: str) -> None:
        """Tell the recipient of an ask to stop working on it; its answer will say so."""
        notice = Envelope(
            id=self._ids.envelope_id(),
            sender=self.agent,
            recipient=asked.recipient,
            kind=Kind.CANCEL,
            body_type="",
            body=reason.encode(),
            task=asked.task,
            step=asked.step,
            cause=asked.id,
            lane=Lane.CONTROL,
            traceparent=asked.traceparent,
        )
        try:
            self.post(notice)
        except ClusterError:
            return  # the recipient's own deadline ends the turn

    def answer(self, asked: Envelope, reply: Envelope) -> None:
        """Send the answer to an ask; the ask is done when the answer has its receipt.

        Where the asker was given up, or asked from another incarnation, nothing is sent.

        Raises:
            TooLarge: send a failure instead.
            Overloaded: nothing can be sent; the ask is done.
        """
        if asked.id not in self._work:
            return
        try:
            self.post(reply)
        except Overloaded:
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
            if peer is None or ack.sender != self.agent:
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
        if peer is None:
            raise WireError(f"an envelope from {envelope.sender} came over a link of others")
        if envelope.recipient != self.agent:
            self._refuse_stray(peer, envelope)
            return
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

    def _refuse_stray(self, peer: Peer, envelope: Envelope) -> None:
        """Answer what is for an agent that doesn't live here, outside of any sequence."""
        assert self._recipient is not None
        _log.warning("%s sent %s here for %s", peer.agent, envelope.kind.name, envelope.recipient)
        error = UnknownRecipient(f"{envelope.recipient} does not live here, {self.agent} does")
        self.statistics.refused[error.kind] += 1
        if envelope.kind is Kind.ASK:
            self._work[envelope.id] = (peer, envelope)
            self._recipient.refuse(envelope, error)

    def _dispatch(self, peer: Peer, envelope: Envelope) -> None:
        """Hand on what is new, by its lane, which goes with its kind."""
        assert self._recipient is not None
        if envelope.kind is Kind.UNKNOWN:
            self._skip(peer, envelope)
            return
        lane = envelope.lane
        if self._observer is not None:
            is_awaited = lane is not Lane.REPLY or self._asks.get(envelope.cause) is not None
            self._observer.on_applied(envelope, peer.epoch, is_awaited=is_awaited)
        if lane is Lane.REPLY:
            if not self._asks.take(envelope):
                self.statistics.stale += 1
        elif lane is Lane.WORK:
            self._work[envelope.id] = (peer, envelope)
            if self._recipient.on_work(envelope):
                peer.taken(envelope)
        else:
            self._recipient.on_cancel(envelope)

    def _skip(self, peer: Peer, envelope: Envelope) -> None:
        """Pass over what only a newer version knows; where it may wait for an answer, say so."""
        assert self._recipient is not None
        self.statistics.skipped += 1
        if envelope.lane is Lane.WORK:
            self._work[envelope.id] = (peer, envelope)
            older = f"{self.agent} is of an older version and does not know this kind of envelope"
            self._recipient.refuse(envelope, Unsupported(older))

    def on_met(self, peer: Peer, known_epoch: int) -> None:
        """Say so to whoever looks on."""
        if self._observer is not None:
            self._observer.on_met(peer.agent, peer.epoch, known_epoch)

    def on_restarted(self, peer: Peer) -> None:
        """Tell those who wait for a peer that its new incarnation gets their asks again."""
        self._drop_work_of(peer)
        for envelope in peer.take_killers():
            self._give_up(envelope)
        for pending in self._asks.of(peer):
            if pending.on_restart is not None and not pending.answer.done():
                pending.on_restart(peer.epoch)

    def _give_up(self, envelope: Envelope) -> None:
        """Put an envelope that killed its recipients into the dead-letter box; fail its ask."""
        self.statistics.dead_letters += 1
        reason = f"{DEATHS_MAX} incarnations of {envelope.recipient} died holding it"
        _log.warning("a message to %s was given up: %s", envelope.recipient, reason)
        pending = self._asks.get(envelope.id)
        if pending is not None:
            pending.fail(DeadLettered(f"the message was given up: {reason}"))
        if self._dead_letters is not None:
            self._dead_letters.put(DeadLetter.of(envelope, self._clock.wall(), reason))

    def on_stale(self) -> None:
        """Count what an older incarnation tried; its hello was refused."""
        self.statistics.stale += 1

    def on_link_lost(self, peer: Peer) -> None:
        """Tell those who wait for a peer that it can't be reached just now."""
        for pending in self._asks.of(peer):
            if pending.on_link_lost is not None:
                pending.on_link_lost()

    def on_unreachable(self, peer: Peer, reason: str) -> None:
        """Tell those who wait for a peer that it can't be reached; end what it waits for."""
        assert self._recipient is not None
        self._drop_work_of(peer)
        self._recipient.on_asker_gone(peer.agent)
        for pending in self._asks.of(peer):
            pending.fail(PeerUnavailable(f"{peer.agent} can't be reached: {reason}"))

    def _drop_work_of(self, peer: Peer) -> None:
        """Forget what a peer wanted that it knows nothing of any longer."""
        for asked, (asker, _) in list(self._work.items()):
            if asker is peer:
                del self._work[asked]
