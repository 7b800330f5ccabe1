"""A class of shared state, and an agent's host whose turns share documents of it."""

from __future__ import annotations

from typing import Annotated

from cluster.state import SharedState, merge


class Board(SharedState):
    facts: Annotated[dict[str, str], merge.by_key]
    said: Annotated[list[str], merge.append]
    spent: Annotated[int, merge.total]
    verdict: str = ""


class Rates(SharedState, scope="cluster"):
    known: Annotated[dict[str, int], merge.by_key]
