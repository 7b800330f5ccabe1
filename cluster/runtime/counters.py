"""What a host counts of its messages since it started; `cluster.runtime.exchange` does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


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
