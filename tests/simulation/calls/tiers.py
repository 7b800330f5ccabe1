"""A ladder of models in virtual time, and the books of how each call goes down it.

C9 a call for a plain model reaches no better one where there is one, and no model twice; C10 what
an attempt has taken back is asked of nobody else, though another attempt may have failed since; C11
a model is asked once it was said that the one before can't answer, and nothing of what that one has
said is in use; C12 no call is given up in its time while a model is left that was not asked.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from agents.models.policies.fallback import FallbackModel, Rung
from agents.models.port import Deed, Model, Note, Request, Restarted, StreamItem
from cluster.kernel.sections import ModelTier
from tests.simulation.calls.faults import KINDS, CallFaults
from tests.simulation.calls.replicas import ONCE, RULES, HedgedReplicas

if TYPE_CHECKING:
    from tests.simulation.calls.world import CallWorld

TIERS: tuple[ModelTier, ...] = ("deep", "fast", "local")
"""The best one first."""
LADDER_SHARE = 0.5
SHARES = (0.0, 0.1, 0.4, 0.9)
"""Of requests to one model that meet something: some models are as good as gone."""
FALLS = tuple(f"{tier} answers in place of" for tier in TIERS)


def has_ladder(seed: int) -> bool:
    """Say whether a seed is one of a ladder."""
    return random.Random(f"calls has ladder {seed}").random() < LADDER_SHARE


def wanted_tier(seed: int, number: int) -> ModelTier:
    """Return what kind of model a call is for: drawn apart, so that all else is as it was."""
    return random.Random(f"calls tier {seed} {number}").choice(TIERS)


class Listener(Protocol):
    """Who makes a call."""

    def falls_told(self) -> int:
        """Return how often it was told that another model answers."""
        ...


class TierLadder:
    """Models of several tiers behind the policy that goes from one to the next."""

    def __init__(self, world: CallWorld, seed: int) -> None:
        rng = random.Random(f"calls ladder {seed}")
        self._world = world
        self.tiers = rng.sample(TIERS, rng.choice((2, 2, 3, 3)))
        self.models: list[HedgedReplicas] = []
        self.listeners: dict[str, Listener] = {}
        self._asked: defaultdict[str, list[ModelTier]] = defaultdict(list)
        """Of each call, how far down it has come."""
        rungs = [
            Rung(tier, tier, WatchedRung(self, tier, self._tier(tier, seed, rng)))
            for tier in self.tiers
        ]
        self.model = FallbackModel(rungs)

    def _tier(self, tier: ModelTier, seed: int, rng: random.Random) -> Model:
        """Return the model of a tier; one that runs here is asked once, as in the product."""
        count = 1 if tier == "local" else rng.choice((1, 2, 3))
        kinds = rng.sample(KINDS, rng.randint(1, len(KINDS)))
        faults = CallFaults(f"{seed} {tier}", count, SHARES, kinds)
        faults.counts = self._world.fault_counts
        rules = ONCE if tier == "local" else RULES
        made = HedgedReplicas(self._world, rng, faults, count, name=f"{tier}-", rules=rules)
        self.models.append(made)
        return made.model

    def begins(self, request: Request, tier: ModelTier) -> None:
        """Judge that a model is asked now, after those that were."""
        call = request.asker.task
        asked = self._asked[call]
        if tier in asked or self._is_too_good(tier, request.tier):
            self._violate("C9", f"{call} asks {tier} after {asked}, for {request.tier}")
        if self._was_taken_back(call):
            self._violate("C10", f"{call} asks {tier} what was taken back")
        if self.listeners[call].falls_told() != len(asked):
            self._violate("C11", f"{call} asks {tier}, and it was not said")
        asked.append(tier)

    def _is_too_good(self, tier: ModelTier, wanted: ModelTier) -> bool:
        plain = TIERS[TIERS.index(wanted) :]
        return tier not in plain and any(each in plain for each in self.tiers)

    def _was_taken_back(self, call: str) -> bool:
        return any(model.ledger.was_taken_back(call) for model in self.models)

    def judge_silence(self, call: str, wanted: ModelTier) -> None:
        """C12: a call that was given up in its time, and heard nothing, has asked all it may."""
        left = [
            tier
            for tier in self.tiers
            if tier not in self._asked[call] and not self._is_too_good(tier, wanted)
        ]
        if left and not self._was_taken_back(call):
            self._violate("C12", f"{call} is given up, and {left} were not asked")

    def _violate(self, oracle: str, what: str) -> None:
        self._world.ledger.violate(oracle, what)


class WatchedRung:
    """One model of the ladder, whose calls go into the books."""

    def __init__(self, ladder: TierLadder, tier: ModelTier, model: Model) -> None:
        self._ladder = ladder
        self._tier = tier
        self._model = model

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream as the model does."""
        self._ladder.begins(request, self._tier)
        async with aclosing(self._model.stream(request)) as items:
            async for item in items:
                yield item

    async def warm(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to give back."""


def is_fall(item: StreamItem) -> bool:
    """Say whether an item tells that the next model answers; another replica is none."""
    if isinstance(item, Note) and item.deed is not Deed.FELL_BACK:
        return False
    return isinstance(item, Note | Restarted) and item.reason.startswith(FALLS)
