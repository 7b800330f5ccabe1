"""Quantiles of what is measured again and again, in little memory; what several have seen merges.

A value goes into a bucket whose bounds lie 4 % apart, so that any quantile is known within 2 %
(Masson, Rim and Lee, "DDSketch", VLDB 2019). Pure; used by `cluster.kernel.tail.endpoint_speed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.02
VALUE_MIN = 1e-4
VALUE_MAX = 1e6
"""What lies outside counts as the bound: so the number of buckets has a bound too."""
WINDOW = 1_000
"""Values after which a new window begins."""
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_MIDDLE = 2 / (1 + _GAMMA)
"""Of a bucket's upper bound: what is equally far from both of its bounds, relatively."""
_KEPT_FOR = 16
"""Values that may come before a quantile is computed anew; it takes longer than to add one."""


class QuantileSketch:
    """Counts by bucket."""

    __slots__ = ("_counts", "count")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts: dict[int, int] = dict(counts or {})
        self.count = sum(self._counts.values())

    def add(self, value: float) -> None:
        """Count a value."""
        self.add_to(_bucket(value))

    def add_to(self, bucket: int) -> None:
        """Count a value that lies in a bucket."""
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1

    def quantile(self, share: float) -> float:
        """Return the value below which a share of them lies, within 2 %.

        Raises:
            ValueError: nothing was counted.
        """
        if not self.count:
            raise ValueError("no quantile is known of what was never measured")
        rank, below = share * (self.count - 1), 0
        index = 0
        for index in sorted(self._counts):
            below += self._counts[index]
            if below > rank:
                break
        return _MIDDLE * math.exp(index * _LOG_GAMMA)

    def merged(self, other: QuantileSketch) -> QuantileSketch:
        """Return what both have counted, the same in any order."""
        indices = self._counts.keys() | other._counts.keys()
        return QuantileSketch(
            {at: self._counts.get(at, 0) + other._counts.get(at, 0) for at in indices}
        )

    @property
    def buckets(self) -> int:
        """How many buckets hold something."""
        return len(self._counts)

    def to_mapping(self) -> dict[str, int]:
        """Return the form in which it is stored."""
        return {str(index): count for index, count in self._counts.items()}

    @classmethod
    def from_mapping(cls, stored: Mapping[str, int]) -> QuantileSketch:
        """Return it from the form in which it was stored."""
        return cls({int(index): int(count) for index, count in stored.items()})


class RecentQuantiles:
    """Quantiles of the last one to two windows of values, so that old ones fade."""

    __slots__ = ("_cached", "_cached_until", "_now", "_total", "_window")

    def __init__(
        self,
        now: QuantileSketch | None = None,
        before: QuantileSketch | None = None,
        window: int = WINDOW,
    ) -> None:
        self._now = now or QuantileSketch()
        self._total = self._now.merged(before) if before is not None else _copy(self._now)
        """Of this window and the one before."""
        self._window = window
        self._cached: dict[float, float] = {}
        self._cached_until = 0

    def add(self, value: float) -> None:
        """Count a value; a full window becomes the one before."""
        if self._now.count >= self._window:
            self._total, self._now = _copy(self._now), QuantileSketch()
            self._cached.clear()
        bucket = _bucket(value)
        self._now.add_to(bucket)
        self._total.add_to(bucket)
        if self._total.count >= self._cached_until:
            self._cached.clear()

    @property
    def count(self) -> int:
        """How many values it stands on."""
        return self._total.count

    def quantile(self, share: float) -> float:
        """Return a quantile as it was at most 15 values ago; raises ValueError without any."""
        if not self._cached:
            self._cached_until = self._total.count + _KEPT_FOR
        if share not in self._cached:
            self._cached[share] = self._total.quantile(share)
        return self._cached[share]

    def replace_by(self, sketch: QuantileSketch) -> None:
        """Forget what was counted for something that stands on newer values."""
        self._now, self._total = sketch, _copy(sketch)
        self._cached.clear()

    def merged(self, other: RecentQuantiles) -> RecentQuantiles:
        """Return what both have counted of late, as one window."""
        return RecentQuantiles(self._total.merged(other._total), window=self._window)

    def to_mapping(self) -> dict[str, int]:
        """Return what is stored of it: both windows as one."""
        return self._total.to_mapping()

    @classmethod
    def from_mapping(cls, stored: Mapping[str, int]) -> RecentQuantiles:
        """Return it from the form in which it was stored."""
        return cls(before=QuantileSketch.from_mapping(stored))


def _bucket(value: float) -> int:
    bounded = min(max(value, VALUE_MIN), VALUE_MAX)
    return math.ceil(math.log(bounded) / _LOG_GAMMA)


def _copy(sketch: QuantileSketch) -> QuantileSketch:
    return sketch.merged(QuantileSketch())
