"""What this package's processes import from, whatever lies in the directory they are started in.

Python puts the working directory first on the path (``python -m``, an empty entry of PYTHONPATH): a
file there would be run in place of the library that has its name. Used by the command line for
itself and by `cluster.child_environment` for all that is started. Imports nothing that Python
has not loaded by itself: where it is needed, every other import may be somebody's file.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `collections.abc` and all else would be imported too early
if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - as above
"""The folder of this package and of `agents`: a checkout's, or that of installed packages."""


def leave_working_directory() -> None:
    """Import nothing from the working directory from now on."""
    sys.path[:] = without_working_directory(sys.path)


def without_working_directory(entries: Iterable[str]) -> list[str]:
    """Return the entries of a path without the working directory.

    Where that is our own checkout, it becomes the last one: what is installed hides its files.
    """
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109 - as above
    except FileNotFoundError:
        return [entry for entry in entries if entry]  # it is gone, and nothing is found there
    kept = [entry for entry in entries if os.path.realpath(entry) != here]
    return [*kept, ROOT] if here == ROOT else kept
