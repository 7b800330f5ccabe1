"""Where unix sockets lie: each in a folder of its own below the temporary one, closed to others.

A process that is killed leaves its folder behind; the next one that listens removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
from pathlib import Path

_NAME = "links.sock"
_PREFIX = f"fleetmind-links-{os.getuid()}-"
_SHORT_TEMP = Path(os.sep, "tmp")
_PATH_BYTES_MAX = 107
"""The kernel's limit on the path of a socket."""
_SUFFIX_BYTES = 24
"""Room for the process id, the random part and the socket's name."""


def make_socket_path(temp_dir: Path | None = None) -> str:
    """Make a folder that only this user can enter; return the path for a socket in it.

    Raises:
        OSError: it can't be made.
    """
    base = temp_dir or Path(tempfile.gettempdir())
    if len(os.fsencode(base / _PREFIX)) + _SUFFIX_BYTES + len(_NAME) > _PATH_BYTES_MAX:
        base = _SHORT_TEMP
    _sweep(base)
    return str(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base)) / _NAME)


def remove_socket_path(path: str) -> None:
    """Remove a socket with its folder, where they are still there."""
    shutil.rmtree(Path(path).parent, ignore_errors=True)


def _sweep(base: Path) -> None:
    """Remove the folders of this user's processes that are gone."""
    for folder in base.glob(f"{_PREFIX}*"):
        pid = folder.name[len(_PREFIX) :].partition("-")[0]
        with contextlib.suppress(OSError):
            is_ours = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
            if is_ours and pid.isdigit() and not _is_running(int(pid)) and not _answers(folder):
                remove_socket_path(str(folder / _NAME))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _answers(folder: Path) -> bool:
    """Say whether somebody listens: process ids mean nothing across containers."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        return probe.connect_ex(str(folder / _NAME)) not in (errno.ECONNREFUSED, errno.ENOENT)
