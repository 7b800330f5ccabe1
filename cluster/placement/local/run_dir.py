"""The private folder of one running cluster: secrets, requests, logs, Ray's session.

``<temp folder>/fleetmind-<uid>/<short id>``, for its user only, removed when the cluster ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import PlacementError

# Ray's longest socket path below it ("/ray/session_<time>_<pid>/sockets/plasma_store") takes 69
# bytes of the 107 that the kernel allows.
_PATH_BYTES_MAX = 38
_NAME_BYTES = 3
_LOCK = "lock"
"""Held as long as the folder is somebody's."""
_DRAFT = f".{_LOCK}"
_MAKING_S = 60.0
"""Who has had a folder for longer, and neither a lock nor anything else in it, was killed between
the first and the second step of making it, which follow each other."""
_SHORT_TEMP = Path(os.sep, "tmp")


def new_run_dir(
    temp_dir: Path | None = None, *, wall: Callable[[], float] = SystemClock.wall
) -> Path:
    """Return the path of a new folder, whose parent is there; it is to be made by who removes it.

    What clusters have left that were killed with all that could have cleaned up is removed.

    Args:
        temp_dir: instead of the user's temporary folder; also passed over where it is too long.
        wall: returns Unix seconds, which the times of files are compared with.

    Raises:
        PlacementError: the parent can't be made, or belongs to somebody else.
    """
    uid = os.getuid()
    base = (temp_dir or Path(tempfile.gettempdir())) / f"fleetmind-{uid}"
    name = secrets.token_hex(_NAME_BYTES)
    if len(os.fsencode(base / name)) > _PATH_BYTES_MAX:
        base = _SHORT_TEMP / base.name
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(base, uid)
        _sweep(base, wall())
    except OSError as error:
        raise _not_made(base, error) from error
    while (base / name).exists():
        name = secrets.token_hex(_NAME_BYTES)
    return base / name


def make_run_dir(run_dir: Path | None = None) -> Path:
    """Create a folder and return it; it is this process's, and what it forks, as long as they run.

    Args:
        run_dir: from `new_run_dir`, which is asked where it isn't given.

    Raises:
        PlacementError: it can't be made.
    """
    run_dir = run_dir or new_run_dir()
    try:
        run_dir.mkdir(mode=0o700)
        # Not there before it is held: nobody else is to take it for one that was left.
        draft = run_dir / _DRAFT
        held = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # until the end
        fcntl.flock(held, fcntl.LOCK_EX)
        draft.rename(run_dir / _LOCK)
    except OSError as error:
        raise _not_made(run_dir, error) from error
    return run_dir


def _sweep(base: Path, now_s: float) -> None:
    for folder in base.iterdir():
        with suppress(OSError):  # it is held, or its owner removes it
            if (folder / _LOCK).exists():
                _remove_unheld(folder, folder / _LOCK)
            elif folder.stat().st_mtime < now_s - _MAKING_S:
                _remove_begun(folder)


def _remove_begun(folder: Path) -> None:
    """Remove what a killed `make_run_dir` has left; what has more in it isn't of this version."""
    match [path.name for path in folder.iterdir()]:
        case []:
            folder.rmdir()
        case [name] if name == _DRAFT:
            _remove_unheld(folder, folder / _DRAFT)


def _remove_unheld(folder: Path, lock: Path) -> None:
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)


def _not_made(folder: Path, error: OSError) -> PlacementError:
    return PlacementError(
        f"no private folder can be made at {folder} ({error.strerror}): "
        "set TMPDIR to a folder that can be written to"
    )


def _check_private(folder: Path, uid: int) -> None:
    """Refuse a folder that somebody else may have put there: the temporary folder is open to all.

    Links are not followed.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise PlacementError(
            f"{folder} is not a folder that only you can use: remove it, or set TMPDIR to a "
            "folder of your own"
        )
