"""The private folder of a running cluster."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.kernel.errors import PlacementError
from cluster.placement.local.run_dir import make_run_dir


@pytest.fixture
def short_temp() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="", dir=Path(os.sep, "tmp")) as folder:
        yield Path(folder)


def test_each_cluster_has_a_folder_of_its_own_that_only_its_user_can_use(short_temp: Path) -> None:
    first, second = make_run_dir(short_temp), make_run_dir(short_temp)

    assert first != second
    assert first.parent == short_temp / f"fleetmind-{os.getuid()}"
    for folder in (first, first.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_path_is_short_enough_for_the_sockets_of_ray_wherever_the_temporary_files_are(
    tmp_path: Path,
) -> None:
    folder = make_run_dir(tmp_path / ("long" * 10))
    folder.rmdir()

    assert len(os.fsencode(folder)) <= 38


def test_a_folder_that_others_can_use_is_refused(short_temp: Path) -> None:
    (short_temp / f"fleetmind-{os.getuid()}").mkdir(mode=0o755)

    with pytest.raises(PlacementError, match="not a folder that only you can use"):
        make_run_dir(short_temp)


def test_a_link_that_somebody_put_there_is_not_followed(short_temp: Path, tmp_path: Path) -> None:
    (short_temp / f"fleetmind-{os.getuid()}").symlink_to(tmp_path)

    with pytest.raises(PlacementError, match="not a folder that only you can use"):
        make_run_dir(short_temp)


def test_a_folder_that_cannot_be_made_is_one_sentence(short_temp: Path) -> None:
    (short_temp / "file").write_text("")

    with pytest.raises(PlacementError, match="set TMPDIR"):
        make_run_dir(short_temp / "file")
