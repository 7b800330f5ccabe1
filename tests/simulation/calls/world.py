"""What answers calls in virtual time: a hedged model, or a ladder of several."""

from __future__ import annotations

import random
from collections import Counter

from agents.models.port import Model
from tests.simulation.calls.faults import CallFaults
from tests.simulation.calls.replicas import CallLedger, HedgedReplicas
from tests.simulation.calls.tiers import TierLadder, has_ladder
from tests.simulation.loop import VirtualLoop


class CallWorld:
    """The models of a run, and its books."""

    def __init__(self, seed: int, *, has_story: bool) -> None:
        rng = random.Random(f"calls world {seed}")
        self.loop = VirtualLoop()
        self.violations: list[str] = []
        self.ledger = CallLedger(self.violations)
        """Of what concerns no single model."""
        self.story: list[str] = []
        self._has_story = has_story
        self.fault_counts: Counter[str] = Counter()
        self.ladder = TierLadder(self, seed) if has_ladder(seed) else None
        if self.ladder is None:
            count = rng.choice((1, 1, 2, 3))
            faults = CallFaults(seed, count)
            faults.counts = self.fault_counts
            self.models = [HedgedReplicas(self, rng, faults, count)]
            self.model: Model = self.models[0].model
        else:
            self.models = self.ladder.models
            self.model = self.ladder.model

    def note(self, who: object, what: str) -> None:
        """Write a line of the story."""
        if self._has_story:
            self.story.append(f"{self.loop.time():9.4f} {who}: {what}")
