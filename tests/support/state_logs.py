"""Edits and logs of shared state."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import Edit, Entry, EntryBody, FieldEdit
from cluster.kernel.state.own_policies import Policies
from cluster.kernel.state.stamps import EditId, Stamp
from cluster.kernel.state.values import Value


def edit_id(step: str, ordinal: int = 1, *, generation: int = 1) -> EditId:
    return EditId(TaskId("t"), StepId(step), generation, ordinal)


def stamp(wall_ms: int, author: str = "researcher-0") -> Stamp:
    return Stamp(wall_ms, 0, author)


def make_field(policy: str, base: Value, mine: Value, default: Value = None) -> FieldEdit:
    """What an edit does to a field that its author has changed."""
    found = Policies().find(policy)
    assert found is not None
    delta = found.difference(base, mine)
    assert delta is not None, "nothing was changed"
    return FieldEdit(policy, delta, default)


def make_edit(
    made_by: EditId, base_version: int = 0, *, wall_ms: int = 1, **fields: FieldEdit
) -> Edit:
    return Edit(made_by, stamp(wall_ms, made_by.step), base_version, fields)


def log(*bodies: EntryBody, after: int = 0) -> Sequence[Entry]:
    """Entries in order, with the versions that the store would give them."""
    return [Entry(version, body) for version, body in enumerate(bodies, after + 1)]
