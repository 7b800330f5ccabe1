"""Rows of an index part, which ones a look-up may find, and what each is of.

Used by `cluster.memory.cache` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.memory.knowledge.vectors import Rows

Mask = NDArray[np.bool_]
"""bool[rows]."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which rows of a part a look-up may find."""

    mask: Mask
    rows: Rows | None
    """The same as numbers, where all of them are compared."""
    bits: NDArray[np.uint8] | None = None
    """The same as bits; None where all are allowed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a passage is of."""

    version: int
    source: str
    path: str
    document: str


def rows_of_kind(alive: Mask, is_code: Mask, kind: str) -> Mask:
    """Return which rows are alive and of a kind; of any, where it is empty."""
    if not kind:
        return alive
    return alive & is_code if kind == "code" else alive & ~is_code
