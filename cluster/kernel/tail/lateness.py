"""Which share of an endpoint's last calls was late, and whether it is so slow that hedging is vain.

Pure. Used by `cluster.kernel.tail.hedging`: where all calls are slow, a second one is slow too, and
only adds to the load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SLOW_FROM = 0.5
"""Share of late calls from which on an endpoint counts as slow: six in a row would have to be late,
of the usual seven in a hundred."""
SLOW_UNTIL = 0.25
_WEIGHT = 1 / 8
"""Of the newest call."""
_FADES_S = 10.0
"""News that old counts for a third: an endpoint that is hardly asked is tried again."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """A weighted share of late calls."""

    share: float = 0.0
    at: float = 0.0
    slow_since: float | None = None
    """Since when it counts as slow; None where it does not."""

    def after(self, now: float, *, is_late: bool) -> Lateness:
        """Return it with one more call."""
        share = self.share_at(now) * (1 - _WEIGHT) + _WEIGHT * is_late
        slow_since = self.slow_since if self.is_slow(now) else None
        if share >= SLOW_FROM and slow_since is None:
            slow_since = now
        if share <= SLOW_UNTIL:
            slow_since = None
        return Lateness(share, now, slow_since)

    def share_at(self, now: float) -> float:
        """Return the share as far as it still counts."""
        return self.share * math.exp(-max(0.0, now - self.at) / _FADES_S)

    def is_slow(self, now: float) -> bool:
        """Say whether a second call would be as late as the first."""
        return self.slow_since is not None and self.share_at(now) > SLOW_UNTIL
