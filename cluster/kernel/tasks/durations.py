"""How long work takes, as far as anybody knows: declared in the plan, or learned from what ended.

Pure values. The task engine notes what each step took, and asks before it schedules the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cluster.kernel.vocabulary import Step

EXPECTED_S = 5.0
"""Of work that nobody has seen yet: what a short answer of a hosted model takes."""
_KEPT = 0.8
"""Share of an estimate's weight that is left when another sample comes: after ten samples a tenth
is left of the first one, so that a slower model is noticed within a few steps."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An exponentially weighted mean, with the weight of the samples behind it."""

    mean_s: float
    weight: float = 1.0

    def after(self, seconds: float) -> Estimate:
        """Return it with one more sample, which counts more than each earlier one."""
        kept = self.weight * _KEPT
        weight = kept + 1.0
        return Estimate((self.mean_s * kept + seconds) / weight, weight)


@dataclass(frozen=True, slots=True)
class Durations:
    """What has been learned of each role's steps."""

    learned: Mapping[str, Estimate] = field(default_factory=lambda: MappingProxyType({}))

    def observed(self, role: str, seconds: float) -> Durations:
        """Return it with one more step that has ended well."""
        known = self.learned.get(role)
        estimate = Estimate(seconds) if known is None else known.after(seconds)
        return Durations(MappingProxyType({**self.learned, role: estimate}))

    def usual_s(self, role: str) -> float:
        """Return what a role's step usually takes, in seconds."""
        known = self.learned.get(role)
        return EXPECTED_S if known is None else known.mean_s

    def knows(self, step: Step) -> bool:
        """Say whether what `expected_s` returns was declared or learned, and is no mere guess."""
        is_declared = step.expected_s > 0 or step.allowed_s > 0
        return is_declared or step.agent in self.learned

    def expected_s(self, step: Step) -> float:
        """Return what a step will take: as declared, else as learned, and never over its bound."""
        expected_s = step.expected_s or self.usual_s(step.agent)
        return min(expected_s, step.allowed_s) if step.allowed_s else expected_s
