"""What comes in for an agent: acks and envelopes, and what becomes of its peers.

Part of the exchange beside it; all decisions about sequence, credit and dedupe are
`cluster.kernel.delivery.peer`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.quarantine import DEATHS_MAX
from cluster.kernel.envelope import Batch, Envelope, Kind, Lane
from cluster.kernel.errors import (
    DeadLettered,
    PeerUnavailable,
    StaleEpoch,
    UnknownRecipient,
    Unsupported,
    WireError,
)
from cluster.kernel.ids import AgentId
from cluster.runtime.messaging.asks import Asks
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.link import Link
from cluster.runtime.messaging.port import DeliveryObserver, ExchangeStatistics, Recipient
from cluster.runtime.messaging.wanted import Wanted

_log = logging.getLogger(__name__)


class Arrivals:
    """Hands on what arrives, once, to the turns and to the asks of one agent."""

    _asks: Asks
    _wanted: Wanted
    _acknowledge: Callable[[Peer], None]

    def __init__(
        self,
        agent: AgentId,
        statistics: ExchangeStatistics,
        *,
        clock: Clock,
        dead_letters: DeadLetterBox | None,
        observer: DeliveryObserver | None,
    ) -> None:
        self.agent = agent
        self.recipient: Recipient | None = None
        """Known once the exchange has started."""
        self.statistics = statistics
        self._clock = clock
        self._dead_letters = dead_letters
        self._observer = observer

    def bind(self, asks: Asks, wanted: Wanted, acknowledge: Callable[[Peer], None]) -> None:
        """Say who is to have what arrives; they in turn need the links, whose owner this is."""
        self._asks = asks
        self._wanted = wanted
        self._acknowledge = acknowledge

    def on_batch(self, link: Link, batch: Batch) -> None:
        """Take the acks and envelopes of a frame."""
        for ack in batch.acks:
            peer = link.peers.get(ack.recipient)
            if peer is None or ack.sender != self.agent:
                continue
            for envelope in peer.acknowledge(ack):
                if envelope.kind is Kind.REPLY:
                    self._wanted.answer_received(envelope)
        for envelope in batch.envelopes:
            self._arrive(link, envelope)
        for peer in link.peers.values():
            self._acknowledge(peer)

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
        assert self.recipient is not None
        _log.warning("%s sent %s here for %s", peer.agent, envelope.kind.name, envelope.recipient)
        error = UnknownRecipient(f"{envelope.recipient} does not live here, {self.agent} does")
        self.statistics.refused[error.kind] += 1
        if envelope.kind is Kind.ASK:
            self._wanted.add(peer, envelope)
            self.recipient.refuse(envelope, error)

    def _dispatch(self, peer: Peer, envelope: Envelope) -> None:
        """Hand on what is new, by its lane, which goes with its kind."""
        assert self.recipient is not None
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
            self._wanted.add(peer, envelope)
            if self.recipient.on_work(envelope):
                peer.taken(envelope)
        else:
            self.recipient.on_cancel(envelope)

    def _skip(self, peer: Peer, envelope: Envelope) -> None:
        """Pass over what only a newer version knows; where it may wait for an answer, say so."""
        assert self.recipient is not None
        self.statistics.skipped += 1
        if envelope.lane is Lane.WORK:
            self._wanted.add(peer, envelope)
            older = f"{self.agent} is of an older version and does not know this kind of envelope"
            self.recipient.refuse(envelope, Unsupported(older))

    def on_met(self, peer: Peer, known_epoch: int) -> None:
        """Say so to whoever looks on."""
        if self._observer is not None:
            self._observer.on_met(peer.agent, peer.epoch, known_epoch)

    def on_restarted(self, peer: Peer) -> None:
        """Tell those who wait for a peer that its new incarnation gets their asks again."""
        self._wanted.drop_of(peer)
        for envelope in peer.take_killers():
            self._give_up(envelope)
        self._asks.on_restart(peer)

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
        self._asks.on_link_lost(peer)

    def on_unreachable(self, peer: Peer, reason: str) -> None:
        """Tell those who wait for a peer that it can't be reached; end what it waits for."""
        assert self.recipient is not None
        if self._observer is not None:
            self._observer.on_unreachable(peer.agent, reason)
        self._wanted.drop_of(peer)
        self.recipient.on_asker_gone(peer.agent)
        self._asks.fail(peer, PeerUnavailable(f"{peer.agent} can't be reached: {reason}"))
