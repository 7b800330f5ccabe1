"""What every `Embedder` of `cluster.memory.knowledge` promises, as checks that run against each.

Unit tests run them on `tests.support.hashing_embedder`, integration tests on WordLlama.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from cluster.memory.knowledge.embedder import Embedder

Promise = Callable[[Embedder], Awaitable[None]]


async def each_text_gets_one_vector_of_length_one(embedder: Embedder) -> None:
    vectors = await embedder.embed(["one text", "another text", "a third, longer than the others"])

    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


async def no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert (await embedder.embed([])).shape == (0, embedder.dimensions)


async def a_text_without_words_gets_a_vector_without_length(embedder: Embedder) -> None:
    vectors = await embedder.embed(["", "something"])

    assert np.linalg.norm(vectors[0]) == 0.0
    assert np.isfinite(vectors).all()


async def equal_texts_have_equal_vectors_whatever_stands_beside_them(embedder: Embedder) -> None:
    (alone,) = await embedder.embed(["how does a heap work"])
    beside = await embedder.embed(["a much longer text " * 50, "how does a heap work"])

    assert beside[1] == pytest.approx(alone, abs=1e-5)


async def related_texts_are_nearer_than_others(embedder: Embedder) -> None:
    question, related, other = await embedder.embed(
        ["how do I sort a list", "to sort a list call sorted", "the weather was cold and wet"]
    )

    assert question @ related > question @ other


PROMISES: tuple[Promise, ...] = (
    each_text_gets_one_vector_of_length_one,
    no_texts_give_no_vectors,
    a_text_without_words_gets_a_vector_without_length,
    equal_texts_have_equal_vectors_whatever_stands_beside_them,
    related_texts_are_nearer_than_others,
)
