"""The exchange as others see it: a post office, who takes what it receives, and who looks on.

`cluster.runtime.messaging.exchange` is the `PostOffice`, `cluster.runtime.turns.runner` the
`Recipient`; neither imports the other. The simulator in `tests/simulation` observes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Envelope
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import AgentId


class Recipient(Protocol):
    """Who takes what starts or ends turns."""

    def on_work(self, envelope: Envelope) -> bool:
        """Take an ASK or TELL, or answer it with a failure.

        Returns:
            True where it waits in no mailbox: its credit can be given back at once.
        """
        ...

    def refuse(self, envelope: Envelope, error: ClusterError) -> None:
        """Answer what never gets to the mailbox, and may be an ASK, with a failure."""
        ...

    def on_cancel(self, envelope: Envelope) -> None:
        """End the turn of the ask the envelope names."""
        ...

    def on_asker_gone(self, asker: AgentId) -> None:
        """End what an agent asked for that can't be reached any longer."""
        ...


class DeliveryObserver(Protocol):
    """Who looks on at what is delivered to an agent. It is told, and decides nothing."""

    def on_met(self, agent: AgentId, epoch: int, known_epoch: int) -> None:
        """An incarnation was linked; ``known_epoch`` is the highest of before, 0 where none was."""
        ...

    def on_applied(self, envelope: Envelope, known_epoch: int, *, is_awaited: bool) -> None:
        """An envelope is about to have its effect; news of an ask only where that is awaited."""
        ...


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
    skipped: int = 0
    """Arrivals of kinds that only a newer version knows."""
    left_out: int = 0
    """Thoughts that were not sent, since whoever asked was too slow for them: no refusals."""
    refused: Counter[str] = field(default_factory=Counter)
    """Envelopes refused here, ours and others', by the kind of the error."""


class PostOffice(Protocol):
    """What sends an agent's envelopes and matches answers with asks."""

    @property
    def statistics(self) -> ExchangeStatistics:
        """Its counters."""
        ...

    @property
    def agent(self) -> AgentId:
        """Whose post office it is."""
        ...

    @property
    def epoch(self) -> int:
        """The agent's incarnation."""
        ...

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""
        ...

    def post(self, envelope: Envelope) -> Peer:
        """Queue an envelope for its recipient. Never waits.

        Raises:
            TooLarge: the body is over the limit.
            Overloaded: too much waits for this recipient already.
        """
        ...

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

        Raises:
            DeadlinePassed: no answer came by the envelope's deadline.
            PeerUnavailable: the recipient stayed out of reach.
            TooLarge, Overloaded: it could not be sent at all.
        """
        ...

    def request_cancel(self, asked: Envelope, reason: str) -> None:
        """Tell the recipient of an ask to stop working on it; its answer will say so."""
        ...

    def answer(self, asked: Envelope, reply: Envelope) -> None:
        """Send the answer to an ask; the ask is done when the answer has its receipt.

        Raises:
            TooLarge: send a failure instead.
            Overloaded: nothing can be sent; the ask is done.
        """
        ...

    def taken(self, envelope: Envelope) -> None:
        """A turn has taken the envelope out of the mailbox: give its credit back."""
        ...

    def told(self, envelope: Envelope) -> None:
        """The turn of a TELL has ended."""
        ...
