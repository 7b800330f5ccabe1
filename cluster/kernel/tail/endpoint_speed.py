"""How fast an endpoint is and how often it fails, as its calls have shown; what several saw merges.

Pure. Filled by `cluster.kernel.tail.hedging` or, where nothing is hedged, by
`agents.models.policies.measured`; how prompts are read, by `agents.models.policies.fitted`. Kept in
the store, so that the first call of a day knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.kernel.tail.quantiles import QuantileSketch, RecentQuantiles
from cluster.kernel.tail.reading_speed import ReadingSpeed

KNOWN_MIN = 20
"""Samples from which on a quantile far out is taken for known."""
_FADES_AFTER = 200
"""Calls whose failures count in full; then the older half fades."""


class EndpointSpeed:
    """What is known of one endpoint's model."""

    __slots__ = (
        "bytes_per_token",
        "calls",
        "failures",
        "first_s",
        "gaps_s",
        "reading",
        "tokens_per_s",
    )

    def __init__(
        self,
        first_s: RecentQuantiles | None = None,
        gaps_s: RecentQuantiles | None = None,
        tokens_per_s: RecentQuantiles | None = None,
        calls: float = 0.0,
        failures: float = 0.0,
        *,
        reading: ReadingSpeed | None = None,
        bytes_per_token: RecentQuantiles | None = None,
    ) -> None:
        self.first_s = first_s or RecentQuantiles()
        """Seconds from a request to its first token; of those given up before, what they took."""
        self.gaps_s = gaps_s or RecentQuantiles()
        """Seconds between two pieces of text."""
        self.tokens_per_s = tokens_per_s or RecentQuantiles()
        """Of whole answers, from the first token on."""
        self.calls = calls
        self.failures = failures
        self.reading = reading or ReadingSpeed()
        self.bytes_per_token = bytes_per_token or RecentQuantiles()
        """Of whole prompts, in UTF-8."""

    def answered(self, tokens: int, seconds: float) -> None:
        """Note that a call came to its end, in so many seconds from its first token on."""
        self._ended(failed=False)
        if tokens > 1 and seconds > 0:
            self.tokens_per_s.add((tokens - 1) / seconds)

    def failed(self) -> None:
        """Note that a call failed, by no fault of who asked."""
        self._ended(failed=True)

    @property
    def is_known(self) -> bool:
        """Whether the time to the first token is known well enough to act on its quantiles."""
        return self.first_s.count >= KNOWN_MIN

    @property
    def failure_share(self) -> float:
        """Of the last calls, how many failed; 0 where none is known."""
        return self.failures / self.calls if self.calls else 0.0

    def first_within_s(self, share: float) -> float | None:
        """Return within which time a share of calls has its first token; None: not known."""
        return self.first_s.quantile(share) if self.is_known else None

    def expected_s(self, tokens: int) -> float | None:
        """Return how long an answer of so many tokens takes half of the time; None: not known."""
        if not self.is_known or not self.tokens_per_s.count:
            return None
        return self.first_s.quantile(0.5) + tokens / self.tokens_per_s.quantile(0.5)

    def relearn(self, first_s: QuantileSketch) -> None:
        """Take a slowdown that has lasted for what is normal."""
        self.first_s.replace_by(first_s)

    def merged(self, other: EndpointSpeed) -> EndpointSpeed:
        """Return what both know, in any order the same."""
        return EndpointSpeed(
            self.first_s.merged(other.first_s),
            self.gaps_s.merged(other.gaps_s),
            self.tokens_per_s.merged(other.tokens_per_s),
            self.calls + other.calls,
            self.failures + other.failures,
            reading=self.reading.merged(other.reading),
            bytes_per_token=self.bytes_per_token.merged(other.bytes_per_token),
        )

    def absorb(self, other: EndpointSpeed) -> None:
        """Know what another knows too, such as what was stored on another day."""
        merged = self.merged(other)
        self.first_s, self.gaps_s = merged.first_s, merged.gaps_s
        self.tokens_per_s = merged.tokens_per_s
        self.calls, self.failures = merged.calls, merged.failures
        self.reading, self.bytes_per_token = merged.reading, merged.bytes_per_token

    def to_mapping(self) -> dict[str, Any]:
        """Return the form in which it is stored: texts and numbers only."""
        return {
            "first_s": self.first_s.to_mapping(),
            "gaps_s": self.gaps_s.to_mapping(),
            "tokens_per_s": self.tokens_per_s.to_mapping(),
            "calls": self.calls,
            "failures": self.failures,
            "reading": self.reading.to_list(),
            "bytes_per_token": self.bytes_per_token.to_mapping(),
        }

    @classmethod
    def from_mapping(cls, stored: Mapping[str, Any]) -> EndpointSpeed:
        """Return it from the form in which it was stored; what is missing isn't known."""
        return cls(
            RecentQuantiles.from_mapping(stored.get("first_s", {})),
            RecentQuantiles.from_mapping(stored.get("gaps_s", {})),
            RecentQuantiles.from_mapping(stored.get("tokens_per_s", {})),
            float(stored.get("calls", 0.0)),
            float(stored.get("failures", 0.0)),
            reading=ReadingSpeed.from_list(stored.get("reading", ())),
            bytes_per_token=RecentQuantiles.from_mapping(stored.get("bytes_per_token", {})),
        )

    def _ended(self, *, failed: bool) -> None:
        if self.calls >= _FADES_AFTER:
            self.calls, self.failures = self.calls / 2, self.failures / 2
        self.calls += 1
        self.failures += failed
