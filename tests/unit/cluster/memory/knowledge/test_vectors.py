"""Vectors keep their direction as signed bytes, and zero stays zero."""

from __future__ import annotations

import numpy as np
import pytest

from cluster.memory.knowledge.vectors import cosines, from_int8, to_int8, unit


def test_unit_vectors_have_length_one_and_zero_stays_zero() -> None:
    vectors = unit(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))

    assert vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]


def test_signed_bytes_are_off_by_half_a_scale_at_most() -> None:
    vectors = unit(np.random.default_rng(1).standard_normal((50, 64)).astype(np.float32))

    data, scales = to_int8(vectors)
    back = from_int8(data, scales, 64)

    assert len(data) == 50 * 64
    assert (np.abs(back - vectors) <= np.array(scales)[:, None] / 2 + 1e-6).all()


def test_a_vector_without_length_survives_as_bytes() -> None:
    data, scales = to_int8(np.zeros((1, 4), dtype=np.float32))

    assert from_int8(data, scales, 4).tolist() == [[0.0] * 4]


def test_no_vectors_survive_as_bytes() -> None:
    data, scales = to_int8(np.empty((0, 4), dtype=np.float32))

    assert from_int8(data, scales, 4).shape == (0, 4)


def test_the_cosine_of_a_vector_with_itself_is_one() -> None:
    vectors = unit(np.array([[1.0, 1.0], [1.0, -1.0]], dtype=np.float32))

    assert cosines(vectors, vectors[0]).tolist() == [pytest.approx(1.0), pytest.approx(0.0)]
