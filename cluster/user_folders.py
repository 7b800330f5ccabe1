"""The user's folders, as the XDG base directory specification has them.

Used where this machine keeps something between two runs.
"""

from __future__ import annotations

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
