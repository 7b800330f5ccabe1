"""A linear model of intents: multinomial logistic regression, trained in seconds.

Used by `agents.routing.classifier`. Adam with small batches: on CLINC150 (7,500 utterances, 150
intents) eight passes take 3 s of CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.routing.features import Matrix

_BATCH = 256
_STEPS_MIN = 60
"""Small sets are gone through more often."""
_MEAN_DECAY = 0.9
_SQUARE_DECAY = 0.99
_TINY = 1e-8


@dataclass(frozen=True, slots=True)
class Training:
    """How weights are found."""

    passes: int = 8
    rate: float = 0.03
    decay: float = 1e-5
    """L2 penalty of the weights."""
    seed: int = 0
    """Of the order of the examples: the same seed makes the same weights."""


def probabilities(scores: Matrix) -> Matrix:
    """Return the softmax of each row."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Matrix = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def trained(rows: Matrix, targets: Matrix, how: Training) -> Matrix:
    """Return the weights that make the targets of the rows probable.

    Args:
        rows: float32[examples, features].
        targets: float32[examples, intents], each a distribution.
        how: the schedule.

    Returns:
        float32[features, intents].
    """
    rng = np.random.default_rng(how.seed)
    batches = -(-len(rows) // _BATCH)
    passes = max(how.passes, -(-_STEPS_MIN // batches))
    descent = _Descent(np.zeros((rows.shape[1], targets.shape[1]), np.float32))
    for number in range(passes * batches):
        if number % batches == 0:
            order = rng.permutation(len(rows))
        chosen = order[number % batches :: batches]
        gradient = _gradient(rows[chosen], targets[chosen], descent.weights)
        gradient += how.decay * descent.weights
        descent.step(gradient, how.rate * (1 - number / (passes * batches)))
    return descent.weights


def _gradient(rows: Matrix, targets: Matrix, weights: Matrix) -> Matrix:
    wrong = probabilities(rows @ weights) - targets
    result: Matrix = rows.T @ wrong
    result /= len(rows)
    return result


class _Descent:
    """Adam, its arrays changed in place."""

    def __init__(self, weights: Matrix) -> None:
        self.weights = weights
        self._mean: NDArray[np.float32] = np.zeros_like(weights)
        self._square: NDArray[np.float32] = np.zeros_like(weights)
        self._spare: NDArray[np.float32] = np.empty_like(weights)
        self._steps = 0

    def step(self, gradient: Matrix, rate: float) -> None:
        """Go a step down the gradient, which is overwritten: new arrays cost more than sums."""
        self._steps += 1
        spare = self._spare
        self._mean *= _MEAN_DECAY
        np.multiply(gradient, 1 - _MEAN_DECAY, out=spare)
        self._mean += spare
        self._square *= _SQUARE_DECAY
        np.square(gradient, out=gradient)
        gradient *= 1 - _SQUARE_DECAY
        self._square += gradient
        unbiased = (1 - _SQUARE_DECAY**self._steps) ** 0.5 / (1 - _MEAN_DECAY**self._steps)
        np.sqrt(self._square, out=spare)
        spare += _TINY
        np.divide(self._mean, spare, out=spare)
        spare *= rate * unbiased
        self.weights -= spare
