"""A class of shared state, and an agent's host whose turns share documents of it."""

from __future__ import annotations

from typing import Annotated

from cluster.kernel.state.values import Value
from cluster.state import SharedState, merge


class Board(SharedState):
    facts: Annotated[dict[str, str], merge.by_key]
    said: Annotated[list[str], merge.append]
    spent: Annotated[int, merge.total]
    verdict: str = ""


def longer(base: Value, mine: Value, theirs: Value) -> Value:
    """Keep the longer of two words."""
    return max(mine, theirs, key=lambda word: len(str(word)))


class Longest(SharedState):
    word: Annotated[str, merge.by(longer)]


def torn(base: Value, mine: Value, theirs: Value) -> Value:
    """Merge nothing."""
    raise ZeroDivisionError("no way")


class Torn(SharedState):
    word: Annotated[str, merge.by(torn)]
    other: Annotated[str, merge.by(torn)]


class Rates(SharedState, scope="cluster"):
    known: Annotated[dict[str, int], merge.by_key]
