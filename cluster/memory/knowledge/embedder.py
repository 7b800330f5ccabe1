"""Turns text into vectors: the port, and WordLlama, whose table of 256 dimensions is in its wheel.

Used by what learns and what searches. The wheel's files are used without its module, which would
hold the table as 33 MB of each process's own; here all processes of a host share the mapped 16 MB.
Tokenizer and numpy are imported at the first text: a run that has nothing to embed pays nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.kernel.errors import ClusterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from cluster.memory.knowledge.vectors import Vectors

INLINE_CHARS_MAX = 2_000
"""What is embedded on the event loop: a question takes 0.1 ms, less than a trip to a thread."""
_TABLE = Path("weights", "l2_supercat_256.safetensors")
_TOKENIZER = Path("tokenizers", "l2_supercat_tokenizer_config.json")
_TENSOR = "embedding.weight"


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


class WordLlamaEmbedder:
    """WordLlama's vectors: the mean of the rows that its table has for the tokens of a text."""

    name = "wordllama-l2_supercat-256"
    dimensions = 256

    def __init__(self) -> None:
        self._model: _Model | None = None
        """Read-only once it is loaded; several threads may use it."""
        self._loading = threading.Lock()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32[texts, 256], unit L2 norm; the first call loads the model in 0.1 s."""
        if self._model is not None and sum(map(len, texts)) <= INLINE_CHARS_MAX:
            return _embed(self._model, texts)
        return await asyncio.to_thread(self.embed_here, texts)

    def embed_here(self, texts: Sequence[str]) -> Vectors:
        """Return what `embed` does, computed on the caller's thread; the first call loads."""
        model = self._model
        if model is None:
            with self._loading:
                model = self._model = self._model or _load()
        return _embed(model, texts)


@dataclass(frozen=True, slots=True)
class _Model:
    """A tokenizer, and a row for each of its tokens."""

    tokenizer: Tokenizer
    table: NDArray[np.float16]
    """float16[tokens, dimensions], mapped read-only."""


def _embed(model: _Model, texts: Sequence[str]) -> Vectors:
    """Return float32[texts, dimensions], unit L2 norm, in the texts' order."""
    import numpy as np

    from cluster.memory.knowledge.vectors import unit

    means = np.zeros((len(texts), model.table.shape[1]), dtype=np.float32)
    if len(texts) == 1:  # on this thread: a batch goes to others, which a busy machine lets wait
        encoded = [model.tokenizer.encode(texts[0], add_special_tokens=False)]
    else:
        # The fast variant leaves out the offsets of the tokens, which nobody asks for.
        encoded = model.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    # One text after the other: `np.add.reduceat` over all rows at once takes twice as long, since
    # they don't stay in the processor's cache.
    for at, encoding in enumerate(encoded):
        if tokens := encoding.ids:
            rows = model.table[tokens]
            means[at] = rows.sum(axis=0, dtype=np.float32) / np.float32(len(tokens))
    return unit(means)


def _load() -> _Model:
    """Map WordLlama's table and load its tokenizer, from the folder of its package."""
    found = importlib.util.find_spec("wordllama")
    if found is None or found.origin is None:
        raise ClusterError("wordllama isn't installed: reinstall fleetmind with its dependencies")
    package = Path(found.origin).parent
    try:
        model = _model(package)
    except (ImportError, OSError, ValueError) as error:
        raise ClusterError(
            f"wordllama can't be loaded ({error}): reinstall fleetmind with its dependencies"
        ) from error
    _give_memory_back()
    return model


def _model(package: Path) -> _Model:
    from cluster.memory.knowledge.mapped_tensor import mapped_tensor

    table = mapped_tensor(package / _TABLE, _TENSOR)
    if table.shape[1:] != (WordLlamaEmbedder.dimensions,):
        raise ValueError(f"{_TABLE.name} has other dimensions")
    return _Model(_tokenizer(package / _TOKENIZER), table)


def _tokenizer(path: Path) -> Tokenizer:
    """Return a tokenizer that neither pads nor cuts.

    Raises:
        ValueError: there is no such file, or it isn't a tokenizer's.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise ValueError(f"{path.name}: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _give_memory_back() -> None:
    """Return what parsing the tokenizer's JSON has left to the system: 6 MB a process."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)
