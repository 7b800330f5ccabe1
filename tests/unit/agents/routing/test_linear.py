"""The linear model learns what can be told apart, and learns the same each time."""

from __future__ import annotations

import numpy as np

from agents.routing.linear import Training, probabilities, trained

ROWS = np.repeat(np.eye(3, 4, dtype=np.float32), 20, axis=0)
TARGETS = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)


def test_what_differs_is_told_apart() -> None:
    weights = trained(ROWS, TARGETS, Training())

    assert np.array_equal((ROWS @ weights).argmax(axis=1), TARGETS.argmax(axis=1))


def test_the_same_seed_makes_the_same_weights() -> None:
    first, again = (trained(ROWS, TARGETS, Training(seed=5)) for _ in range(2))

    assert np.array_equal(first, again)


def test_probabilities_add_up_and_survive_large_scores() -> None:
    found = probabilities(np.array([[1000.0, 0.0], [1.0, 1.0]], dtype=np.float32))

    assert np.allclose(found, np.array([[1, 0], [0.5, 0.5]]))
