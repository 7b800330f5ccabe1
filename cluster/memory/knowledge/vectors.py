"""Vectors as arrays and as they are stored. Used by the embedders and the search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""float32[dimensions], unit L2 norm."""
Rows = NDArray[np.int64]
"""int64[some]: numbers of rows."""
Scores = NDArray[np.float32]
"""float32[rows]."""
Vectors = NDArray[np.float32]
"""float32[texts, dimensions], rows of unit L2 norm; a row of zeros where nothing was embedded."""

_HALF = np.dtype("<f2")


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


def to_half(vectors: Vectors) -> bytes:
    """Return vectors as they are stored.

    Signed bytes would be half of it, but lose 1.3 % of the nearest 8 of 100,000 passages.

    Args:
        vectors: float32[n, dimensions], unit L2 norm.

    Returns:
        float16[n, dimensions] as little-endian bytes, row by row.
    """
    return vectors.astype(_HALF).tobytes()


def rows_of(data: bytes, scales: Sequence[float], dimensions: int) -> Vectors:
    """Return the vectors of a document, as it is stored now or was by earlier versions.

    Args:
        data: float16[n, dimensions], or int8[n, dimensions] where there are scales, as bytes.
        scales: n factors, one a row of int8; empty for float16.
        dimensions: of a row, at least 1.

    Returns:
        float32[n, dimensions]; the norms are 1 but for the rounding.
    """
    dtype = np.dtype(np.int8) if scales else _HALF
    rows = np.frombuffer(data, dtype).reshape(-1, dimensions).astype(np.float32)
    return rows * np.asarray(scales, dtype=np.float32)[:, None] if scales else rows
