"""Conflicts: values of one place of a document between which somebody has to decide. Pure.

The first sibling is what the place shows meanwhile: what came first in the log, with what has been
merged into it since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from cluster.kernel.state.stamps import Writer, writer_from_plain, writer_to_plain
from cluster.kernel.state.values import ABSENT, Slot, Value, as_dict, is_same

FieldPlace: TypeAlias = tuple[str, str | None]
"""A field, and the key of its dict where it merges by key."""


def place_order(place: FieldPlace) -> tuple[str, bool, str]:
    """Sort places; a key of None is no text, and comes first."""
    name, key = place
    return name, key is not None, key or ""


@dataclass(frozen=True, slots=True)
class Sibling:
    """One of the values of a conflict, and who wants it; ABSENT is a removed key."""

    value: Slot
    writer: Writer


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two siblings or more, of different values and, but for the first, of different steps."""

    field: str
    key: str | None
    siblings: tuple[Sibling, ...]


def conflict_of(place: FieldPlace, siblings: Iterable[Sibling]) -> Conflict | None:
    """Return the conflict between some values, the first of which shows; None for one value.

    A step's later value replaces its earlier one: it was made from it.
    """
    shown, *others = siblings
    kept: list[Sibling] = []
    for other in others:
        kept = [each for each in kept if not _is_of_one_step(each.writer, other.writer)]
        kept.append(other)
    different = [shown]
    for other in kept:
        if not any(_is_equal(each.value, other.value) for each in different):
            different.append(other)
    return Conflict(*place, tuple(different)) if len(different) > 1 else None


def _is_of_one_step(one: Writer, other: Writer) -> bool:
    return (one.task, one.step) == (other.task, other.step)


def _is_equal(one: Slot, other: Slot) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return is_same(one, other)


def conflict_to_plain(conflict: Conflict) -> Value:
    """Return a conflict as a plain value."""
    siblings: list[Value] = [
        {"writer": [*writer_to_plain(each.writer)]}
        if each.value is ABSENT
        else {"writer": [*writer_to_plain(each.writer)], "value": each.value}
        for each in conflict.siblings
    ]
    return {"field": conflict.field, "key": conflict.key, "siblings": siblings}


def conflict_from_plain(plain: Value) -> Conflict:
    """Read a conflict; raises `ValueError` where it is none."""
    match plain:
        case {"field": str(field), "key": None | str() as key, "siblings": [_, _, *_] as siblings}:
            return Conflict(field, key, tuple(_sibling(each) for each in siblings))
    raise ValueError(f"not a conflict: {plain!r:.80}")


def _sibling(plain: Value) -> Sibling:
    match plain:
        case {"writer": writer}:
            return Sibling(as_dict(plain).get("value", ABSENT), writer_from_plain(writer))
    raise ValueError(f"not a sibling: {plain!r:.80}")
