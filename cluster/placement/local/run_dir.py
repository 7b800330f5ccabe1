"""The private folder of one running cluster: secrets, requests, logs, Ray's session.

``<temp folder>/fleetmind-<uid>/<short id>``, for its user only, removed when the cluster ends.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path

from cluster.kernel.errors import PlacementError

# Ray's longest socket path below it ("/ray/session_<time>_<pid>/sockets/plasma_store") takes 69
# bytes of the 107 that the kernel allows.
_PATH_BYTES_MAX = 38
_SHORT_TEMP = Path(os.sep, "tmp")


def make_run_dir(temp_dir: Path | None = None) -> Path:
    """Create a new folder and return it.

    Args:
        temp_dir: instead of the user's temporary folder; also passed over where it is too long.

    Raises:
        PlacementError: it can't be made, or its parent belongs to somebody else.
    """
    uid = os.getuid()
    base = (temp_dir or Path(tempfile.gettempdir())) / f"fleetmind-{uid}"
    run_dir = base / secrets.token_hex(3)
    if len(os.fsencode(run_dir)) > _PATH_BYTES_MAX:
        run_dir = _SHORT_TEMP / base.name / run_dir.name
    try:
        run_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(run_dir.parent, uid)
        run_dir.mkdir(mode=0o700)
    except OSError as error:
        raise PlacementError(
            f"no private folder can be made at {run_dir} ({error.strerror}): "
            "set TMPDIR to a folder that can be written to"
        ) from error
    return run_dir


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
