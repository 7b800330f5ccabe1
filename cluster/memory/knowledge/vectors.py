"""Vectors as arrays and as they are stored. Used by the embedders and the search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""float32[texts, dimensions], rows of unit L2 norm; a row of zeros where nothing was embedded."""

_INT8_MAX = 127


def unit(vectors: Vectors) -> Vectors:
    """Return the rows at unit L2 norm; a row of zeros stays one.

    Args:
        vectors: float[n, dimensions], of any norm.

    Returns:
        float32[n, dimensions].
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0.0, 1.0, lengths)).astype(np.float32)


def cosines(vectors: Vectors, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of each row and a query.

    Args:
        vectors: float32[n, dimensions], unit L2 norm.
        query: float32[dimensions], unit L2 norm.

    Returns:
        float32[n], from -1 to 1; 0 where either is all zeros.
    """
    # Not `vectors @ query`: on a busy machine BLAS's threads wait for each other, measured at 8 ms
    # for 2,000 vectors; this takes 0.08 ms, and 5 ms for 100,000.
    result: NDArray[np.float32] = np.einsum("ij,j->i", vectors, query)
    return result


def to_int8(vectors: Vectors) -> tuple[bytes, tuple[float, ...]]:
    """Quantize each row to signed bytes, symmetrically, by its largest absolute value.

    Args:
        vectors: float32[n, dimensions].

    Returns:
        int8[n, dimensions] as bytes, row by row, and n scales: a number is its byte times the
        scale of its row.
    """
    scales = np.abs(vectors).max(axis=1, initial=0.0) / _INT8_MAX
    safe = np.where(scales == 0.0, 1.0, scales)
    small = np.rint(vectors / safe[:, None]).astype(np.int8)
    return small.tobytes(), tuple(scales.tolist())


def from_int8(data: bytes, scales: Sequence[float], dimensions: int) -> Vectors:
    """Return what `to_int8` was given, each number off by at most half a scale.

    Args:
        data: int8[n, dimensions] as bytes, row by row.
        scales: n numbers, one a row.
        dimensions: of a row.

    Returns:
        float32[n, dimensions]; the norms are 1 but for the rounding.
    """
    small = np.frombuffer(data, dtype=np.int8).reshape(len(scales), dimensions)
    return small.astype(np.float32) * np.asarray(scales, dtype=np.float32)[:, None]
