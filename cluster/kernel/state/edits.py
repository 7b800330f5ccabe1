"""What stands in the log of a document: edits, and what is said about edits. Pure.

`to_plain` and `from_plain` make plain values of the entries and back, for whoever stores them. A
kind of entry that a newer version of Fleetmind has brought is kept as `Unread`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.merging import FieldDelta
from cluster.kernel.state.stamps import EditId, Stamp
from cluster.kernel.state.values import ABSENT, Slot, Value, as_dict


@dataclass(slots=True)
class FieldEdit:
    """What an edit does to one field, by the policy that the field had in the writer's program.

    Nobody changes one, nor an `Edit` or an `Entry`: frozen they would take three times as long to
    make, and every reader makes one of each.
    """

    policy: str
    delta: FieldDelta
    default: Value = None
    """What the field is while it has not been written, in the writer's program; each edit says it,
    because any other one may be undone."""


@dataclass(slots=True)
class Edit:
    """Changes of some fields; the stamp names the author."""

    id: EditId
    stamp: Stamp
    base_version: int
    """Up to where its author had seen the log, but for what their own step has written."""
    fields: Mapping[str, FieldEdit]


@dataclass(frozen=True, slots=True)
class Resolution:
    """Decides a conflict as its author saw it; siblings that came later stay."""

    id: EditId
    stamp: Stamp
    base_version: int
    field: str
    key: str | None
    value: Slot
    """ABSENT removes the key."""


@dataclass(frozen=True, slots=True)
class Reversal:
    """Undoes one entry of the log: an edit, a resolution, a deletion, or a reversal of these."""

    id: EditId
    stamp: Stamp
    version: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes the document."""

    id: EditId
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Undoes all edits of attempts at a step before a generation: the step is run again."""

    task: TaskId
    step: StepId
    before_generation: int


@dataclass(frozen=True, slots=True)
class Seal:
    """Nothing up to this version can be undone from now on, so that a snapshot may replace it.

    It stands in the log, since all readers must agree on what a later reversal or withdrawal still
    reaches, those that begin with the snapshot too.
    """

    up_to: int


@dataclass(frozen=True, slots=True)
class Unread:
    """An entry of a kind that this version doesn't know, as it is."""

    kind: str
    plain: Value


Authored: TypeAlias = Edit | Resolution | Reversal | Deletion
"""What somebody did, once whatever is redone."""
EntryBody: TypeAlias = Authored | Withdrawal | Seal | Unread


@dataclass(slots=True)
class Entry:
    """One entry of a log; versions count from 1 without a gap."""

    version: int
    body: EntryBody


def to_plain(body: EntryBody) -> Value:
    """Return the body of an entry as a plain value, which shares its parts with it."""
    match body:
        case Withdrawal(task, step, generation):
            return {"type": "withdrawal", "task": task, "step": step, "before": generation}
        case Seal(up_to):
            return {"type": "seal", "up_to": up_to}
        case Unread(plain=unread):
            return unread
    kind, plain = _authored_to_plain(body)
    return {"type": kind, "id": [*body.id], "stamp": [*body.stamp], **plain}


def _authored_to_plain(body: Authored) -> tuple[str, dict[str, Value]]:
    """Return the kind of an entry, and what it has beside its identity and its stamp."""
    match body:
        case Edit(base_version=base, fields=fields):
            changed = {name: _field_to_plain(field) for name, field in fields.items()}
            return "edit", {"base": base, "fields": changed}
        case Resolution(base_version=base, field=field, key=key, value=value):
            plain: dict[str, Value] = {"base": base, "field": field, "key": key}
            return "resolution", plain if value is ABSENT else {**plain, "value": value}
        case Reversal(version=version):
            return "reversal", {"version": version}
        case Deletion():
            return "deletion", {}


def _field_to_plain(edit: FieldEdit) -> Value:
    plain: dict[str, Value] = {"policy": edit.policy, "delta": edit.delta}
    return plain if edit.default is None else {**plain, "default": edit.default}


def from_plain(plain: Value) -> EntryBody:
    """Read the body of an entry; raises `ValueError` where it is damaged."""
    if isinstance(plain, dict) and plain.get("type") == "edit":
        return _edit(plain)  # what nearly all are: a pattern would take twice as long
    match plain:
        case {"type": str(kind), "id": identity, "stamp": stamp} if kind in _AUTHORED:
            return _authored(kind, _id(identity), _stamp(stamp), as_dict(plain))
        case {"type": "withdrawal", "task": str(task), "step": str(step), "before": int(before)}:
            return Withdrawal(TaskId(task), StepId(step), before)
        case {"type": "seal", "up_to": int(up_to)}:
            return Seal(up_to)
        case {"type": str(kind)} if kind not in _KINDS:
            return Unread(kind, plain)
    raise _damaged(plain)


_AUTHORED = frozenset(["edit", "resolution", "reversal", "deletion"])
_KINDS = _AUTHORED | {"withdrawal", "seal"}


def _edit(plain: dict[str, Value]) -> Edit:
    seen, edited = plain.get("base"), plain.get("fields")
    if not (isinstance(seen, int) and isinstance(edited, dict)):
        raise _damaged(plain)
    changed = {name: _field(each) for name, each in edited.items()}
    return Edit(_id(plain.get("id")), _stamp(plain.get("stamp")), seen, changed)


def _authored(kind: str, identity: EditId, stamp: Stamp, rest: dict[str, Value]) -> Authored:
    match kind, rest:
        case "resolution", {"base": int(base), "field": str(field), "key": None | str() as key}:
            value = rest.get("value", ABSENT)
            return Resolution(identity, stamp, base, field, key=key, value=value)
        case "reversal", {"version": int(version)}:
            return Reversal(identity, stamp, version)
        case "deletion", _:
            return Deletion(identity, stamp)
    raise _damaged(rest)


def _field(plain: Value) -> FieldEdit:
    if isinstance(plain, dict):
        policy, delta = plain.get("policy"), plain.get("delta")
        if isinstance(policy, str) and isinstance(delta, dict):
            return FieldEdit(policy, delta, plain.get("default"))
    raise _damaged(plain)


# Every reader makes one of each entry: patterns of lists would take three times as long.
def _id(plain: Value) -> EditId:
    if isinstance(plain, list) and len(plain) == len(EditId._fields):
        task, step, generation, ordinal = plain
        if not (isinstance(task, str) and isinstance(step, str)):
            raise _damaged(plain)
        if isinstance(generation, int) and isinstance(ordinal, int):
            return EditId(TaskId(task), StepId(step), generation, ordinal)
    raise _damaged(plain)


def _stamp(plain: Value) -> Stamp:
    if isinstance(plain, list) and len(plain) == len(Stamp._fields):
        wall_ms, counter, author = plain
        if isinstance(wall_ms, int) and isinstance(counter, int) and isinstance(author, str):
            return Stamp(wall_ms, counter, author)
    raise _damaged(plain)


def _damaged(plain: Value) -> ValueError:
    return ValueError(f"no entry of a document's log: {plain!r:.80}")
