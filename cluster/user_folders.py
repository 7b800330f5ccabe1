"""The user: their folders, as the XDG base directory specification has them, and their name.

Used where this machine keeps something between two runs, and where a person edits what is shared.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from cluster.kernel.errors import UsageError

NAME = "fleetmind"


def user_folder(variable: str, usual: str) -> Path:
    """Return our part of a folder; nothing is made.

    Args:
        variable: that names it, unless it is relative: then it is to be ignored.
        usual: where it is otherwise, from the home folder.

    Raises:
        UsageError: it is not named, and this user has no home folder.
    """
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named / NAME
    try:
        return Path.home() / usual / NAME
    except RuntimeError as error:  # HOME isn't set, and the user has no entry that says it
        raise UsageError(
            f"no home folder is known of user {os.getuid()}: set HOME, or {variable}, to a folder "
            "that can be written to"
        ) from error


def make_user_folder(variable: str, usual: str) -> Path:
    """Return our part of a folder, made for its user only where it isn't there.

    Raises:
        UsageError: as `user_folder`, or it can't be made.
    """
    folder = user_folder(variable, usual)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} can't be made ({error.strerror}): set HOME, or {variable}, to a folder that "
            "can be written to"
        ) from error
    return folder


def user_name() -> str:
    """Return what the user of this process is called; empty where nobody knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process whose user has no entry, as in many containers
        return ""
