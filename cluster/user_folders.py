"""The user: their folders, as the XDG base directory specification has them, and their name.

Used where this machine keeps something between two runs, and where a person edits what is shared.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

NAME = "fleetmind"


def user_folder(variable: str, usual: str) -> Path:
    """Return our part of a folder; nothing is made.

    Args:
        variable: that names it, unless it is relative: then it is to be ignored.
        usual: where it is otherwise, from the home folder.
    """
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / usual) / NAME


def user_name() -> str:
    """Return what the user of this process is called; empty where nobody knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process whose user has no entry, as in many containers
        return ""
