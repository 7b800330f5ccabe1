"""A tensor is mapped as it was written; what is no such file is refused before it is mapped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cluster.memory.knowledge.mapped_tensor import mapped_tensor

ROWS = np.arange(6, dtype="<f2").reshape(3, 2)


def written(folder: Path, dtype: str = "F16", data: bytes = ROWS.tobytes()) -> Path:
    tensor = {"dtype": dtype, "shape": [3, 2], "data_offsets": [0, ROWS.nbytes]}
    header = json.dumps({"rows": tensor}).encode()
    path = folder / "some.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def test_a_tensor_is_what_was_written_and_read_only(tmp_path: Path) -> None:
    table = mapped_tensor(written(tmp_path), "rows")

    assert table.tolist() == ROWS.tolist()
    assert not table.flags.writeable


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, data=ROWS.tobytes()[:-1])

    with pytest.raises(ValueError, match="cut off"):
        mapped_tensor(path, "rows")


def test_another_name_or_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tensor columns"):
        mapped_tensor(written(tmp_path), "columns")
    with pytest.raises(ValueError, match="no tensor rows"):
        mapped_tensor(written(tmp_path, dtype="F32"), "rows")


@pytest.mark.parametrize("data", [b"", b"\xff" * 9, b"\x03\0\0\0\0\0\0\0[1]", b"\x02" * 40])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(data)

    with pytest.raises(ValueError, match=r"no safetensors file|no tensor rows"):
        mapped_tensor(path, "rows")
