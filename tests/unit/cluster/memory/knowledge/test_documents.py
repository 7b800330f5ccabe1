"""Documents are not stored with vectors that can't be compared; the embedder is blamed for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cluster.kernel.errors import ClusterError
from cluster.memory.knowledge.catalog import read_catalog
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.vectors import Vectors
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock


class BrokenEmbedder:
    """Gives each text the same vector, which is none or has another length than it says."""

    name = "broken"
    dimensions = 2

    def __init__(self, vector: list[float]) -> None:
        self._vector = vector

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._vector] * len(texts), dtype=np.float32)


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ([1.0], "wrong dimensions"),
        ([1.0, float("nan")], "not finite"),
        ([1.0, float("inf")], "not finite"),
    ],
)
async def test_a_broken_vector_is_refused_before_it_is_stored(
    vector: list[float], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("# A\n\nAbout heaps.\n", encoding="utf-8")
    namespaces = LocalNamespaces(LocalStore(ManualClock()), ManualClock())

    with pytest.raises(ClusterError, match=f"embedder broken gave .*{reason}"):
        await learn(namespaces, [tmp_path], name="notes", embedder=BrokenEmbedder(vector))

    assert not (await read_catalog(namespaces, "notes")).sources
