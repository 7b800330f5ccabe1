"""A document while its log is folded: applies what counts, in the order of the log. Pure.

Called by `cluster.kernel.state.folding`, which says what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from cluster.kernel.errors import BrokenPolicy
from cluster.kernel.state.attempts import Attempts, Fate
from cluster.kernel.state.conflicts import Conflict, FieldPlace, Sibling, conflict_of, place_order
from cluster.kernel.state.edits import Deletion, Edit, Entry, FieldEdit, Resolution
from cluster.kernel.state.folded import Folded
from cluster.kernel.state.merging import (
    CannotMerge,
    Clash,
    FieldDelta,
    Merged,
    Policy,
    Rank,
)
from cluster.kernel.state.policies import SIBLINGS
from cluster.kernel.state.stamps import NOBODY, Writer
from cluster.kernel.state.values import ABSENT, Slot, Value


class Fault(NamedTuple):
    """What one of the program's own policies did wrong when an edit was merged."""

    version: int
    field: str
    policy: str
    error: BrokenPolicy


class Contents:
    """The fields of a document, who wrote them, and what is in conflict.

    Values are never changed in place: readers hold them.
    """

    def __init__(self, folded: Folded, find_policy: Callable[[str], Policy | None]) -> None:
        self._find_policy = find_policy
        self.fields = dict(folded.fields)
        self.writers = dict(folded.writers)
        self.conflicts = dict(folded.conflicts)
        self.is_deleted = folded.is_deleted
        self.strangers: set[str] = set()
        """Names of policies that edits call for and this process doesn't know."""
        self.faults: list[Fault] = []

    def copy(self) -> Contents:
        """Return the same to apply other entries to, apart from this."""
        fields, writers, conflicts = self.fields, self.writers, self.conflicts
        held = Folded(0, fields, writers, conflicts, is_deleted=self.is_deleted)
        made = Contents(held, self._find_policy)
        made.strangers |= self.strangers
        made.faults += self.faults
        return made

    def folded(self, version: int, attempts: Attempts) -> Folded:
        """Return the document as it is; who removed what is no longer there is forgotten."""
        writers = {place: each for place, each in self.writers.items() if self._is_there(place)}
        fields, conflicts = dict(self.fields), dict(self.conflicts)
        return Folded(version, fields, writers, conflicts, attempts, self.is_deleted)

    def ordered_conflicts(self) -> tuple[Conflict, ...]:
        """Return what somebody has to decide, by field and key."""
        return tuple(self.conflicts[place] for place in sorted(self.conflicts, key=place_order))

    def _is_there(self, place: FieldPlace) -> bool:
        return place in self.conflicts or self._shown(place) is not ABSENT

    def apply(self, entry: Entry) -> Fate:
        """Apply an entry, and say whether it did anything."""
        body = entry.body
        if isinstance(body, Edit | Resolution) and self.is_deleted:
            return Fate.IGNORED
        if isinstance(body, Edit):
            edit = body.id
            writer = Writer(body.stamp, entry.version, edit.task, edit.step)
            for name, change in body.fields.items():
                self._change(name, change, writer, body.base_version)
        elif isinstance(body, Resolution):
            self._resolve(body, entry.version)
        elif isinstance(body, Deletion):
            self.is_deleted = True
            for held in (self.fields, self.writers, self.conflicts):
                held.clear()
        return Fate.COUNTS

    def _change(self, name: str, change: FieldEdit, writer: Writer, seen: int) -> None:
        """Merge a change of a field, made by whoever has seen the log up to a version."""
        policy = self._find_policy(change.policy)
        if policy is None:
            self.strangers.add(change.policy)
            policy = SIBLINGS
        current = self.fields.get(name, change.default)
        rank = self._rank(name, writer, seen) if policy.is_ranked else Rank.LATER
        value, clashes, keys, is_written, fault = _merged(policy, current, change.delta, rank)
        if fault is not None:
            self.faults.append(Fault(writer.version, name, change.policy, fault))
        self.fields[name] = value
        for clash in clashes:
            self._add_sibling((name, clash.key), Sibling(clash.mine, writer), seen)
        if not is_written:
            return
        if keys is None:
            self._write((name, None), writer, seen)
        elif keys:
            for key in keys:
                self._write((name, key), writer, seen)
            self.writers[name, None] = writer

    def _rank(self, name: str, writer: Writer, seen: int) -> Rank:
        """Compare an edit with the latest write of its field."""
        last = self.writers.get((name, None))
        # Who has seen the last write comes after it, whatever the clocks say.
        if last is None or last.version <= seen:
            return Rank.LATER
        if last.is_person != writer.is_person:
            return Rank.DISPUTED
        return Rank.LATER if writer.stamp >= last.stamp else Rank.EARLIER

    def _write(self, place: FieldPlace, writer: Writer, seen: int) -> None:
        """Note who wrote what a place shows; a person decides the conflicts they had seen by it.

        An agent is shown the first sibling alone: what it makes of that says nothing of the others.
        """
        self.writers[place] = writer
        if place in self.conflicts:
            shown = Sibling(self._shown(place), writer)
            self._set_siblings(place, [shown, *self._undecided(place, writer, seen)])

    def _add_sibling(self, place: FieldPlace, sibling: Sibling, seen: int) -> None:
        shown = Sibling(self._shown(place), self.writers.get(place, NOBODY))
        undecided = self._undecided(place, sibling.writer, seen)
        self._set_siblings(place, [shown, *undecided, sibling])

    def _undecided(self, place: FieldPlace, writer: Writer, seen: int) -> list[Sibling]:
        """Return what stays beside an edit of a place that is in conflict, if it is."""
        conflict = self.conflicts.get(place)
        others = conflict.siblings[1:] if conflict is not None else ()
        if writer.is_person:
            return _unseen(others, seen)
        step = writer.task, writer.step
        return [each for each in others if (each.writer.task, each.writer.step) != step]

    def _set_siblings(self, place: FieldPlace, siblings: Iterable[Sibling]) -> None:
        conflict = conflict_of(place, siblings)
        if conflict is not None:
            self.conflicts[place] = conflict
        else:
            self.conflicts.pop(place, None)

    def _shown(self, place: FieldPlace) -> Slot:
        name, key = place
        value: Slot = self.fields.get(name, ABSENT)
        if key is None:
            return value
        return value.get(key, ABSENT) if isinstance(value, dict) else ABSENT

    def _resolve(self, resolution: Resolution, version: int) -> None:
        """Let a place show what was decided, beside what its author can't have known."""
        place = resolution.field, resolution.key
        writer = Writer(resolution.stamp, version, resolution.id.task, resolution.id.step)
        conflict, seen = self.conflicts.get(place), resolution.base_version
        if conflict is None and self.writers.get(place, NOBODY).version > seen:
            # Somebody else has decided it meanwhile.
            self._add_sibling(place, Sibling(resolution.value, writer), seen)
            return
        self._show(place, resolution.value)
        self.writers[place] = writer
        unseen = _unseen(conflict.siblings, seen) if conflict else []
        self._set_siblings(place, [Sibling(resolution.value, writer), *unseen])

    def _show(self, place: FieldPlace, slot: Slot) -> None:
        name, key = place
        if key is None:
            if slot is ABSENT:
                self.fields.pop(name, None)
            else:
                self.fields[name] = slot
            return
        value = self.fields.get(name)
        entries: dict[str, Value] = dict(value) if isinstance(value, dict) else {}
        entries.pop(key, None)
        self.fields[name] = entries if slot is ABSENT else {**entries, key: slot}


def _unseen(siblings: Iterable[Sibling], seen: int) -> list[Sibling]:
    return [each for each in siblings if each.writer.version > seen]


def _merged(policy: Policy, current: Value, delta: FieldDelta, rank: Rank) -> Merged:
    try:
        return policy.merge(current, delta, rank)
    except CannotMerge:
        # Of a policy that has since become another one by the same name: keep all that it says.
        return Merged(current, (Clash(None, delta),), is_written=False)
