"""Vectors keep their direction as half floats, and zero stays zero."""

from __future__ import annotations

import numpy as np
import pytest

from cluster.memory.knowledge.vectors import cosines, rows_of, to_half, unit


def test_unit_vectors_have_length_one_and_zero_stays_zero() -> None:
    vectors = unit(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))

    assert vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]


def test_half_floats_are_off_by_a_two_thousandth_at_most() -> None:
    vectors = unit(np.random.default_rng(1).standard_normal((50, 64)).astype(np.float32))

    data = to_half(vectors)
    back = rows_of(data, (), 64)

    assert len(data) == 50 * 64 * 2
    assert back.dtype == np.float32
    assert np.abs(back - vectors).max() <= 2**-12


def test_signed_bytes_of_earlier_versions_are_read_with_their_scales() -> None:
    data = np.array([[127, -127], [1, 0]], dtype=np.int8).tobytes()

    assert rows_of(data, (0.5 / 127, 2.0), 2).tolist() == [[0.5, -0.5], [2.0, 0.0]]


def test_a_vector_without_length_survives_as_bytes() -> None:
    data = to_half(np.zeros((1, 4), dtype=np.float32))

    assert rows_of(data, (), 4).tolist() == [[0.0] * 4]


def test_no_vectors_survive_as_bytes() -> None:
    assert rows_of(to_half(np.empty((0, 4), dtype=np.float32)), (), 4).shape == (0, 4)


def test_the_cosine_of_a_vector_with_itself_is_one() -> None:
    vectors = unit(np.array([[1.0, 1.0], [1.0, -1.0]], dtype=np.float32))

    assert cosines(vectors, vectors[0]).tolist() == [pytest.approx(1.0), pytest.approx(0.0)]
