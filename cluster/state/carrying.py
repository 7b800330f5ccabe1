"""Keeps what a program doesn't know of a value that it edits. Pure.

A program of another version may have put fields into a nested model that this program's class
doesn't have: the class drops them on reading, and writing the rest back must not remove them.
"""

from __future__ import annotations

from cluster.kernel.state.values import Value, canonical_text, is_same


def carried(old: Value, seen: Value, new: Value) -> Value:
    """Return a new value with what the program never saw of the old one.

    Args:
        old: the value as others wrote it.
        seen: what the program's class made of it.
        new: what the program made of that.

    Parts that are the same as in `seen` are the very objects of `old`, which whoever compares them
    with it next finds out at once.
    """
    if is_same(seen, new):
        return old
    if isinstance(old, dict) and isinstance(seen, dict) and isinstance(new, dict):
        unknown = {key: each for key, each in old.items() if key not in seen}
        return unknown | {
            key: carried(old[key], seen[key], each) if key in old and key in seen else each
            for key, each in new.items()
        }
    if isinstance(old, list) and isinstance(seen, list) and isinstance(new, list):
        return _carried_list(old, seen, new)
    return new


def _carried_list(old: list[Value], seen: list[Value], new: list[Value]) -> list[Value]:
    if is_same(old, seen) or len(old) != len(seen):
        return new
    if len(new) == len(seen):
        return [carried(*each) for each in zip(old, seen, new, strict=True)]
    # Something was added or removed: what is still there is found by what it looks like.
    found = {canonical_text(each): was for each, was in zip(seen, old, strict=True)}
    return [found.get(canonical_text(each), each) for each in new]
