"""How fast an endpoint reads its prompts, learned from how long first tokens take. Pure.

The time to the first token is a line over the tokens of the prompt that had to be read: where the
line begins is the network's and the queue's, its slope is the reading's. A least-squares line needs
six sums, and those of two accounts add up to that of both. Kept by
`cluster.kernel.tail.endpoint_speed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

READ_KNOWN_MIN = 8
"""Calls from which on the slope is taken for known, if it stands out from their noise."""
_STANDARD_ERRORS = 2.0
"""By how many the slope has to stand out: with eight calls one in twenty is that far off."""
_FADES_AFTER = 200
"""Calls that count in full; then the older half fades."""
_SUMS = 6


class ReadingSpeed:
    """Sums over calls: of 1, tokens, seconds, tokens squared, their product, seconds squared."""

    __slots__ = ("_sums",)

    def __init__(self, sums: Sequence[float] = (0.0,) * _SUMS) -> None:
        self._sums = tuple(sums)

    def read(self, tokens: int, seconds: float) -> None:
        """Note that a prompt of so many tokens that were not cached had its answer begin then."""
        if self._sums[0] >= _FADES_AFTER:
            self._sums = tuple(each / 2 for each in self._sums)
        new = (1.0, tokens, seconds, tokens * tokens, tokens * seconds, seconds * seconds)
        self._sums = tuple(map(math.fsum, zip(self._sums, new, strict=True)))

    def tokens_within(self, seconds: float) -> int | None:
        """Return how long a prompt may be to be read in a time; None where nothing limits it.

        So it is too where calls have shown no difference between short and long prompts, or not for
        certain: a prompt is rather read for too long than cut for nothing.
        """
        count, x, y, xx, xy, yy = self._sums
        if count < READ_KNOWN_MIN:
            return None
        spread = xx - x * x / count
        if spread <= 0.0:
            return None
        common = xy - x * y / count
        slope = common / spread
        rest = max(0.0, yy - y * y / count - slope * common)
        least = slope - _STANDARD_ERRORS * math.sqrt(rest / (count - 2) / spread)
        if least <= 0.0:
            return None
        more_s = seconds - y / count
        return max(0, int(x / count + more_s / (least if more_s > 0.0 else slope)))

    def merged(self, other: ReadingSpeed) -> ReadingSpeed:
        """Return what both have seen, in any order the same."""
        return ReadingSpeed([a + b for a, b in zip(self._sums, other._sums, strict=True)])

    def to_list(self) -> list[float]:
        """Return the form in which it is stored."""
        return list(self._sums)

    @classmethod
    def from_list(cls, stored: Sequence[float]) -> ReadingSpeed:
        """Return it from the form in which it was stored; from another one it knows nothing."""
        return cls([float(each) for each in stored]) if len(stored) == _SUMS else cls()
