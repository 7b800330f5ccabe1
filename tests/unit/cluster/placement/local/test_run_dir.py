"""The private folder of a running cluster."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from cluster.kernel.errors import PlacementError
from cluster.placement.local.run_dir import make_run_dir, new_run_dir


@pytest.fixture
def short_temp() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="", dir=Path(os.sep, "tmp")) as folder:
        yield Path(folder)


def test_each_cluster_has_a_folder_of_its_own_that_only_its_user_can_use(short_temp: Path) -> None:
    first, second = (make_run_dir(new_run_dir(short_temp)) for _ in range(2))

    assert first != second
    assert first.parent == short_temp / f"fleetmind-{os.getuid()}"
    for folder in (first, first.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_path_is_short_enough_for_the_sockets_of_ray_wherever_the_temporary_files_are(
    tmp_path: Path,
) -> None:
    folder = new_run_dir(tmp_path / ("long" * 10))

    assert len(os.fsencode(folder)) <= 38


def test_a_folder_that_others_can_use_is_refused(short_temp: Path) -> None:
    (short_temp / f"fleetmind-{os.getuid()}").mkdir(mode=0o755)

    with pytest.raises(PlacementError, match="not a folder that only you can use"):
        new_run_dir(short_temp)


def test_a_link_that_somebody_put_there_is_not_followed(short_temp: Path, tmp_path: Path) -> None:
    (short_temp / f"fleetmind-{os.getuid()}").symlink_to(tmp_path)

    with pytest.raises(PlacementError, match="not a folder that only you can use"):
        new_run_dir(short_temp)


def test_a_folder_that_cannot_be_made_is_one_sentence(short_temp: Path) -> None:
    (short_temp / "file").write_text("")

    with pytest.raises(PlacementError, match="set TMPDIR"):
        new_run_dir(short_temp / "file")


def test_a_folder_that_goes_before_it_is_looked_through_is_one_sentence(short_temp: Path) -> None:
    def goes() -> float:
        (short_temp / f"fleetmind-{os.getuid()}").rmdir()
        return 0.0

    with pytest.raises(PlacementError, match="no private folder can be made"):
        new_run_dir(short_temp, wall=goes)


HOLDER = """
import sys
from pathlib import Path
from cluster.placement.local.run_dir import make_run_dir, new_run_dir
print(make_run_dir(new_run_dir(Path(sys.argv[1]))), flush=True)
sys.stdin.read()
"""


def test_a_folder_whose_owner_was_killed_is_removed_by_the_next_one(short_temp: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(short_temp)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE) as holder:
        assert holder.stdout is not None
        left = Path(holder.stdout.readline().decode().strip())
        new_run_dir(short_temp)
        assert left.is_dir()
        holder.kill()

    new_run_dir(short_temp)

    assert not left.exists()


def begun(short_temp: Path, *, with_draft: bool) -> Path:
    """What one who is making a folder has by the first step, or by the second."""
    folder = short_temp / f"fleetmind-{os.getuid()}" / "012345"
    new_run_dir(short_temp)
    folder.mkdir()
    if with_draft:
        (folder / ".lock").touch()
    return folder


@pytest.mark.parametrize("with_draft", [False, True])
def test_a_folder_whose_maker_was_killed_is_removed_a_minute_later(
    short_temp: Path, *, with_draft: bool
) -> None:
    left = begun(short_temp, with_draft=with_draft)
    made_s = left.stat().st_mtime

    new_run_dir(short_temp, wall=lambda: made_s + 59.0)
    assert left.is_dir()
    new_run_dir(short_temp, wall=lambda: made_s + 61.0)

    assert not left.exists()


def test_a_folder_that_is_still_being_made_is_left_alone(short_temp: Path) -> None:
    folder = begun(short_temp, with_draft=True)

    with (folder / ".lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        new_run_dir(short_temp, wall=lambda: folder.stat().st_mtime + 61.0)

    assert folder.is_dir()


def test_a_folder_of_another_version_is_left_alone(short_temp: Path) -> None:
    other = begun(short_temp, with_draft=False)
    (other / "secrets").touch()

    new_run_dir(short_temp, wall=lambda: other.stat().st_mtime + 61.0)

    assert other.is_dir()
