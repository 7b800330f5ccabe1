"""Turns text into vectors: the port, and WordLlama, whose 256 dimensions come with its wheel.

Used by `cluster.memory.knowledge.stored`. WordLlama and numpy are imported at the first text: a run
that has nothing to embed pays nothing for them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.kernel.errors import ClusterError

if TYPE_CHECKING:
    from cluster.memory.knowledge.vectors import Vectors

INLINE_CHARS_MAX = 2_000
"""What is embedded on the event loop: a question takes 0.1 ms, less than a trip to a thread."""
BATCH_TEXTS = 16


class Embedder(Protocol):
    """Anything that makes vectors that can be compared by their cosine."""

    @property
    def name(self) -> str:
        """Model and version: vectors of embedders of different names are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; takes its time off the event loop.

        Returns:
            float32[texts, dimensions], unit L2 norm, in the texts' order; a row of zeros where a
            text has nothing to embed.

        Raises:
            ClusterError: the model can't be loaded or reached.
        """
        ...


class _Model(Protocol):
    """What is used of WordLlama, which carries no types."""

    def embed(self, texts: list[str], *, batch_size: int) -> Vectors:
        """Return float32[texts, 256], of any norm."""
        ...


class WordLlamaEmbedder:
    """WordLlama's 256-dimensional vectors, from inside its wheel, without any download."""

    name = "wordllama-l2_supercat-256"
    dimensions = 256

    def __init__(self) -> None:
        self._model: _Model | None = None
        """Read-only once it is loaded; several threads may use it."""
        self._loading = threading.Lock()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32[texts, 256], unit L2 norm; the first call loads the model in 0.6 s."""
        if self._model is not None and sum(map(len, texts)) <= INLINE_CHARS_MAX:
            return _embed(self._model, texts)
        return await asyncio.to_thread(self._load_and_embed, texts)

    def _load_and_embed(self, texts: Sequence[str]) -> Vectors:
        with self._loading:
            model = self._model = self._model or _load()
        return _embed(model, texts)


def _embed(model: _Model, texts: Sequence[str]) -> Vectors:
    """Return float32[texts, 256], unit L2 norm, in the texts' order."""
    import numpy as np

    from cluster.memory.knowledge.vectors import unit

    # WordLlama pads a batch to its longest text: texts of like length go together.
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    raw = model.embed([texts[at] for at in order], batch_size=BATCH_TEXTS)
    vectors = np.empty_like(raw)
    vectors[order] = raw
    return unit(vectors)


def _load() -> _Model:
    """Load the model from its own package's folder: elsewhere it looks, then downloads."""
    found = importlib.util.find_spec("wordllama")
    if found is None or found.origin is None:
        raise ClusterError("wordllama isn't installed: reinstall fleetmind with its dependencies")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        from wordllama import WordLlama  # type: ignore[import-untyped]

        package = Path(found.origin).parent
        model: _Model = WordLlama.load(cache_dir=package, disable_download=True)
    except (ImportError, OSError, ValueError) as error:
        raise ClusterError(
            f"wordllama can't be loaded ({error}): reinstall fleetmind with its dependencies"
        ) from error
    finally:
        # Importing it configures the root logger, which is the program's to configure.
        root.handlers[:] = handlers
        root.setLevel(level)
    return model
