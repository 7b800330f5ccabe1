"""A tensor of a safetensors file, mapped: the processes of a host share one copy, loaded as read.

Used by `cluster.memory.knowledge.embedder`. Such a file is the length of its header (8 bytes,
little-endian), the header in JSON, and the tensors' bytes.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LENGTH_BYTES = 8
_NUMBER_BYTES = 2


def mapped_tensor(path: Path, name: str) -> NDArray[np.float16]:
    """Map a tensor of half floats, read-only.

    Raises:
        OSError: there is no such file.
        ValueError: it has no such tensor, or is cut off.
    """
    try:
        return _map(path, name)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} has no tensor {name} of half floats") from error


def _map(path: Path, name: str) -> NDArray[np.float16]:
    size = path.stat().st_size
    header, data_at = _header(path, size)
    tensor = header[name]
    if tensor["dtype"] != "F16":
        raise TypeError(tensor["dtype"])
    shape = tuple(tensor["shape"])
    offset = data_at + tensor["data_offsets"][0]
    # A page beyond the end of a mapped file would end the process with SIGBUS.
    if offset + math.prod(shape) * _NUMBER_BYTES > size:
        raise ValueError(f"{path.name} is cut off")
    # As a plain array: each operation on a memmap takes some microseconds more.
    return np.memmap(path, dtype="<f2", mode="r", offset=offset, shape=shape).view(np.ndarray)


def _header(path: Path, size: int) -> tuple[Any, int]:
    """Return what a file says of its tensors, and where their bytes begin."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        data = file.read(min(header_bytes, size))
    try:
        return json.loads(data), _LENGTH_BYTES + header_bytes
    except ValueError as error:
        raise ValueError(f"{path.name} is no safetensors file") from error
