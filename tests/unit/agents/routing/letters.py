"""An embedder for tests, which loads nothing: how often the letters come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cluster.memory.knowledge.vectors import Vectors, unit


def embed_letters(texts: Sequence[str]) -> Vectors:
    """float32[texts, 26], unit L2 norm."""
    counts = [[text.lower().count(chr(ord("a") + at)) for at in range(26)] for text in texts]
    return unit(np.array(counts, dtype=np.float32).reshape(len(texts), 26))
