"""The eight ways of merging a field, by the names that programs and edits call them. Pure.

`by_key` for dicts, `union` for lists without an order, `append` for lists that grow, `text` for
what is written line by line, `total` and `maximum` for numbers, `latest` for what is overwritten,
`siblings` for what somebody has to decide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cluster.kernel.errors import UsageError
from cluster.kernel.state.merging import (
    CannotMerge,
    Clash,
    FieldDelta,
    Merged,
    Policy,
    Rank,
)
from cluster.kernel.state.text_merge import merged
from cluster.kernel.state.values import (
    ABSENT,
    Slot,
    Value,
    canonical_text,
    checked,
    is_same,
    replaced,
)


def _part(delta: FieldDelta, name: str) -> Value:
    if name not in delta:
        raise CannotMerge(f"the delta has no {name!r}")
    return delta[name]


def _list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise CannotMerge("the delta should have a list")
    return value


def _refused(current: Value, mine: Slot) -> Merged:
    """Keep a value that can't have the delta merged in, and what the edit wanted beside it."""
    return Merged(current, (Clash(None, mine),), is_written=False)


class ByKey:
    """Each key merges by itself, its value as a whole; a removal is a change as any other."""

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        """Return what has changed, of a dict or of None."""
        old, new = _entries(base), _entries(mine)
        touched: dict[str, Slot] = {key: new[key] for key in replaced(old, new)}
        if len(new) < len(old) + sum(key not in old for key in touched):
            touched |= dict.fromkeys(old.keys() - new.keys(), ABSENT)
        delta = self.difference_at(old, touched)
        return {"base": {}, "new": {}} if delta is None and base is None else delta

    def difference_at(
        self, base: dict[str, Value], touched: Mapping[str, Slot]
    ) -> FieldDelta | None:
        """Return the same where it is known which keys may have changed: no others are looked at.

        Args:
            base: the dict as it was.
            touched: what these keys have now.
        """
        seen: dict[str, Value] = {}
        new: dict[str, Value] = {}
        for key, mine in touched.items():
            was = base.get(key, ABSENT)
            if _is_same_slot(was, mine):
                continue
            if was is not ABSENT:
                seen[key] = was
            if mine is not ABSENT:
                new[key] = checked(mine, was)
        return {"base": seen, "new": new} if seen or new else None

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        """Merge key by key."""
        del rank
        base, new = delta.get("base"), delta.get("new")
        if not (isinstance(base, dict) and isinstance(new, dict)):
            raise CannotMerge("the delta should have two dicts")
        if current is not None and not isinstance(current, dict):
            return _refused(current, new)
        value = {} if current is None else current.copy()
        clashes, keys = [], []
        # Sorted: the order of keys is no part of the value, and whoever goes through them sees it.
        for key in sorted({*base, *new}):
            mine, seen, now = new.get(key, ABSENT), base.get(key, ABSENT), value.get(key, ABSENT)
            if now is mine or _is_same_slot(now, mine):
                continue
            if not (now is seen or _is_same_slot(now, seen)):
                clashes.append(Clash(key, mine))
                continue
            keys.append(key)
            if mine is ABSENT:
                del value[key]
            else:
                value[key] = mine
        return Merged(value, tuple(clashes), tuple(keys))


def _entries(value: Value) -> dict[str, Value]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"by_key merges dicts, and this is a {type(value).__name__}")
    return value


def _is_same_slot(one: Slot, other: Slot) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return is_same(one, other)


class _Union:
    """A list without an order or duplicates; adding what is removed at the same time adds it."""

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        if base is mine:
            return None
        old, new = _by_text(_items(base, "union")), _by_text(_items(mine, "union"))
        added = [checked(new[text]) for text in sorted(new.keys() - old.keys())]
        removed = [old[text] for text in sorted(old.keys() - new.keys())]
        if not (added or removed or base is None):
            return None
        return {"added": added, "removed": removed}

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        del rank
        added, removed = _list(_part(delta, "added")), _list(_part(delta, "removed"))
        if current is not None and not isinstance(current, list):
            return _refused(current, added)
        elements = _by_text(current or [])
        for each in removed:
            elements.pop(canonical_text(each), None)
        elements.update(_by_text(added))
        return Merged([elements[text] for text in sorted(elements)])


def _by_text(elements: list[Value]) -> dict[str, Value]:
    return {canonical_text(each): each for each in elements}


def _items(value: Value, name: str) -> list[Value]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise UsageError(f"{name} merges lists, and this is a {type(value).__name__}")
    return value


