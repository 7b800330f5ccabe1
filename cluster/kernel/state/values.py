"""Plain values: what documents of shared state are made of. Pure.

None, bool, int, float (finite), str, list, and dict with text as keys. Values are shared between a
fold and its readers, so nobody changes one in place: a new value has new containers down to what
has changed, and `copied` makes one that may be edited. `1`, `1.0` and `True` are three values, as
they are in JSON; Python's `==` takes them for one, so it is `is_same` that compares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from enum import Enum
from itertools import compress
from operator import is_not
from typing import Any, TypeAlias

from cluster.kernel.errors import UsageError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"


class Absent(Enum):
    """The place of a value where there is none: a key that has been removed."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
Slot: TypeAlias = "Value | Absent"


DEPTH_MAX = 64
"""How many containers may lie in each other."""
INT_BITS_MAX = 1024
"""Far below where Python refuses to write a number (4,300 digits), so that sums stay below it."""

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)


def canonical(value: Value) -> bytes:
    """Return the one byte string of all equal values: JSON in UTF-8, with its keys sorted."""
    return canonical_text(value).encode()


def canonical_text(value: Value) -> str:
    """Return the same as text, which sorts as the bytes do."""
    return _ENCODER.encode(value)


def is_same(one: Value, other: Value) -> bool:
    """Say whether two values have equal canonical bytes, without making them."""
    if one is other:
        return True
    # The second half decides; the first is in C and rejects most of what differs.
    return one == other and _is_alike(one, other)


def _is_alike(one: Value, other: Value) -> bool:
    """Say whether two values that are equal for Python are so in their types too."""
    if type(one) is not type(other):
        return False
    # What is the same object needs no call: copies share their leaves.
    if isinstance(one, dict):
        assert isinstance(other, dict)
        pairs = ((value, other[key]) for key, value in one.items())
        return all(mine is theirs or _is_alike(mine, theirs) for mine, theirs in pairs)
    if isinstance(one, list):
        assert isinstance(other, list)
        both = zip(one, other, strict=True)
        return all(mine is theirs or _is_alike(mine, theirs) for mine, theirs in both)
    if isinstance(one, float):
        assert isinstance(other, float)
        return math.copysign(1.0, one) == math.copysign(1.0, other)  # 0.0 and -0.0
    return True


def copied(value: Value) -> Value:
    """Return an equal value that shares no container with this one."""
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [copied(each) for each in value]
    return value


def replaced(was: dict[str, Value], now: dict[str, Any]) -> list[str]:
    """Return the keys of a dict whose values are other objects than they were, or new."""
    keys, old = list(now), list(was)
    if keys[: len(old)] == old:
        # Nothing was removed: this compares in C, which takes a third of the time.
        return [*compress(old, map(is_not, was.values(), now.values())), *keys[len(old) :]]
    nothing = object()
    return [key for key in keys if was.get(key, nothing) is not now[key]]


def as_dict(value: Value) -> dict[str, Value]:
    """Return the value itself where it is a dict; raises `ValueError` where it is none."""
    if not isinstance(value, dict):
        raise ValueError(f"a dict was expected, not {value!r:.80}")  # noqa: TRY004 - data, no type
    return value


def checked(value: object) -> Value:
    """Return the value itself where it is a plain one, and raise `UsageError` where it is not."""
    _check(value, DEPTH_MAX)
    return value  # type: ignore[return-value]  # that it is one is what was checked


def _check(value: object, depth: int) -> None:
    kind = type(value)
    if kind is str:
        assert isinstance(value, str)
        _check_text(value)
    elif kind is dict or kind is list:
        assert isinstance(value, dict | list)
        _check_container(value, depth)
    elif kind is float:
        assert isinstance(value, float)
        if not math.isfinite(value):
            raise UsageError(f"shared state can't hold {value}: JSON has no such number")
    elif kind is int:
        assert isinstance(value, int)
        if value.bit_length() > INT_BITS_MAX:
            raise UsageError(f"shared state can't hold an integer of over {INT_BITS_MAX} bits")
    elif value is not None and kind is not bool:
        raise UsageError(f"shared state can't hold a {kind.__name__}: only what JSON can write")


def _check_container(value: dict[object, object] | list[object], depth: int) -> None:
    if depth == 0:
        raise UsageError(f"shared state can't hold more than {DEPTH_MAX} containers in each other")
    elements: Iterable[object] = value
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                raise UsageError(f"the keys of shared state are text, and {key!r} is none")
            _check_text(key)
        elements = value.values()
    for each in elements:
        # Most are plain text, which needs no call.
        if not (type(each) is str and each.isascii()):
            _check(each, depth - 1)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("shared state can't hold half a character (a lone surrogate)") from error
