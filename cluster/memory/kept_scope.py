"""The scope of a user's cluster that stays, in a file: a restarted one finds its tasks again.

It lies beside the embedded store's data, in the user's data folder. Whoever runs the cluster holds
the file for as long; commands read it where no cluster is up, to see what has become of tasks.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.kernel.errors import UsageError
from cluster.memory.directory import SCOPE_CHARS
from cluster.user_folders import user_folder

_FILE = "scope"
_SCOPE = re.compile(f"[0-9a-f]{{{SCOPE_CHARS}}}")


@contextmanager
def kept_scope(folder: Path | None = None) -> Iterator[str]:
    """Give the scope that the user's cluster had before, for as long as the context lasts.

    One cluster has it at a time; empty where another one has it just now. The kernel lets go of it
    however this process ends.

    Args:
        folder: instead of the user's data folder.

    Raises:
        UsageError: the file can't be made or read, or holds something else.
    """
    path = _path(folder)
    try:
        _make(path)
        held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(
            f"{path} can't be made ({error.strerror}): set XDG_DATA_HOME to a folder that can be "
            "written to"
        ) from error
    try:
        yield read_scope(folder) if _is_ours(held) else ""
    finally:
        os.close(held)


def read_scope(folder: Path | None = None) -> str:
    """Return the kept scope, whoever has it; empty where no cluster ever had one.

    Args:
        folder: as for `kept_scope`.

    Raises:
        UsageError: it can't be read, or is none.
    """
    path = _path(folder)
    try:
        scope = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    if not _SCOPE.fullmatch(scope):
        raise UsageError(
            f"{path} holds something else than a cluster's scope: remove it; tasks of before are "
            "not found any more then"
        )
    return scope


def _path(folder: Path | None) -> Path:
    return (folder or user_folder("XDG_DATA_HOME", ".local/share")) / _FILE


def _make(path: Path) -> None:
    """Put a new scope into the file, unless there is one; never a half of it."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{_FILE}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_hex(SCOPE_CHARS // 2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):  # somebody else was quicker: theirs counts
        os.link(draft, path)
    draft.unlink()


def _is_ours(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