class _Append:
    """A list that only grows, in the order of the log; equal items of two edits both count."""

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        if base is mine:
            return None
        old, new = _items(base, "append"), _items(mine, "append")
        if not is_same(new[: len(old)], old):
            raise UsageError("a list that merges by append may only grow at its end")
        if len(old) == len(new) and base is not None:
            return None
        return {"items": [checked(each) for each in new[len(old) :]]}

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        del rank
        items = _list(_part(delta, "items"))
        if current is not None and not isinstance(current, list):
            return _refused(current, items)
        return Merged([*(current or []), *items])


class _Text:
    """A three-way merge by lines; the delta is the base and the one stretch that differs."""

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        old, new = _written(base), _written(mine)
        if old == new and base is not None:
            return None
        checked(new)
        start = _common(old, new)
        tail = min(_common(old[::-1], new[::-1]), min(len(old), len(new)) - start)
        end = len(old) - tail
        return {"base": old, "cut": [start, end], "put": new[start : len(new) - tail]}

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        del rank
        match delta:
            case {"base": str(base), "cut": [int(start), int(end)], "put": str(put)}:
                mine = f"{base[:start]}{put}{base[end:]}"
            case _:
                raise CannotMerge("the delta should have a base, a cut and what to put there")
        if current is not None and not isinstance(current, str):
            return _refused(current, mine)
        made = merged(base, mine, current or "")
        return _refused(current, mine) if made.is_conflicting else Merged(made.text)


def _written(value: Value) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"text merges text, and this is a {type(value).__name__}")
    return value


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common, by bisection: slices compare in C."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class _Total:
    """A sum: the increments of all edits add up.

    The delta has both ends and not their distance, since of floats `base + (new - base)` may miss
    `new` by its last bit.
    """

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        if is_same(base, mine):
            return None
        checked(mine)
        if type(base) is type(mine) is int:
            return {"base": base, "new": mine}
        if not (base is None or _is_number(base)) or not _is_number(mine):
            raise UsageError("total merges numbers")
        return {"base": base, "new": mine}

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        del rank
        base, new = _part(delta, "base"), _part(delta, "new")
        if type(current) is type(base) is type(new) is int:
            return Merged(current + new - base)
        if is_same(current, base):
            return Merged(new)
        try:
            total = _number(current) + (_number(new) - _number(base))
        except (CannotMerge, OverflowError):
            return _refused(current, new)
        # `math.isfinite` of an integer that no float can hold raises.
        if isinstance(total, float) and not math.isfinite(total):
            return _refused(current, new)
        return Merged(total)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Value) -> int | float:
    if value is None:
        return 0
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise CannotMerge("a total is a number")
    return value


class _Maximum:
    """The largest number, or the last of texts in their order; to lower one changes nothing."""

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        checked(mine)
        if not _is_comparable(base, mine):
            raise UsageError("maximum merges numbers, or text, and not one with the other")
        return {"new": mine} if _is_above(mine, base) else None

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        del rank
        new = _part(delta, "new")
        if not _is_comparable(current, new):
            return _refused(current, new)
        return Merged(new) if _is_above(new, current) else Merged(current, is_written=False)


def _is_comparable(one: Value, other: Value) -> bool:
    given = [each for each in (one, other) if each is not None]
    return all(isinstance(each, str) for each in given) or all(map(_is_number, given))


def _is_above(one: Value, other: Value) -> bool:
    """Compare what is comparable; None is below all, and of 1 and 1.0 one is above the other."""
    if one is None or other is None:
        return one is not None
    if one == other:
        return canonical_text(one) > canonical_text(other)
    return one > other  # type: ignore[operator]  # comparable, as the caller has seen


class _Latest:
    """The later stamp wins, unless an agent's would undo a person's without having seen it."""

    is_ranked = True

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        return None if is_same(base, mine) else {"new": checked(mine)}

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        new = _part(delta, "new")
        if rank is Rank.DISPUTED and not is_same(current, new):
            return _refused(current, new)
        if rank is Rank.EARLIER:
            return Merged(current, is_written=False)
        return Merged(new)


class _Siblings:
    """Only one may change it at a time: what two have changed differently, somebody decides."""

    is_ranked = False

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        return None if is_same(base, mine) else {"base": base, "new": checked(mine)}

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        del rank
        base, new = _part(delta, "base"), _part(delta, "new")
        if is_same(current, base):
            return Merged(new)
        return (
            Merged(current, is_written=False) if is_same(current, new) else _refused(current, new)
        )


BY_KEY: Final = ByKey()
SIBLINGS: Policy = _Siblings()
"""Also what an unknown policy's edits merge by: it needs to know nothing, and loses nothing."""
POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "by_key": BY_KEY,
        "union": _Union(),
        "append": _Append(),
        "text": _Text(),
        "total": _Total(),
        "maximum": _Maximum(),
        "latest": _Latest(),
        "siblings": SIBLINGS,
    }
)
