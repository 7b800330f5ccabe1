"""Claims with their evidence, and the logistic regression that is trained on them.

Used by `benchmarks.train_evidence`, which writes the weights that ship, and by
`benchmarks.bench_evidence`, which measures them. The format is that of `wice_dev.json`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agents.evidence.features import Sources
from agents.evidence.verdict import Judge, Verdict, Weights
from agents.evidence.words import words

SUPPORTED = "supported"
PARTIAL = "partially_supported"
NOT_SUPPORTED = "not_supported"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Where the data lie: beside the checkout."""
WICE = SHARED_DATA / "wice_dev.json"

L2 = 5.0
"""Penalty on the weights of the standardised features."""
LOST_SHARE = 0.046
"""Of the supported claims trained on, the share whose score is below the threshold."""
DIGITS = 6
_NEWTON_STEPS = 30
_SCALE_MIN = 1e-9
_BIAS_PENALTY = 1e-6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim, what annotators say of it, and its evidence laid out."""

    label: str
    text: str
    sources: Sources

    def features(self) -> tuple[float, ...]:
        """Return what its score is made of."""
        mask = (1 << len(self.sources.titles)) - 1
        return self.sources.measure(words(self.text, self.sources.language), mask).features

    def verdict(self, weights: Weights | None = None) -> Verdict:
        """Return what the judge says of it, by the weights that ship where none are given."""
        return Judge(self.sources, weights=weights).verdict(self.text)


def read_claims(path: Path) -> list[LabelledClaim]:
    """Read ``[{label, claim, evidence: [[sentence, ...], ...]}]``."""
    return [
        LabelledClaim(
            row["label"],
            row["claim"],
            Sources([("\n".join(sentences), "") for sentences in row["evidence"]]),
        )
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]


def trained(claims: Sequence[LabelledClaim]) -> Weights:
    """Return the weights that tell the supported claims from the others; the same every time."""
    rows = np.array([claim.features() for claim in claims])
    is_true = np.array([claim.label == SUPPORTED for claim in claims], dtype=np.float64)
    means, scales = rows.mean(0), rows.std(0) + _SCALE_MIN
    found = _fitted((rows - means) / scales, is_true)
    weights = Weights(
        _rounded(means),
        _rounded(scales),
        _rounded(found[:-1]),
        round(float(found[-1]), DIGITS),
        0.0,
    )
    scores = [weights.score(row) for row, true in zip(rows.tolist(), is_true, strict=True) if true]
    threshold = round(float(np.quantile(scores, LOST_SHARE)), DIGITS)
    return Weights(weights.means, weights.scales, weights.weights, weights.bias, threshold)


def _fitted(rows: Floats, is_true: Floats) -> Floats:
    """Return weights and bias, by Newton's method; both classes weigh the same."""
    inputs = np.column_stack([rows, np.ones(len(rows))])
    share = is_true.mean()
    importance = np.where(is_true == 1, 1 / share, 1 / (1 - share))
    penalty = np.full(inputs.shape[1], L2)
    penalty[-1] = _BIAS_PENALTY
    found = np.zeros(inputs.shape[1])
    for _ in range(_NEWTON_STEPS):
        said = 1 / (1 + np.exp(-inputs @ found))
        slope = inputs.T @ (importance * (said - is_true)) + penalty * found
        curve = (inputs.T * (importance * said * (1 - said))) @ inputs + np.diag(penalty)
        found = found - np.linalg.solve(curve, slope)
    return found


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), DIGITS) for value in values)
