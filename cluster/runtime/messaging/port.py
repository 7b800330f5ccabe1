"""The exchange as others see it: who takes what it receives, who looks on, what it counts.

`cluster.runtime.turns.runner` is the `Recipient`; the simulator in `tests/simulation` observes.
What it is to whoever sends is in `cluster.runtime.messaging.sender`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

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

    def on_unreachable(self, agent: AgentId, reason: str) -> None:
        """An agent was given up, or has left, and is forgotten with all that it asked for."""
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
