"""How far a score can be trusted: the share of held-out utterances that such a score was right for.

Used by `agents.routing.classifier`. Platt's scaling of the log odds of the likeliest intent, by
what the model said of utterances that it was not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.routing.features import Matrix
from agents.routing.linear import Training, probabilities, trained

FOLDS = 5
_NEWTON_STEPS = 30
_RIDGE = 1e-3
"""Keeps the slope finite where all held-out utterances were right."""
_ODDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns a model's own probability into one that holds."""

    slope: float
    shift: float

    def confidence(self, probability: float) -> float:
        """Return how often the model is right where it says this of its likeliest intent."""
        return 1 / (1 + math.exp(-(self.slope * _log_odds(probability) + self.shift)))


def fitted(said: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Return the calibration by which what was said comes nearest to what was right.

    Args:
        said: the model's probabilities of its likeliest intents, of utterances it does not know.
        right: whether each was so; False for utterances that are outside of all intents.
    """
    odds = np.array([_log_odds(each) for each in said])
    # Platt's targets: never 0 or 1, as if one more had been seen of either kind.
    hits = sum(right)
    misses = len(right) - hits
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)
    line = np.array([0.0, math.log((hits + 1) / (misses + 1))])
    for _ in range(_NEWTON_STEPS):
        found = 1 / (1 + np.exp(-np.clip(inputs @ line, -_ODDS_MAX, _ODDS_MAX)))
        gradient = inputs.T @ (found - targets) + _RIDGE * line
        curve = (inputs * (found * (1 - found))[:, None]).T @ inputs + _RIDGE * np.eye(2)
        line -= np.linalg.solve(curve, gradient)
    return Calibration(float(line[0]), float(line[1]))


def held_out(rows: Matrix, targets: Matrix, how: Training) -> Matrix:
    """Return what models say of rows that they were not trained on, fold by fold.

    Returns:
        float32[examples, intents], each row a distribution.
    """
    folds = np.random.default_rng(how.seed).permutation(len(rows)) % FOLDS
    found = np.zeros_like(targets)
    for fold in range(FOLDS):
        known = folds != fold
        found[~known] = probabilities(rows[~known] @ trained(rows[known], targets[known], how))
    return found


def _log_odds(probability: float) -> float:
    bound = 1 / (1 + math.exp(_ODDS_MAX))
    inner = min(max(probability, bound), 1 - bound)
    return math.log(inner / (1 - inner))
