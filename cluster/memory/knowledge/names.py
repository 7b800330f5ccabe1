"""How knowledge is called: namespaces, those of `--knowledge` paths, and what a task is given.

Called by the commands, `cluster.driver_link`, and whoever learns, searches or cites.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.path_names import shown_name

LEARNED = "default"
"""The namespace that `fleetmind learn` adds to, and that runs answer from, unless told."""
OF_PATHS = "paths:"
"""What the namespaces of `--knowledge` begin with; no name that a user gives does."""
OF_TEXTS = "text:"
"""What the path of a source that is no file begins with: no absolute path does."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class KnowledgeVersion:
    """What a task may know: a namespace, as it is at a version or later."""

    namespace: str
    version: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `__str__` has written; None where it is something else."""
        namespace, _, version = text.rpartition("@")
        if not namespace or not (version.isascii() and version.isdigit()):
            return None
        return cls(namespace, int(version))

    def __str__(self) -> str:
        """Return it as tasks carry it."""
        return f"{self.namespace}@{self.version}"


def check_namespace(name: str) -> str:
    """Return a namespace's name as it is.

    Raises:
        UsageError: users can't give it.
    """
    if _NAME.fullmatch(name):
        return name
    raise UsageError(
        f"the namespace {name!r} can't be called that: use up to 64 of a-z 0-9 . _ - and begin "
        "with a letter or a digit"
    )


def namespace_of(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Return the namespace of what some paths hold: the same for the same paths, given alike."""
    digest = hashlib.sha256()
    for path in paths:
        for part in (os.path.normpath(path), Path(path).resolve()):
            digest.update(os.fsencode(part) + b"\0")
    return f"{OF_PATHS}{digest.hexdigest()[:16]}"


def source_key(path: str) -> str:
    """Return the key of a file in a namespace: a removed one leaves no name behind."""
    return hashlib.blake2b(path.encode(), digest_size=16).hexdigest()


def cited_name(name: str, path: str) -> str:
    """Return what citations call a source, by its name and path as the store has them.

    The name of a text that is no file is what its owner knows it by; it stands on one line already.
    """
    return name if path.startswith(OF_TEXTS) else shown_name(name)
