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

from agents.routing.features import BUCKETS, Embed, Features

if TYPE_CHECKING:
    from agents.routing.classifier import Classifier

SHIPPED = "trained.npz"
"""The default intents' classifier, made by `benchmarks/train_router.py`."""
_FORM = 1
"""Changes with the features: what was trained on others is of no use."""
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def digest(examples: Mapping[str, Sequence[str]], embedder: str) -> str:
    """Return what tells the outcome of a training from that of any other."""
    said = [_FORM, BUCKETS, embedder, sorted((name, *texts) for name, texts in examples.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def shipped(wanted: str, embed: Embed) -> Classifier | None:
    """Return the classifier that ships, if it is the wanted one."""
    try:
        return _read(files("agents.routing").joinpath(SHIPPED).read_bytes(), wanted, embed)
    except _BROKEN:
        return None


def load(folder: Path, wanted: str, embed: Embed) -> Classifier | None:
    """Return the classifier that `save` left in a folder; None where there is no such one."""
    try:
        return _read(_path(folder, wanted).read_bytes(), wanted, embed)
    except _BROKEN:
        return None


def save(folder: Path, wanted: str, classifier: Classifier) -> None:
    """Leave a classifier for the next start; where that can't be, the next start trains again."""
    path = _path(folder, wanted)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(to_bytes(wanted, classifier))
        draft.replace(path)


def to_bytes(wanted: str, classifier: Classifier) -> bytes:
    """Return a classifier as the bytes of an ``.npz`` file; its weights lose half of their bits."""
    import numpy as np

    made = io.BytesIO()
    np.savez_compressed(
        made,
        digest=np.array(wanted),
        names=np.array(list(classifier.names)),
        confidence_min=np.float64(classifier.confidence_min),
        calibration=np.array([classifier.calibration.slope, classifier.calibration.shift]),
        rarity=classifier.features.rarity.astype(np.float16),
        weights=classifier.weights.astype(np.float16),
    )
    return made.getvalue()


def _read(data: bytes, wanted: str, embed: Embed) -> Classifier | None:
    import numpy as np

    from agents.routing.calibration import Calibration
    from agents.routing.classifier import Classifier

    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        if str(kept["digest"]) != wanted:
            return None
        slope, shift = kept["calibration"]
        return Classifier(
            [str(name) for name in kept["names"]],
            {},
            float(kept["confidence_min"]),
            Features(embed, kept["rarity"].astype(np.float32)),
            kept["weights"].astype(np.float32),
            Calibration(float(slope), float(shift)),
        )


def _path(folder: Path, wanted: str) -> Path:
    return folder / f"{wanted[:32]}.npz"
