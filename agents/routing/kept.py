"""A trained classifier as a file: training takes seconds, and one that ships is there at once.

Used by `agents.routing.default_router`. A file holds numbers and text only, nothing that runs, and
the digest of what it was trained on: of anything else it is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]
    """What a classifier is made of, by name."""

SHIPPED = "trained.npz"
"""The default intents' classifier, made by `benchmarks/train_router.py`."""
_DIGEST = "digest"
_FORM = 2
"""Changes with the features: what was trained on others is of no use."""
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def digest(examples: Mapping[str, Sequence[str]], embedder: str) -> str:
    """Return what tells the outcome of a training from that of any other."""
    said = [_FORM, embedder, sorted((name, *texts) for name, texts in examples.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def shipped(wanted: str) -> Arrays | None:
    """Return the classifier that ships, if it is the wanted one."""
    try:
        return _read(files("agents.routing").joinpath(SHIPPED).read_bytes(), wanted)
    except _BROKEN:
        return None


def load(folder: Path, wanted: str) -> Arrays | None:
    """Return the classifier that `save` left in a folder; None where there is no such one."""
    try:
        return _read(_path(folder, wanted).read_bytes(), wanted)
    except _BROKEN:
        return None


def save(folder: Path, wanted: str, arrays: Arrays) -> None:
    """Leave a classifier for the next start; where that can't be, the next start trains again."""
    path = _path(folder, wanted)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(to_bytes(wanted, arrays))
        draft.replace(path)


def to_bytes(wanted: str, arrays: Arrays) -> bytes:
    """Return a classifier as the bytes of an ``.npz`` file."""
    import numpy as np

    made = io.BytesIO()
    parts = {**arrays, _DIGEST: np.array(wanted)}
    np.savez_compressed(made, **parts)  # type: ignore[arg-type]  # none is called allow_pickle
    return made.getvalue()


def _read(data: bytes, wanted: str) -> Arrays | None:
    import numpy as np

    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        return dict(kept) if str(kept[_DIGEST]) == wanted else None


def _path(folder: Path, wanted: str) -> Path:
    return folder / f"{wanted[:32]}.npz"
