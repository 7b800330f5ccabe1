"""What was left out of the knowledge: counted by kind and reason, and said in one line.

Filled by `cluster.memory.knowledge.sources` (what isn't read) and by
`cluster.memory.knowledge.learning` (what was read and has no text); shown by the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

NAMES_MAX = 3
"""Files that are named in a line, of each kind and reason."""
PARTS_MAX = 12
"""Kinds that a line tells apart; what is beyond them is one number."""


class Omission(StrEnum):
    """Why something isn't in the knowledge. Stored with documents: values never change."""

    KIND = "unsupported"
    """Files of its kind are not read."""
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    CHANGING = "changing"
    """It is not the same for as long as reading it takes."""
    EMPTY = "empty"
    BINARY = "binary"
    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    """It is not what its name says, or is damaged."""
    NO_TEXT = "no_text"
    """Pages without text, as a scanner makes them."""
    UNPACKS_TOO_LARGE = "unpacks_too_large"
    TOO_SLOW = "too_slow"


_WORDS = {
    Omission.KIND: ("", ""),
    Omission.TOO_LARGE: ("", " over 20 MB"),
    Omission.UNREADABLE: ("unreadable ", ""),
    Omission.CHANGING: ("changing ", ""),
    Omission.EMPTY: ("empty ", ""),
    Omission.BINARY: ("binary ", ""),
    Omission.ENCRYPTED: ("encrypted ", ""),
    Omission.BROKEN: ("broken ", ""),
    Omission.NO_TEXT: ("", " without text"),
    Omission.UNPACKS_TOO_LARGE: ("", " too large when unpacked"),
    Omission.TOO_SLOW: ("", " too slow to read"),
}
"""What stands before and after the kind."""
_UNNAMED = frozenset({Omission.KIND, Omission.EMPTY, Omission.BINARY})
"""What nobody expects to be read is not named one by one."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many files of one kind were left out for one reason."""

    kind: str
    """A plural that ends in s."""
    omission: Omission
    count: int
    names: tuple[str, ...] = ()
    """The first of them, at most `NAMES_MAX`."""

    def __str__(self) -> str:
        """Say it in a few words."""
        before, after = _WORDS[self.omission]
        kind = self.kind.removesuffix("s") if self.count == 1 else self.kind
        said = f"{self.count:,} {before}{kind}{after}"
        if not self.names or self.omission in _UNNAMED:
            return said
        more = ", ..." if self.count > len(self.names) else ""
        return f"{said} ({', '.join(self.names)}{more})"


class Omissions:
    """Counts what is left out, in the order of what came first."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Omission], int] = {}
        self._names: dict[tuple[str, Omission], list[str]] = {}

    def add(self, kind: str, omission: Omission, name: str) -> None:
        """Count one file or folder, by its name as it is shown."""
        key = (kind, omission)
        self._counts[key] = self._counts.get(key, 0) + 1
        names = self._names.setdefault(key, [])
        if len(names) < NAMES_MAX:
            names.append(name)

    @property
    def count(self) -> int:
        """How many there are in all."""
        return sum(self._counts.values())

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what there is by kind and reason, the most frequent first."""
        found = [
            LeftOut(kind, omission, count, tuple(self._names[kind, omission]))
            for (kind, omission), count in self._counts.items()
        ]
        return tuple(sorted(found, key=lambda each: -each.count))


def left_out_line(left_out: Sequence[LeftOut]) -> str:
    """Return the line that says what was left out; empty where nothing was.

    What should have been readable comes first: no picture pushes a broken file out of the line.
    """
    ordered = sorted(left_out, key=lambda each: each.omission in _UNNAMED)
    parts = [str(each) for each in ordered[:PARTS_MAX]]
    others = sum(each.count for each in ordered[PARTS_MAX:])
    if others:
        parts.append(f"{others:,} others")
    return f"Left out: {', '.join(parts)}" if parts else ""


@dataclass(frozen=True, slots=True)
class KnowledgeRead:
    """What a task may know, and what of the paths that its user named it doesn't."""

    collection: str = ""
    """Id of a collection; empty for none."""
    files: int = 0
    """How many were read; 0 where no path was named, whatever was learned before."""
    left_out: tuple[LeftOut, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the FIXED object `knowledge` of ``--json``."""
        left_out = [
            {"kind": each.kind, "count": each.count, "reason": each.omission.value}
            for each in self.left_out
        ]
        return {"read": self.files, "left_out": left_out}
