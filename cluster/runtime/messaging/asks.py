"""The asks of one agent: sent, waited for, cancelled, seen on their way. Part of the exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import Cancelled, ClusterError, DeadlinePassed
from cluster.kernel.ids import EnvelopeId
from cluster.kernel.vocabulary import Failure
from cluster.runtime.messaging.alarm import Alarm
from cluster.runtime.messaging.sender import AskObserver, PostOffice
from cluster.wire.messages import PACKAGE, MessageCodec, Opaque

FAILURE_TYPE = f"{PACKAGE}{Failure.__name__}"


@dataclass(slots=True)
class PendingAsk:
    """An ask that waits for its answer."""

    envelope: Envelope
    peer: Peer
    answer: asyncio.Future[Envelope]
    observer: AskObserver | None

    def fail(self, error: ClusterError) -> None:
        """End the wait with an error, unless it has ended."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Asks:
    """Those that wait, by the id of their envelope, in order.

    ``on_freed`` is told of a peer for which something that waited behind an ask may go now.
    """

    def __init__(
        self,
        office: PostOffice,
        codec: MessageCodec,
        clock: Clock,
        on_freed: Callable[[Peer], None],
    ) -> None:
        self._office = office
        self._codec = codec
        self._on_freed = on_freed
        self._pending: dict[EnvelopeId, PendingAsk] = {}
        self._alarm: Alarm[EnvelopeId] = Alarm(clock, self._expire)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._pending)

    async def ask(
        self, envelope: Envelope, observer: AskObserver | None = None, *, grace_s: float = 0.0
    ) -> Envelope:
        """Send an ask and return the envelope of its answer; see `Exchange.ask`."""
        answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        peer = self._office.post(envelope)
        self._pending[envelope.id] = PendingAsk(envelope, peer, answer, observer)
        assert envelope.deadline_at is not None
        self._alarm.set(envelope.id, envelope.deadline_at + grace_s)
        try:
            return await answer
        except asyncio.CancelledError:
            if observer is not None and observer.is_abandoned:
                self.forget(envelope.id)
            else:
                self.cancel(envelope.id, "nobody waits for the answer any longer")
            raise
        finally:
            self._alarm.drop(envelope.id)
            self._pending.pop(envelope.id, None)

    def _expire(self, ask: EnvelopeId) -> None:
        """End the wait for an answer that did not come in time."""
        pending = self.get(ask)
        if pending is not None and not pending.answer.done():
            recipient = pending.envelope.recipient
            pending.fail(DeadlinePassed(f"{recipient} did not answer before the deadline"))
            self.cancel(ask, "the deadline has passed")

    def get(self, ask: EnvelopeId) -> PendingAsk | None:
        """Return an ask that waits."""
        return self._pending.get(ask)

    def cancel(self, ask: EnvelopeId, reason: str) -> None:
        """Stop waiting for an ask and tell its recipient to stop working on it."""
        pending = self.forget(ask)
        if pending is not None:
            self._office.request_cancel(pending.envelope, reason)

    def forget(self, ask: EnvelopeId) -> PendingAsk | None:
        """Stop waiting for an ask; a recipient that has it works on, one that gets it does not.

        Whoever still waits in `ask` gets `Cancelled`. Returns what was waited for, if anything was.
        """
        pending = self._pending.pop(ask, None)
        if pending is not None:
            pending.peer.abandon(pending.envelope)
            pending.fail(Cancelled("nobody waits for the answer any longer"))
            self._on_freed(pending.peer)
        return pending

    def take(self, news: Envelope) -> bool:
        """Give an answer or progress to whoever asked; False where it is from somebody else."""
        pending = self._pending.get(news.cause)
        if pending is None or pending.answer.done():
            return True  # it came too late
        if news.sender != pending.envelope.recipient and news.body_type != FAILURE_TYPE:
            return False  # who doesn't know the recipient may say so, and nothing else
        if news.kind is Kind.REPLY:
            pending.peer.answered(pending.envelope)
            pending.answer.set_result(news)
        elif pending.observer is not None:
            detail = self._codec.decode(news.body_type, news.body)
            if isinstance(detail, Opaque) and detail.is_newer:
                self._office.skip()
            else:
                pending.observer.on_progress(news.sender, detail)
        return True

    def on_restart(self, peer: Peer) -> None:
        """Tell those who wait for a peer that its new incarnation gets their asks again."""
        for pending in self._of(peer):
            if pending.observer is not None and not pending.answer.done():
                pending.observer.on_restart(pending.envelope.recipient, peer.epoch)

    def on_link_lost(self, peer: Peer) -> None:
        """Tell those who wait for a peer that it can't be reached just now."""
        for pending in self._of(peer):
            if pending.observer is not None:
                pending.observer.on_link_lost()

    def fail(self, peer: Peer | None, error: ClusterError) -> None:
        """End the wait of those who wait for a peer, or for anybody."""
        for pending in self._of(peer):
            pending.fail(error)

    def _of(self, peer: Peer | None) -> list[PendingAsk]:
        return [each for each in self._pending.values() if peer is None or each.peer is peer]

    def close(self) -> None:
        """End no more waits by their deadlines."""
        self._alarm.close()
