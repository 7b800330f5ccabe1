"""What stands in the log of a document, kept apart from the store, and which of it counts.

Which entries count is worked out here anew, and slowly, from what `docs/memory.md` says; what the
entries come to at each version is what a fold says that has read them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import Edit, Entry, Resolution, Reversal, Seal, Withdrawal
from cluster.kernel.state.folded import Folded
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import Value
from cluster.memory.state.entries import LogEntry
from cluster.memory.state.host.codec import unpacked
from tests.simulation.state.board import mark_of, worth

StepName = tuple[TaskId, StepId]


@dataclass(slots=True)
class Book:
    """A document from its first edit until it is deleted or expires."""

    name: str
    incarnation: int
    entries: list[Entry] = field(default_factory=list)
    marks: dict[str, Edit] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """Of the marks."""
    repeated: list[int] = field(default_factory=list)
    """Versions at which an edit stands that stands in the log before."""
    _fold: Fold = field(default_factory=Fold)
    _folded: dict[int, Folded] = field(default_factory=dict)
    _known: set[object] = field(default_factory=set)

    @property
    def version(self) -> int:
        """How far it came."""
        return len(self.entries)

    def add(self, logged: LogEntry) -> Entry:
        """Take what was appended; a gap leaves the fold behind for ever."""
        entry = unpacked(self.name, logged)
        self.entries.append(entry)
        self._fold.extend([entry])
        self._folded[self._fold.version] = self._fold.folded()
        identity = getattr(entry.body, "id", None)
        if identity is not None and identity in self._known:
            self.repeated.append(entry.version)
        self._known.add(identity)
        if isinstance(entry.body, Edit):
            self.marks[mark_of(entry.body)] = entry.body
            self.versions[mark_of(entry.body)] = entry.version
        return entry

    def folded(self, version: int) -> Folded | None:
        """Return the document as it was at a version."""
        return self._folded.get(version) if version else Folded()

    def counting(self) -> list[Entry]:
        """Return the edits and resolutions that count, in their order."""
        latest: dict[StepName, int] = {}
        for entry in self.entries:
            for step, generation in _generations(entry):
                latest[step] = max(generation, latest.get(step, 0))
        mine = [each for each in self.entries if _is_of_latest(each, latest)]
        reversed_ones = self._reversed(mine)
        return [
            each
            for each in mine
            if isinstance(each.body, Edit | Resolution) and each.version not in reversed_ones
        ]

    def undone(self) -> set[str]:
        """Return the marks that somebody has undone on purpose."""
        targets = {e.body.version for e in self.entries if isinstance(e.body, Reversal)}
        return {mark for mark, version in self.versions.items() if version in targets}

    def generation_of(self, mark: str) -> int:
        """Return which attempt has left a mark; 0 where it isn't here."""
        return self.marks[mark].id.generation if mark in self.marks else 0

    def step_of(self, mark: str) -> StepName:
        """Return the step that has left a mark."""
        return self.marks[mark].id.attempt_key

    def _reversed(self, mine: list[Entry]) -> set[int]:
        """Return what was undone, the last first: a reversal may be undone too."""
        undone: set[int] = set()
        for entry in reversed(mine):
            body = entry.body
            if not isinstance(body, Reversal) or entry.version in undone:
                continue
            if self._sealed_at(entry.version) < body.version < entry.version:
                undone.add(body.version)
        return undone

    def _sealed_at(self, version: int) -> int:
        seals = [e.body.up_to for e in self.entries[:version] if isinstance(e.body, Seal)]
        return max(seals, default=0)


def _generations(entry: Entry) -> list[tuple[StepName, int]]:
    body = entry.body
    if isinstance(body, Withdrawal):
        return [((body.task, body.step), body.before_generation)]
    if isinstance(body, Edit | Resolution | Reversal):
        return [((body.id.task, body.id.step), body.id.generation)]
    return []


def _is_of_latest(entry: Entry, latest: Mapping[StepName, int]) -> bool:
    body = entry.body
    if not isinstance(body, Edit | Resolution | Reversal):
        return False
    return body.id.generation == latest[body.id.task, body.id.step]


def marks_of(entries: list[Entry]) -> list[str]:
    """Return the marks of some entries, in their order."""
    return [mark_of(each.body) for each in entries if isinstance(each.body, Edit)]


def difference(fields: Mapping[str, Value], counting: list[Entry]) -> str:
    """Say in what a document is another one than its edits make; empty where it isn't."""
    marks = marks_of(counting)
    if fields.get("log", []) != marks:
        return f"shows the marks {fields.get('log')} where {marks} count"
    spent = sum(worth(mark) for mark in marks)
    if fields.get("spent", 0) != spent:
        return f"has spent {fields.get('spent')} where its marks are worth {spent}"
    return ""


def dropped(folded: Folded, counting: list[Entry]) -> list[str]:
    """Return the values of conflicting edits that nobody is shown and nobody has decided."""
    return [
        f"{value} of {place}"
        for place, value, entry in _wanted(counting)
        if not _is_accounted_for(place, value, entry, folded, counting)
    ]


Place = tuple[str, str | None]


def _wanted(counting: list[Entry]) -> list[tuple[Place, Value, Entry]]:
    """Return what edits have made of fields whose values can be in conflict."""
    return [
        (place, value, entry)
        for entry in counting
        if isinstance(entry.body, Edit)
        for place, value in _news(entry.body).items()
    ]


def _news(edit: Edit) -> dict[Place, Value]:
    news: dict[Place, Value] = {}
    if "verdict" in edit.fields:
        news["verdict", None] = edit.fields["verdict"].delta["new"]
    new = edit.fields["facts"].delta["new"] if "facts" in edit.fields else None
    for key, value in new.items() if isinstance(new, dict) else ():
        news["facts", key] = value
    return news


def _base(edit: Edit, place: Place) -> Value:
    """Return what an edit has replaced, as its author saw it."""
    name, key = place
    base = edit.fields[name].delta.get("base") if name in edit.fields else None
    return base.get(key or "") if key is not None and isinstance(base, dict) else base


def _is_accounted_for(
    place: Place, value: Value, entry: Entry, folded: Folded, counting: list[Entry]
) -> bool:
    name, key = place
    shown = folded.fields.get(name)
    if key is not None and isinstance(shown, dict):
        shown = shown.get(key)
    conflict = folded.conflicts.get(place)
    siblings = [each.value for each in conflict.siblings] if conflict else []
    return value in [shown, *siblings] or any(
        _has_decided(each, place, value, entry) for each in counting
    )


def _has_decided(later: Entry, place: Place, value: Value, entry: Entry) -> bool:
    """Say whether a later change of a place was made by who knew of an earlier one."""
    body, earlier = later.body, entry.body
    if later.version <= entry.version or not isinstance(earlier, Edit):
        return False
    if isinstance(body, Resolution):
        return (body.field, body.key) == place and body.base_version >= entry.version
    if not isinstance(body, Edit) or not _touches(body, place):
        return False
    is_same_step = (body.id.task, body.id.step) == (earlier.id.task, earlier.id.step)
    return is_same_step or body.base_version >= entry.version or _base(body, place) == value


def _touches(edit: Edit, place: Place) -> bool:
    name, key = place
    if name not in edit.fields:
        return False
    delta = edit.fields[name].delta
    both = [delta.get("base"), delta.get("new")]
    return key is None or any(isinstance(each, dict) and key in each for each in both)
