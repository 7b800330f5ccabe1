"""A document at one version, whole: what a snapshot of it holds. Pure.

Beside the fields it has what later entries will be merged by: who wrote which place, what is in
conflict, and which attempts at steps are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.kernel.state.attempts import Attempts
from cluster.kernel.state.conflicts import (
    Conflict,
    FieldPlace,
    conflict_from_plain,
    conflict_to_plain,
    place_order,
)
from cluster.kernel.state.stamps import Writer, writer_from_plain, writer_to_plain
from cluster.kernel.state.values import Value, as_dict


@dataclass(frozen=True, slots=True)
class Folded:
    """What the entries up to a version have made; nobody changes what it holds."""

    version: int = 0
    fields: Mapping[str, Value] = field(default_factory=dict)
    """Those that were written, whether or not this program has them."""
    writers: Mapping[FieldPlace, Writer] = field(default_factory=dict)
    conflicts: Mapping[FieldPlace, Conflict] = field(default_factory=dict)
    attempts: Attempts = field(default_factory=Attempts)
    is_deleted: bool = False

    def to_plain(self) -> Value:
        """Return it as a plain value; equal logs have equal canonical bytes."""
        # An edit writes several places: each writer stands there once.
        numbers: dict[Writer, int] = {}
        places: list[Value] = [
            [name, key, numbers.setdefault(self.writers[name, key], len(numbers))]
            for name, key in sorted(self.writers, key=place_order)
        ]
        conflicts = [self.conflicts[place] for place in sorted(self.conflicts, key=place_order)]
        return {
            "version": self.version,
            "fields": dict(self.fields),
            "writers": [[*writer_to_plain(each)] for each in numbers],
            "places": places,
            "conflicts": [conflict_to_plain(each) for each in conflicts],
            "attempts": self.attempts.to_plain(),
            "deleted": self.is_deleted,
        }

    @classmethod
    def from_plain(cls, plain: Value) -> Folded:
        """Read it; raises `ValueError` where it is damaged."""
        match plain:
            case {
                "version": int(version),
                "fields": dict(),
                "writers": list(writers),
                "places": list(places),
                "conflicts": list(conflicts),
                "attempts": attempts,
                "deleted": bool(is_deleted),
            }:
                known = [writer_from_plain(each) for each in writers]
                open_ones = [conflict_from_plain(each) for each in conflicts]
                return cls(
                    version,
                    as_dict(as_dict(plain)["fields"]),
                    dict(_written(each, known) for each in places),
                    {(each.field, each.key): each for each in open_ones},
                    Attempts.from_plain(attempts),
                    is_deleted,
                )
        raise ValueError(f"no snapshot of a document: {plain!r:.80}")


EMPTY = Folded()
"""A document that nobody has written."""


def _written(plain: Value, writers: list[Writer]) -> tuple[FieldPlace, Writer]:
    match plain:
        case [str(name), None | str() as key, int(number)] if 0 <= number < len(writers):
            return (name, key), writers[number]
    raise ValueError(f"not a place of a document: {plain!r:.80}")
