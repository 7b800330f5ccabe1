"""The asks of one agent that wait for their answers. Part of the exchange beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import Cancelled, ClusterError
from cluster.kernel.ids import EnvelopeId
from cluster.kernel.vocabulary import Failure
from cluster.wire.messages import PACKAGE

FAILURE_TYPE = f"{PACKAGE}{Failure.__name__}"


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

    def fail(self, error: ClusterError) -> None:
        """End the wait with an error, unless it has ended."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Asks:
    """Those that wait, by the id of their envelope, in order."""

    def __init__(self) -> None:
        self._pending: dict[EnvelopeId, PendingAsk] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._pending)

    def add(self, pending: PendingAsk) -> None:
        """Wait for the answer to an ask."""
        self._pending[pending.envelope.id] = pending

    def get(self, ask: EnvelopeId) -> PendingAsk | None:
        """Return an ask that waits."""
        return self._pending.get(ask)

    def forget(self, ask: EnvelopeId) -> PendingAsk | None:
        """Stop waiting for an ask and return it; whoever still does gets `Cancelled`."""
        pending = self._pending.pop(ask, None)
        if pending is not None:
            pending.peer.abandon(pending.envelope)
            pending.fail(Cancelled("nobody waits for the answer any longer"))
        return pending

    def remove(self, ask: EnvelopeId) -> None:
        """Drop an ask whose wait has ended."""
        self._pending.pop(ask, None)

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
        elif pending.on_progress is not None:
            pending.on_progress(news)
        return True

    def of(self, peer: Peer | None) -> list[PendingAsk]:
        """Return those that wait for a peer, or for anybody, in order."""
        return [each for each in self._pending.values() if peer is None or each.peer is peer]
