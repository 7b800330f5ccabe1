"""Plain values: what documents of shared state are made of. Pure.

None, bool, int, float (finite), str, list, and dict with text as keys. Values are shared between a
fold and its readers, so nobody changes one in place: a new value has new containers down to what
has changed, and `copied` makes one that may be edited. `1`, `1.0` and `True` are three values, as
they are in JSON; Python's `==` takes them for one, so it is `is_same` that compares.
"""

from __future__ import annotations

import json
import marshal
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
_SMALL = 1 << 60

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)


def canonical(value: Value) -> bytes:
    """Return the one byte string of all equal values: JSON in UTF-8, with its keys sorted."""
    return canonical_text(value).encode()


def canonical_text(value: Value) -> str:
    """Return the same as text, which sorts as the bytes do."""
    return _ENCODER.encode(value)


_EACH_IN_FULL = 2
"""The last format of marshal that says an object again where it stands twice."""


def is_same(one: Value, other: Value) -> bool:
    """Say whether two values have equal canonical bytes, without making them."""
    if one is other:
        return True
    # The last part decides; what is before it is in C, and finds most of what differs, or doesn't.
    return one == other and (_has_equal_bytes(one, other) or _is_alike(one, other))


def _has_equal_bytes(one: Value, other: Value) -> bool:
    """Say whether two values are the same to the types and the order of all their parts."""
    if type(one) is not dict and type(one) is not list:
        return False
    try:
        return marshal.dumps(one, _EACH_IN_FULL) == marshal.dumps(other, _EACH_IN_FULL)
    except ValueError:
        return False  # no plain values, or too deep


def _is_alike(one: Value, other: Value) -> bool:
    """Say whether two values that are equal for Python are so in their types too."""
    if type(one) is not type(other):
        return False
    pairs: Iterable[tuple[Value, Value]] = ()
    if isinstance(one, dict):
        assert isinstance(other, dict)
        pairs = zip(one.values(), map(other.__getitem__, one), strict=True)
    elif isinstance(one, list):
        assert isinstance(other, list)
        pairs = zip(one, other, strict=True)
    elif isinstance(one, float):
        assert isinstance(other, float)
        return math.copysign(1.0, one) == math.copysign(1.0, other)  # 0.0 and -0.0
    for mine, theirs in pairs:
        # What is the same object needs no call, and what is equal and of one type, mostly none.
        if mine is theirs or (type(mine) is type(theirs) and type(mine) in _EXACT):
            continue
        if not _is_alike(mine, theirs):
            return False
    return True


_EXACT = frozenset([str, int, bool])
"""Of these, what is equal and of one type has equal canonical bytes."""


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


def checked(value: object, was: object = ABSENT) -> Value:
    """Return the value itself where it is a plain one, and raise `UsageError` where it is not.

    Args:
        value: what is to be one.
        was: what it has been made from and was checked before: what is equal in both is not looked
            at again, since an edit changes little of a large value.
    """
    _check_beside(was, value, DEPTH_MAX)
    return value  # type: ignore[return-value]  # that it is one is what was checked


def _check_beside(was: object, now: object, depth: int) -> None:
    if type(was) is not type(now):
        _check(now, depth)
    elif isinstance(was, dict) and isinstance(now, dict):
        for key, each in now.items():
            if key not in was:
                _check_container({key: each}, depth)
            elif each != was[key]:
                _check_beside(was[key], each, depth - 1)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for one, each in zip(was, now, strict=True):
            if each != one:
                _check_beside(one, each, depth - 1)
    else:
        _check(now, depth)


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
            if not key.isascii():
                _check_text(key)
        elements = value.values()
    for each in elements:
        kind = type(each)
        # What nearly all elements are needs no call.
        if not (
            (kind is str and each.isascii())  # type: ignore[attr-defined]  # it is text
            or (kind is int and -_SMALL < each < _SMALL)  # type: ignore[operator]  # a number
            or kind is bool
        ):
            _check(each, depth - 1)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("shared state can't hold half a character (a lone surrogate)") from error
