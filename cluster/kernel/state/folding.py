"""The fold of a document's log: what all readers of equal logs agree on. Pure.

An entry that does not count (its step was run again, it was reversed, it stands there twice) is as
if it had never been written, so whoever learns of that late folds again from the last seal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from cluster.kernel.errors import UsageError
from cluster.kernel.state.attempts import Attempts, Fate
from cluster.kernel.state.conflicts import Conflict
from cluster.kernel.state.contents import Contents, Fault
from cluster.kernel.state.edits import (
    Deletion,
    Edit,
    Entry,
    Resolution,
    Reversal,
    Seal,
    Unread,
    Withdrawal,
)
from cluster.kernel.state.folded import EMPTY, Folded
from cluster.kernel.state.own_policies import Policies
from cluster.kernel.state.stamps import NO_STAMP, AttemptKey, EditId, Stamp
from cluster.kernel.state.values import Value

EARLY_MAX = 1_000
"""Entries kept while one before them is missing; the others are read again when it has come."""

MARK_ENTRIES = 32
"""So many entries apart the document is kept as it was, so that sealing applies no more again."""
MARKS_MAX = 32

_AUTHORED = (Edit, Resolution, Reversal, Deletion)
_Attempt: TypeAlias = tuple[AttemptKey, int]
"""A step and a generation."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry, and what became of it."""

    entry: Entry
    fate: Fate


