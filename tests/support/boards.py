"""A class of shared state with a field for each way of merging, and a log that folds its edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import Edit, Entry, FieldEdit
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.merging import CannotMerge
from cluster.kernel.state.stamps import EditId, Stamp
from cluster.kernel.state.values import Value
from cluster.state import SharedState, merge
from cluster.state.editing import policies_of


class Fact(BaseModel):
    """A model within a document, as plain as any."""

    text: str
    votes: list[int] = []


def longer(base: Value, mine: Value, theirs: Value) -> Value:
    """Merge two titles: the longer one."""
    del base
    if not isinstance(mine, str) or not isinstance(theirs, str) or len(mine) == len(theirs):
        raise CannotMerge
    return max(mine, theirs, key=len)


class Board(SharedState):
    """A field for each way of merging; none has a default."""

    facts: Annotated[dict[str, Fact], merge.by_key]
    tags: Annotated[set[str], merge.union]
    log: Annotated[list[str], merge.append]
    draft: Annotated[str, merge.text]
    spent: Annotated[int, merge.total]
    best: Annotated[float | None, merge.maximum]
    status: Annotated[str, merge.latest]
    verdict: Annotated[str | None, merge.siblings]
    title: Annotated[str, merge.by(longer)]
    note: str


class BoardLog:
    """One document, and the writers who edit it."""

    def __init__(self, state: type[SharedState] = Board) -> None:
        self.fold = Fold(policies=policies_of(state))

    @property
    def fields(self) -> Mapping[str, Value]:
        """The document's."""
        return self.fold.fields

    def append(self, writer: str, edits: Mapping[str, FieldEdit], base: int | None = None) -> None:
        """Let a writer's edits be the next entry of the log."""
        version = self.fold.version + 1
        identity = EditId(TaskId("t"), StepId(writer), 1, version)
        seen = self.fold.version if base is None else base
        edit = Edit(identity, Stamp(version, 0, writer), seen, edits)
        self.fold.extend([Entry(version, edit)])


def changed(model: Any, **values: object) -> None:
    """Assign some fields, past what a checker would say."""
    for name, value in values.items():
        setattr(model, name, value)
