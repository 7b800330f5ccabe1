"""How long work takes, as far as anybody knows: declared in the plan, or learned from what ended.

Pure values. The task engine notes what each step took, and asks before it schedules the next one;
what several Managers have learned can be merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cluster.kernel.vocabulary import Step

EXPECTED_S = 5.0
"""Of work that nobody has seen yet: what a short answer of a hosted model takes."""
_KEPT = 0.8
"""Share of an estimate's weight that is left when another sample comes: after ten samples a tenth
is left of the first one, so that a slower model is noticed within a few steps."""


class WorkKind(StrEnum):
    """What a role is asked for; each takes a time of its own."""

    PLAN = "plan"
    STEP = "step"
    ANSWER = "answer"


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

    def merged(self, other: Estimate) -> Estimate:
        """Return the mean of two that have seen different samples, in any order the same."""
        weight = self.weight + other.weight
        return Estimate((self.mean_s * self.weight + other.mean_s * other.weight) / weight, weight)


@dataclass(frozen=True, slots=True)
class Durations:
    """What has been learned of each role and kind of work."""

    learned: Mapping[tuple[str, WorkKind], Estimate] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def observed(self, role: str, kind: WorkKind, seconds: float) -> Durations:
        """Return it with one more piece of work that has ended well."""
        known = self.learned.get((role, kind))
        estimate = Estimate(seconds) if known is None else known.after(seconds)
        return Durations(MappingProxyType({**self.learned, (role, kind): estimate}))

    def merged(self, other: Durations) -> Durations:
        """Return what both have learned; a sample that both have seen counts twice."""
        both = dict(self.learned)
        for key, estimate in other.learned.items():
            known = both.get(key)
            both[key] = estimate if known is None else known.merged(estimate)
        return Durations(MappingProxyType(both))

    def usual_s(self, role: str, kind: WorkKind) -> float:
        """Return what such work usually takes, in seconds."""
        known = self.learned.get((role, kind))
        return EXPECTED_S if known is None else known.mean_s

    def knows(self, step: Step) -> bool:
        """Say whether what `expected_s` returns was declared or learned, and is no mere guess."""
        is_declared = step.expected_s > 0 or step.allowed_s > 0
        return is_declared or (step.agent, WorkKind.STEP) in self.learned

    def expected_s(self, step: Step) -> float:
        """Return what a step will take: as declared, else as learned, and never over its bound."""
        expected_s = step.expected_s or self.usual_s(step.agent, WorkKind.STEP)
        return min(expected_s, step.allowed_s) if step.allowed_s else expected_s