class Fold:
    """A document as its log makes it: a snapshot, and the entries after it."""

    def __init__(self, snapshot: Folded = EMPTY, policies: Policies | None = None) -> None:
        self._policies = policies or Policies()
        self._base = snapshot
        self._live: list[Entry] = []
        self._early: dict[int, Entry] = {}
        self._marks: list[tuple[int, Contents]] = []
        """Versions since the last seal, and the document at each."""
        self._unknown: set[str] = set()
        self._stamp = max((each.stamp for each in snapshot.writers.values()), default=NO_STAMP)
        self._refold()

    @property
    def version(self) -> int:
        """How far the fold has come: the log is read on from here."""
        return self._live[-1].version if self._live else self._base.version

    @property
    def fields(self) -> Mapping[str, Value]:
        """The fields that were written, as they are now; their values are to be read only."""
        return MappingProxyType(self._contents.fields)

    @property
    def conflicts(self) -> Sequence[Conflict]:
        """What somebody has to decide, by field and key."""
        return self._contents.ordered_conflicts()

    @property
    def is_deleted(self) -> bool:
        """Whether the document is gone: edits after its deletion count for nothing."""
        return self._contents.is_deleted

    @property
    def stamp(self) -> Stamp:
        """The latest that was seen; one's own next edit has to be later."""
        return self._stamp

    @property
    def faults(self) -> Sequence[Fault]:
        """What the program's own policies did wrong, since the last seal."""
        return tuple(self._contents.faults)

    @property
    def unknown(self) -> frozenset[str]:
        """Policies and kinds of entries that this process doesn't know.

        Who knows them may see another value: where there are any, the snapshot is not to be stored.
        """
        return frozenset(self._unknown | self._contents.strangers)

    @property
    def snapshot(self) -> Folded:
        """The document at its last seal: it and the entries after it make the same document."""
        return self._base

    @property
    def history(self) -> Sequence[Logged]:
        """The entries since the last seal."""
        return tuple(
            Logged(each, self._fates.get(each.version, Fate.COUNTS)) for each in self._live
        )

    def folded(self) -> Folded:
        """Return the document at its version, to compare it; later entries may still undo some."""
        return self._contents.folded(self.version, self._attempts.copy())

    def branch(self) -> Contents:
        """Return the document to apply entries to that are not in the log yet, apart from this."""
        return self._contents.copy()

    def without(self, step: AttemptKey, up_to: int) -> Folded:
        """Return the document as it would be at a version had a step written nothing.

        What is sealed stays as it is: a version before the last seal is taken for that one.
        """
        entries = [each for each in self._live if each.version <= up_to and _step(each) != step]
        attempts, fates = _fates(self._base.attempts, entries)
        contents = Contents(self._base, self._policies.find)
        for entry in entries:
            if entry.version not in fates:
                contents.apply(entry)
        return contents.folded(max(up_to, self._base.version), attempts)

    def extend(self, entries: Iterable[Entry], made: Contents | None = None) -> bool:
        """Take entries in, in whatever order and however often; say whether there was a new one.

        Args:
            entries: what is to be known.
            made: the document with all of them applied to it by who had a branch, if they are what
                follows and all count; it is the fold's from then on.
        """
        before = version = self.version
        if made is not None:
            self._contents = made
        for entry in entries:
            ahead = entry.version - version
            if ahead == 1:
                self._add(entry, is_applied=made is not None)
                version += 1
                while self._early and (following := self._early.pop(version + 1, None)) is not None:
                    self._add(following, is_applied=False)
                    version += 1
            elif ahead > 1 and len(self._early) < EARLY_MAX:
                self._early[entry.version] = entry
        if self._is_dirty:
            self._refold()
        marked = self._marks[-1][0] if self._marks else self._base.version
        if version - marked >= MARK_ENTRIES:
            self._marks = [*self._marks[-MARKS_MAX:], (version, self._contents.copy())]
        return version > before

    def undoable(self, version: int) -> Entry:
        """Return the entry that a reversal of a version undoes.

        Raises:
            UsageError: there is none, or it is sealed, or it has been undone.
        """
        if not 1 <= version <= self.version:
            raise UsageError(f"the log has no version {version}")
        if version <= self._base.version:
            raise UsageError(f"version {version} is too old to be undone: a snapshot holds it")
        found = [each for each in self._live if each.version == version]
        if not found or not isinstance(found[0].body, _AUTHORED):
            raise UsageError(f"the log has no edit of version {version}")
        if self._fates.get(version) is Fate.REVERSED:
            raise UsageError(f"version {version} is reverted already")
        return found[0]

    def _add(self, entry: Entry, *, is_applied: bool) -> None:
        """Apply the latest entry, or note that it changes what counts of those before it."""
        self._live.append(entry)
        body = entry.body
        if isinstance(body, _AUTHORED):
            self._stamp = max(self._stamp, body.stamp)
            if isinstance(body, Reversal):
                self._is_dirty = True
            elif not self._is_dirty:
                self._admit(entry, body.id, is_applied=is_applied)
        elif isinstance(body, Withdrawal):
            key = body.task, body.step
            self._is_dirty |= self._attempts.raise_to(key, body.before_generation)
        elif isinstance(body, Seal):
            self._seal(min(body.up_to, entry.version - 1))
        elif isinstance(body, Unread):
            self._unknown.add(body.kind)
            self._fates[entry.version] = Fate.IGNORED

    def _admit(self, entry: Entry, edit: EditId, *, is_applied: bool) -> None:
        """Apply the latest entry, if it counts and has not been applied."""
        fate = self._attempts.admit(edit)
        if fate is None or (is_applied and fate is not Fate.COUNTS):
            self._is_dirty = True
        elif not is_applied:
            if fate is Fate.COUNTS:
                fate = self._contents.apply(entry)
            if fate is not Fate.COUNTS:
                self._fates[entry.version] = fate

    def _refold(self) -> None:
        """Fold all from the last seal on, by what is known now of what counts."""
        self._attempts, self._fates = _fates(self._base.attempts, self._live)
        self._contents = Contents(self._base, self._policies.find)
        self._apply(self._contents, self._live)
        self._marks = []
        self._is_dirty = False

    def _apply(self, contents: Contents, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.version not in self._fates and contents.apply(entry) is Fate.IGNORED:
                self._fates[entry.version] = Fate.IGNORED

    def _seal(self, up_to: int) -> None:
        """Let the document at a version be what the rest is folded on."""
        if up_to <= self._base.version:
            return
        sealed = [each for each in self._live if each.version <= up_to]
        is_sure = not self._is_dirty
        if not is_sure:
            _, self._fates = _fates(self._base.attempts, self._live)
        marks = [each for each in self._marks if each[0] <= up_to and is_sure]
        since, contents = (
            marks[-1] if marks else (self._base.version, Contents(self._base, self._policies.find))
        )
        self._apply(contents, (each for each in sealed if each.version > since))
        self._unknown |= contents.strangers
        self._base = contents.folded(up_to, _remembered(self._base.attempts, sealed))
        del self._live[: len(sealed)]
        attempts, fates = _fates(self._base.attempts, self._live)
        # What a snapshot leaves out, and what is known otherwise from now on, changes the rest.
        if (
            is_sure
            and len(self._base.writers) == len(contents.writers)
            and fates == {at: fate for at, fate in self._fates.items() if at > up_to}
            and not (self._contents.strangers or self._contents.faults)
        ):
            self._attempts, self._fates = attempts, fates
            self._marks = [each for each in self._marks if each[0] > up_to]
        else:
            self._refold()


def own_fields(fields: Mapping[str, Value]) -> dict[str, Value]:
    """Return a copy of what a fold offers, which is a live view."""
    # `dict` would ask a view for each of its keys.
    return fields.copy() if type(fields) is MappingProxyType else dict(fields)


def _fates(sealed: Attempts, live: Sequence[Entry]) -> tuple[Attempts, dict[int, Fate]]:
    """Return the attempts that count, and the entries that don't."""
    attempts = sealed.copy()
    for attempt, _ in itertools.groupby(live, _attempt):
        if attempt is not None:
            attempts.raise_to(*attempt)
    fates: dict[int, Fate] = {}
    reversals: list[tuple[int, int]] = []
    for entry in live:
        body = entry.body
        if isinstance(body, _AUTHORED):
            fate = attempts.admit(body.id)
            if fate is not Fate.COUNTS:
                assert fate is not None  # its generation counts, or a later one
                fates[entry.version] = fate
            elif isinstance(body, Reversal):
                reversals.append((entry.version, body.version))
        elif isinstance(body, Unread):
            fates[entry.version] = Fate.IGNORED
    targets = {each.version for each in live if isinstance(each.body, _AUTHORED) and reversals}
    # The last first, since a reversal may be reversed too.
    for version, target in reversed(reversals):
        if version not in fates and target in targets and target < version:
            fates.setdefault(target, Fate.REVERSED)
    return attempts, fates


def _step(entry: Entry) -> AttemptKey | None:
    """Return the step that an entry is of, or about."""
    attempt = _attempt(entry)
    return None if attempt is None else attempt[0]


def _attempt(entry: Entry) -> _Attempt | None:
    """Return the step that an entry is of, or about, and the generation that counts by it."""
    body = entry.body
    if isinstance(body, _AUTHORED):
        return body.id.attempt_key, body.id.generation
    if isinstance(body, Withdrawal):
        return (body.task, body.step), body.before_generation
    return None


def _remembered(before: Attempts, sealed: Sequence[Entry]) -> Attempts:
    """Return the attempts that a snapshot has to remember."""
    attempts = before.copy()
    for attempt, run in itertools.groupby(sealed, _attempt):
        if attempt is None:
            continue
        step, generation = attempt
        attempts.raise_to(step, generation)
        for entry in run:
            if isinstance(entry.body, _AUTHORED):
                attempts.admit(entry.body.id)
        attempts.touch(step)
    return attempts
