"""What `fleetmind state` shows of documents and of their histories, as lines and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from cluster.cli.console import counted
from cluster.kernel.ids import NO_TASK
from cluster.kernel.state.attempts import Fate
from cluster.kernel.state.conflicts import Conflict, Sibling
from cluster.kernel.state.edits import (
    Deletion,
    Edit,
    EntryBody,
    FieldEdit,
    Resolution,
    Reversal,
    Seal,
    Withdrawal,
    to_plain,
)
from cluster.kernel.state.folding import Logged
from cluster.kernel.state.stamps import NOBODY, EditId, Stamp, Writer
from cluster.kernel.state.values import ABSENT, Slot, Value, canonical, canonical_text
from cluster.memory.state.host.document import Document, trusted_conflicts

SHOWN_CHARS = 60
"""How much of a value stands in a line; all of it is in the document, and in ``--json``."""
_KILOBYTE = 1_000
_FATES: Mapping[Fate, str] = {
    Fate.REPLACED: "withdrawn: its step was run again",
    Fate.REPEATED: "written twice, counts once",
    Fate.REVERSED: "reverted",
    Fate.IGNORED: "without effect",
}


def summary_lines(documents: Sequence[Document]) -> Iterator[str]:
    """Return a line for each document."""
    if not documents:
        yield "no state is shared yet"
        return
    width = max(len(each.name) for each in documents)
    for each in documents:
        yield f"{each.name:<{width}}  {_state_of(each)}"


def document_lines(document: Document) -> Iterator[str]:
    """Return a document: its fields as JSON, and what somebody has to decide."""
    yield f"{document.name}  {_state_of(document)}"
    yield json.dumps(dict(document.fields), ensure_ascii=False, indent=2, sort_keys=True)
    for conflict in trusted_conflicts(document):
        yield f"conflict in {place_of(conflict)}, to be decided:"
        for number, each in enumerate(conflict.siblings, 1):
            is_shown = " (shown meanwhile)" if number == 1 else ""
            yield f"  #{number} {short(each.value)}  {_by(each.writer)}{is_shown}"
        resolved = f"'{place_of(conflict)}=#1'"
        yield f"  decide it: fleetmind state {document.name} --resolve {resolved}"
    if document.fold.unknown:
        yield (
            f"shown without what only its program knows: {', '.join(sorted(document.fold.unknown))}"
        )


def _state_of(document: Document) -> str:
    conflicts = len(trusted_conflicts(document))
    size = len(canonical(dict(document.fields)))
    parts = [
        f"version {document.version}",
        counted(len(document.fields), "field"),
        *([counted(conflicts, "conflict")] if conflicts else []),
        f"{size / _KILOBYTE:.1f} kB",
        f"changed {_moment(document.fold.stamp)}",
    ]
    return ", ".join(parts)


def place_of(conflict: Conflict) -> str:
    """Return where a conflict is, as ``--resolve`` takes it: a field, or a key of it."""
    return conflict.field if conflict.key is None else f"{conflict.field}[{conflict.key}]"


def history_lines(history: Sequence[Logged], document: Document) -> Iterator[str]:
    """Return who has changed what, the oldest first."""
    open_ones = {
        each.writer.version: place_of(conflict)
        for conflict in trusted_conflicts(document)
        for each in conflict.siblings
    }
    for logged in history:
        version, body = logged.entry.version, logged.entry.body
        if isinstance(body, Seal):
            continue  # the store's own
        marks = [_FATES[logged.fate]] if logged.fate in _FATES else []
        if version in open_ones:
            marks.append(f"in conflict: {open_ones[version]}")
        marked = f"  ({'; '.join(marks)})" if marks else ""
        yield f"{version:>5}  {_author(body)}{marked}"
        yield from (f"       {each}" for each in _said(body))


def _author(body: EntryBody) -> str:
    match body:
        case Edit(id, stamp) | Resolution(id, stamp) | Reversal(id, stamp) | Deletion(id, stamp):
            return _by(Writer(stamp, 0, id.task, id.step))
        case Withdrawal(task, step):
            return f"step {step} of task {task} was run again"
    return "of a newer version"


def _said(body: EntryBody) -> Iterator[str]:
    """Return what an entry does, a line each."""
    match body:
        case Edit(fields=fields):
            for name in sorted(fields):
                yield from _changes(name, fields[name])
        case Resolution(field=field, key=key, value=value):
            yield f"decided {place_of(Conflict(field, key, ()))}: {short(value)}"
        case Reversal(version=version):
            yield f"reverted version {version}"
        case Deletion():
            yield "deleted the document"


def _changes(name: str, edit: FieldEdit) -> Iterator[str]:
    """Return what an edit has done to a field, as its author saw it."""
    delta = edit.delta
    match edit.policy, delta:
        case "by_key", {"base": dict(base), "new": dict(new)}:
            for key in sorted(base.keys() | new.keys()):
                was, now = base.get(key, ABSENT), new.get(key, ABSENT)
                yield f"{name}[{key}]: {_from_to(was, now)}"
        case "union", {"added": list(added), "removed": list(removed)}:
            yield f"{name}: {_items('+', added)}{_items('-', removed)}".rstrip()
        case "append", {"items": list(items)}:
            yield f"{name}: {_items('+', items)}".rstrip()
        case "text", {"base": str(text), "cut": [int(start), int(end)], "put": put}:
            yield f"{name}: {_from_to(text[start:end], put)}"
        case "total", {"base": None | int() | float() as base, "new": int() | float() as new}:
            yield f"{name}: {_from_to(base, new)} ({new - (base or 0):+})"
        case _, {"base": base, "new": new}:
            yield f"{name}: {_from_to(base, new)}"
        case _, {"new": new}:
            yield f"{name}: {short(new)}"
        case policy, _:
            yield f"{name}: changed by {policy}"


def _from_to(was: Slot, now: Slot) -> str:
    return short(now) if was is ABSENT else f"{short(was)} -> {short(now)}"


def _items(sign: str, items: Sequence[Value]) -> str:
    return "".join(f"{sign} {short(each)} " for each in items)


def short(slot: Slot) -> str:
    """Return a value on one line, with its end left out where it is long."""
    if slot is ABSENT:
        return "removed"
    text = canonical_text(slot)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 3]}..."


def _by(writer: Writer) -> str:
    if writer == NOBODY:
        return "by default"
    where = "a person" if writer.is_person else _step(writer)
    version = f", version {writer.version}" if writer.version else ""
    return f"{_moment(writer.stamp)} by {writer.stamp.author or 'nobody'}, {where}{version}"


def _step(writer: Writer) -> str:
    of_task = "" if writer.task == NO_TASK else f" of task {writer.task}"
    return f"step {writer.step}{of_task}"


def _moment(stamp: Stamp) -> str:
    moment = datetime.fromtimestamp(stamp.wall_ms / 1000, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def summary_to_json(document: Document) -> dict[str, object]:
    """Return what is known of a document without its fields."""
    return {
        "name": document.name,
        "version": document.version,
        "fields": sorted(document.fields),
        "conflicts": len(trusted_conflicts(document)),
        "size_bytes": len(canonical(dict(document.fields))),
        "changed_at": _utc(document.fold.stamp),
    }


def document_to_json(document: Document) -> dict[str, object]:
    """Return a document with its fields and its conflicts."""
    return {
        **summary_to_json(document),
        "fields": dict(document.fields),
        "conflicts": [_conflict_to_json(each) for each in trusted_conflicts(document)],
        "unknown": sorted(document.fold.unknown),
    }


def _conflict_to_json(conflict: Conflict) -> dict[str, object]:
    siblings = [_sibling_to_json(each) for each in conflict.siblings]
    return {"field": conflict.field, "key": conflict.key, "siblings": siblings}


def _sibling_to_json(sibling: Sibling) -> dict[str, object]:
    writer, value = sibling.writer, sibling.value
    return {
        "value": None if value is ABSENT else value,
        "is_removed": value is ABSENT,
        "version": writer.version,
        **_author_to_json(writer.stamp, writer.task, writer.step),
    }


def history_to_json(history: Sequence[Logged]) -> list[dict[str, object]]:
    """Return the entries as the log has them, and what became of each."""
    return [_logged_to_json(each) for each in history if not isinstance(each.entry.body, Seal)]


def _logged_to_json(logged: Logged) -> dict[str, object]:
    body = logged.entry.body
    told: dict[str, object] = {"version": logged.entry.version, "fate": logged.fate.value}
    match body:
        case (
            Edit(EditId() as id_, stamp)
            | Resolution(EditId() as id_, stamp)
            | Reversal(EditId() as id_, stamp)
            | Deletion(EditId() as id_, stamp)
        ):
            told |= _author_to_json(stamp, id_.task, id_.step)
    return {**told, "entry": to_plain(body)}


def _author_to_json(stamp: Stamp, task: str, step: str) -> dict[str, object]:
    return {"author": stamp.author, "at": _utc(stamp), "task": task, "step": step}


def _utc(stamp: Stamp) -> str:
    return datetime.fromtimestamp(stamp.wall_ms / 1000, UTC).isoformat(timespec="milliseconds")
