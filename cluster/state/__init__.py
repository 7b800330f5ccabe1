"""Shared state as programs declare it: models whose fields say how concurrent edits become one.

from cluster.state import SharedState, merge

class Board(SharedState):
    facts: Annotated[dict[str, Fact], merge.by_key]
    spent: Annotated[int, merge.total]

Pure: what is done with a model becomes edits of a log, which others carry and fold.
"""

from __future__ import annotations

from cluster.kernel.state.merging import CannotMerge
from cluster.state import merge
from cluster.state.shared_state import SharedState

__all__ = ["CannotMerge", "SharedState", "merge"]
