"""Tells intents apart by example utterances, knows how sure it is, and says so.

Used by `agents.routing.default_router`, and by benchmarks with other sets of intents. Trained in a
second for hundreds of utterances, in some seconds for thousands; a decision takes 0.2 ms.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agents.routing.calibration import Calibration, fitted, held_out
from agents.routing.features import Embed, Features, Matrix
from agents.routing.intents import Intent
from agents.routing.linear import Training, probabilities, trained
from cluster.kernel.routing import TEAM, Decision, Effort

CONFIDENCE_MIN = 0.8
"""Less, and the team gets the goal."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Utterances that are not trained on, by which confidence is calibrated."""

    examples: Mapping[str, Sequence[str]]
    outside: Sequence[str] = ()
    """Such as no intent is meant by."""


@dataclass(frozen=True, slots=True)
class Guess:
    """The likeliest intent of an utterance."""

    intent: str
    confidence: float
    """Calibrated."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A router over intents; immutable, so that several threads may ask it."""

    names: Sequence[str]
    """Of the intents, in the order of the weights' columns."""
    intents: Mapping[str, Intent]
    """Where an intent goes; one that isn't here goes to the team."""
    confidence_min: float
    features: Features
    weights: Matrix
    calibration: Calibration

    @classmethod
    def train(
        cls,
        examples: Mapping[str, Sequence[str]],
        embed: Embed,
        *,
        validation: Validation | None = None,
        how: Training | None = None,
    ) -> Self:
        """Learn intents from utterances; the same ones and the same seed make the same classifier.

        Args:
            examples: utterances by intent.
            embed: makes their vectors.
            validation: what to calibrate by; without it, five models trained on four fifths say
                what they think of the fifth that they don't know.
            how: the schedule of the training.

        Raises:
            ValueError: there are fewer than two intents, or one has fewer than two utterances.
        """
        if len(examples) < 2 or min(map(len, examples.values())) < 2:  # noqa: PLR2004
            raise ValueError("a classifier needs two intents, and two utterances of each")
        how = how or Training()
        names = sorted(examples)
        utterances = [text for name in names for text in examples[name]]
        labels = np.repeat(np.arange(len(names)), [len(examples[name]) for name in names])
        features = Features.of(embed, utterances)
        rows = features.matrix(utterances)
        targets = np.eye(len(names), dtype=np.float32)[labels]
        weights = trained(rows, targets, how)
        if validation is None:
            said = held_out(rows, targets, how)
        else:
            known = [(text, names.index(n)) for n, ts in validation.examples.items() for text in ts]
            texts = [*(text for text, _ in known), *validation.outside]
            labels = np.array([*(label for _, label in known), *(-1 for _ in validation.outside)])
            said = probabilities(features.matrix(texts) @ weights)
        right = said.argmax(axis=1) == labels
        calibration = fitted([float(p) for p in said.max(axis=1)], [bool(each) for each in right])
        return cls(names, {}, CONFIDENCE_MIN, features, weights, calibration)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that it has learned; its weights lose half of their bits."""
        return {
            "names": np.array(list(self.names)),
            "confidence_min": np.array(self.confidence_min),
            "calibration": np.array([self.calibration.slope, self.calibration.shift]),
            "rarity": self.features.rarity.astype(np.float16),
            "weights": self.weights.astype(np.float16),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], embed: Embed) -> Self:
        """Return the classifier that `to_arrays` was asked of."""
        return cls(
            [str(name) for name in arrays["names"]],
            {},
            float(arrays["confidence_min"]),
            Features(embed, arrays["rarity"].astype(np.float32)),
            arrays["weights"].astype(np.float32),
            Calibration(*map(float, arrays["calibration"])),
        )

    def routed(self, intents: Sequence[Intent]) -> Self:
        """Return it with places where intents go."""
        return replace(self, intents={intent.name: intent for intent in intents})

    def guess(self, text: str) -> Guess:
        """Return the likeliest intent, however unlikely it is."""
        found = probabilities(self.features.scores(text, self.weights))
        best = int(found.argmax())
        return Guess(self.names[best], self.calibration.confidence(float(found[best])))

    def decide(self, text: str) -> Decision:
        """Return where a goal goes: to the team, unless another intent is clear enough."""
        began = time.perf_counter()
        if not text.strip():
            return Decision("", TEAM)
        guess = self.guess(text)
        intent = self.intents.get(guess.intent)
        least = max(self.confidence_min, intent.confidence_min if intent else 1.0)
        if intent is None or guess.confidence < least:
            route, effort = TEAM, Effort.DEEP
        else:
            route, effort = intent.route, intent.effort
        seconds = time.perf_counter() - began
        return Decision(guess.intent, route, guess.confidence, effort, seconds)
