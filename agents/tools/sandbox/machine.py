"""What a machine has of what a sandbox is made of; `discovery` beside this finds it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROGRAM = "/program.py"
"""Where a program lies in its sandbox."""


@dataclass(frozen=True, slots=True)
class SandboxMachine:
    """The facts a sandbox is built from."""

    bubblewrap: str
    bubblewrap_options: frozenset[str]
    """The long options its help names: old versions lack some."""
    python: str
    prlimit: str
    setpriv: str
    """Empty where the user is not root: then there is nothing to drop."""
    shown: tuple[str, ...]
    """Folders and files of the machine that are visible inside, read-only."""
    links: tuple[tuple[str, str], ...]
    """Symbolic links inside: (where, target)."""
    architecture: str
    ceilings: Mapping[str, int]
    """Resource limits that this process can't exceed, by prlimit's name; not those it may."""
    is_process_limit_private: bool
    """Whether the limit counts one sandbox alone: by user namespace since Linux 5.14, and always
    where each sandbox has a user id of its own."""
    libraries: tuple[str, ...] = ()
    """Like ``shown``, of an environment of the user's, which may lie in a folder that is hidden."""
