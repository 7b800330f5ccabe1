"""An embedder without a model: each word adds a fixed direction. Equal words, near vectors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from cluster.memory.knowledge.vectors import Vectors, unit


class HashingEmbedder:
    """An `Embedder` that is deterministic and counts what it is asked for."""

    def __init__(self, name: str = "hashing-64", dimensions: int = 64) -> None:
        self.name = name
        self.dimensions = dimensions
        self.texts: list[str] = []
        """All texts that were ever embedded, in their order."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts.extend(texts)
        rows = [self._vector(text) for text in texts]
        return unit(np.array(rows, dtype=np.float32).reshape(len(texts), self.dimensions))

    def _vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        vector = np.zeros(self.dimensions, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            vector[int.from_bytes(digest) % self.dimensions] += 1.0 if digest[0] % 2 else -1.0
        return vector
