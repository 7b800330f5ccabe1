"""Confidence is how often such a score was right."""

from __future__ import annotations

import numpy as np
import pytest

from agents.routing.calibration import fitted, held_out
from agents.routing.linear import Training


def test_a_model_that_boasts_is_believed_less() -> None:
    calibration = fitted([0.99] * 100, [True] * 60 + [False] * 40)

    assert calibration.confidence(0.99) == pytest.approx(0.6, abs=0.03)


def test_a_model_that_is_too_modest_is_believed_more() -> None:
    calibration = fitted([0.5] * 100, [True] * 95 + [False] * 5)

    assert calibration.confidence(0.5) == pytest.approx(0.95, abs=0.03)


def test_more_probable_is_more_certain() -> None:
    calibration = fitted([0.2, 0.4, 0.6, 0.8] * 25, [False, False, True, True] * 25)

    confidences = [calibration.confidence(share / 10) for share in range(11)]

    assert confidences == sorted(confidences)


@pytest.mark.parametrize("is_right", [True, False])
def test_held_out_utterances_that_all_end_alike_leave_a_doubt(*, is_right: bool) -> None:
    calibration = fitted([0.7, 0.9] * 20, [is_right] * 40)

    assert 0 < calibration.confidence(0.8) < 1


def test_what_is_held_out_was_not_trained_on() -> None:
    rows = np.eye(20, dtype=np.float32)  # each knows only itself
    targets = np.tile(np.eye(2, dtype=np.float32), (10, 1))

    said = held_out(rows, targets, Training())

    assert np.abs(said - 0.5).max() < 0.2
