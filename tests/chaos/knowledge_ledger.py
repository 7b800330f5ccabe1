"""What the writers of the knowledge campaign note outside of the store, and how it is read.

A line is written before changes are sent, with the moment at which their condition was known, and
one when the store has said what became of them: so a killed writer leaves what may have happened.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from cluster.memory.knowledge.vectors import Vectors, unit

NAMESPACES = ("spring", "summer", "autumn", "winter")
WRITERS = tuple(f"writer-{number}" for number in range(8))
HOSTS = ("host-0", "host-1")
LATE_HOST = "host-2"
"""Joins when half of the faults are over."""
SHARED = "all"
"""Owner of the sources that every writer changes."""
EMBEDDER = "chaos-64"
DIMENSIONS = 64
K = 8
_QUERIES = 50
_QUERY_SEED = 11


@dataclass(slots=True)
class Change:
    """A put or removal, as its writer knows of it; the times are `time.monotonic`."""

    name: str
    """Of the namespace."""
    key: str
    is_put: bool
    began: float
    """When the version was known that nobody may have changed the source since."""
    ended: float = float("inf")
    """When the store had said what became of it."""
    is_acked: bool = False
    is_refused: bool = False

    def is_superseded(self, by: Self) -> bool:
        """Say whether what this one did can't be there any more, given another acknowledged one.

        An acknowledged put is newer than every condition that was known before it was sent, so
        that what depends on such a one came earlier or was refused. A removal of what isn't there
        leaves no trace: what was still under way then may come after it.
        """
        return by.is_acked and by.began > (self.began if by.is_put else self.ended)


class Ledger:
    """The writing end, in a writer's process."""

    def __init__(self, folder: Path, agent: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(ledger_path(folder, agent), flags, 0o600)

    def begin(self, name: str, changes: Mapping[str, tuple[str, bool]]) -> None:
        """Note what is to be sent now: of each change its key, and whether it is a put."""
        self._write({"at": time.monotonic(), "name": name, "begun": changes})

    def end(self, acked: Sequence[str], refused: Sequence[str]) -> None:
        """Note what the store has said."""
        self._write({"at": time.monotonic(), "acked": acked, "refused": refused})

    def _write(self, line: Mapping[str, object]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


def ledger_path(folder: Path, agent: str) -> Path:
    """Return the file of a writer."""
    return folder / f"ledger-{agent}.jsonl"


def noted_bytes(folder: Path) -> int:
    """Return how much the writers have noted."""
    paths = (ledger_path(folder, agent) for agent in WRITERS)
    return sum(path.stat().st_size for path in paths if path.exists())


def read_ledgers(folder: Path) -> dict[str, Change]:
    """Return all changes by their ids."""
    changes: dict[str, Change] = {}
    for agent in WRITERS:
        for line in ledger_path(folder, agent).read_text(encoding="utf-8").splitlines():
            _take(json.loads(line), changes)
    return changes


def _take(line: Mapping[str, object], changes: dict[str, Change]) -> None:
    match line:
        case {"at": float(at), "name": str(name), "begun": dict(begun)}:
            for change, (key, is_put) in begun.items():
                changes[change] = Change(name, key, is_put, at)
        case {"at": float(at), "acked": list(acked), "refused": list(refused)}:
            for change in acked:
                changes[change].is_acked, changes[change].ended = True, at
            for change in refused:
                changes[change].is_refused, changes[change].ended = True, at


def by_source(changes: Mapping[str, Change]) -> dict[tuple[str, str], dict[str, Change]]:
    """Return the changes of each source of each namespace, by their ids."""
    found: defaultdict[tuple[str, str], dict[str, Change]] = defaultdict(dict)
    for change, each in changes.items():
        found[each.name, each.key][change] = each
    return found


def queries() -> Vectors:
    """Return the vectors that every cache and the judge look for."""
    numbers = np.random.default_rng(_QUERY_SEED).standard_normal((_QUERIES, DIMENSIONS))
    return unit(numbers.astype(np.float32))


def quiesced_path(folder: Path) -> Path:
    """Return the file that tells the hosts where the namespaces are when all is over."""
    return folder / "quiesced.json"


def found_path(folder: Path, agent: str) -> Path:
    """Return the file in which a host says what its cache has in the end."""
    return folder / f"found-{agent}.json"
