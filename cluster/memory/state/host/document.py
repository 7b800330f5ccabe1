"""A document of shared state as a host has it: what its log makes, and what was edited here since.

Readers and writers get it from `cluster.memory.state.host.documents`;
`cluster.memory.state.host.keeper` brings it what is new and takes away what is pending. Nothing
here waits for the store, and nothing is shared between threads: it belongs to the loop that opened
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError, StateDeleted
from cluster.kernel.state.conflicts import Conflict
from cluster.kernel.state.contents import Contents
from cluster.kernel.state.edits import Authored, Edit, Entry, FieldEdit, Resolution, Reversal
from cluster.kernel.state.folding import Fold, own_fields
from cluster.kernel.state.stamps import EditId, Stamp
from cluster.kernel.state.values import ABSENT, Slot, Value
from cluster.memory.state.entries import Appended, LogEntry
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.codec import bytes_at_most, unpacked
from cluster.memory.state.host.pending import Pending, PendingQueue
from cluster.memory.state.limits import deleted

_ENVELOPE_BYTES = 200
"""What an entry has beside its ids, its author and its deltas, and a field beside its delta."""
PENDING_AN_ENTRY = 8
"""So many pending edits may be applied again to show one entry more of the log."""


@dataclass(slots=True, eq=False)
class Readers:
    """Who has a document open."""

    opened_at: float
    """When it was last opened, monotonic."""
    count: int = 0
    """How many read or edit it: who keeps it beyond an await counts himself, and leaves again."""
    views: dict[type, object] = field(default_factory=dict)
    """What they have made of it, by class; theirs alone."""


class Document:
    """Reads at once, and is edited at once; what other hosts write comes along by itself.

    Args:
        name: what its log is called.
        fold: what is known of its log.
        clock: stamps the edits.
    """

    def __init__(self, name: str, fold: Fold, clock: Clock) -> None:
        self.name = name
        self.ttl_s: float | None = None
        """How long the document lives after an edit that is made here; None: as it is."""
        self.incarnation = 0
        """Which log of this name it is; 0 where there is none yet, as far as is known."""
        self.is_stuck = False
        """Whether the store doesn't take its edits at the moment: they wait."""
        self.open_bytes = 0
        """Of the entries that came after the last seal, about."""
        self.pending = PendingQueue()
        self.fold = fold
        """What the log makes, without what is pending; its history is what can be undone."""
        self.clock = clock
        self.readers = Readers(opened_at=clock.now())
        self._stamp = fold.stamp
        self.overlay: Contents | None = None
        """The fold with what is pending on top; None where it has to be made again."""
        self._shown_version: int | None = None
        """Up to where the overlay shows the log, where that isn't up to where it is known."""
        self._view: Mapping[str, Value] | None = None
        self._refusal: ClusterError | None = None
        """Why it takes no edits."""

    @property
    def fields(self) -> Mapping[str, Value]:
        """The fields that were written, with the edits made here; their values are read only.

        It stays as it is: when anything has changed it is another object.
        """
        view = self._view
        if view is None:
            shown = self._overlaid().fields if self.pending else self.fold.fields
            view = self._view = MappingProxyType(own_fields(shown))
        return view

    @property
    def version(self) -> int:
        """Up to where its log is shown here."""
        shown = self._shown_version
        return self.fold.version if shown is None else shown

    @property
    def conflicts(self) -> Sequence[Conflict]:
        """What somebody has to decide, by field and key."""
        return self._overlaid().ordered_conflicts() if self.pending else self.fold.conflicts

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has deleted it."""
        return self.fold.is_deleted or isinstance(self._refusal, StateDeleted)

    def edit(
        self, attempt: EditAttempt, fields: Mapping[str, FieldEdit], *, at: int | None = None
    ) -> None:
        """Change fields; readers here see it at once, and the log has it soon.

        Args:
            attempt: who does it.
            fields: what is done to each; whoever calls doesn't touch the values any more.
            at: the version that was seen when the edit was begun; the present one by default.

        Raises:
            StaleEpoch: the attempt may write nothing any more.
            StateDeleted: the document has been deleted.
            Overloaded: too many edits are not durable yet.
            UsageError: the edit is larger than `EDIT_BYTES_MAX`.
        """
        seen = self.version if at is None else at
        size = _size([[name, each.delta, each.default] for name, each in fields.items()])
        identity, stamp = self._signed(attempt)
        self._put(attempt, Edit(identity, stamp, seen, fields), size)

    def resolve(
        self, attempt: EditAttempt, conflict: Conflict, value: Slot, *, at: int | None = None
    ) -> None:
        """Decide a conflict as it was seen; raises what `edit` does."""
        seen = self.version if at is None else at
        field, key = conflict.field, conflict.key
        size = _size([[field, {}, None if value is ABSENT else value]])
        identity, stamp = self._signed(attempt)
        self._put(attempt, Resolution(identity, stamp, seen, field, key, value), size)

    def revert(self, attempt: EditAttempt, version: int) -> None:
        """Undo what an entry of the log did, as soon as the log says so.

        Raises:
            UsageError: there is no such entry, or it is too old to be undone.
            ClusterError: what `edit` raises.
        """
        self.fold.undoable(version)
        self._put(attempt, Reversal(*self._signed(attempt), version), 0)

    async def flushed(self) -> None:
        """Wait until what has been edited so far is durable; as long as that takes.

        Raises:
            StaleEpoch, StateDeleted, Stopped: the latest edit never will be.
        """
        last = self.pending.last
        if last is not None:
            waiter = asyncio.get_running_loop().create_future()
            last.waiters = (*last.waiters, waiter)
            await waiter

    def _signed(self, attempt: EditAttempt) -> tuple[EditId, Stamp]:
        """Return the identity and the stamp of the next edit."""
        if attempt.error is not None and attempt.is_over:
            raise attempt.error
        if self._refusal is not None:
            raise self._refusal
        fold = self.fold
        if fold.is_deleted:
            raise deleted(self.name)
        key = attempt.key
        ordinal = attempt.next_ordinal(self.name)
        latest = max(self._stamp, fold.stamp)
        self._stamp = latest.next(int(self.clock.wall() * 1000), attempt.author)
        return EditId(key.task, key.step, key.generation, ordinal), self._stamp

    def _put(self, attempt: EditAttempt, body: Authored, size: int) -> None:
        size += attempt.name_bytes + _ENVELOPE_BYTES
        self.pending.check_room(self.name, body, size)
        self.pending.add(Pending(attempt, body, size))
        if self.overlay is not None:
            self.overlay.apply(Entry(self.fold.version + len(self.pending), body))
        self._view = None

    def _overlaid(self) -> Contents:
        """Return the fold with what is pending on top; made when somebody reads."""
        if self.overlay is None:
            self.overlay = self.fold.branch()
            # With the versions that they will have if nobody else writes.
            for version, item in enumerate(self.pending, self.fold.version + 1):
                self.overlay.apply(Entry(version, item.body))
        return self.overlay

    def _show_news(self, known: int) -> None:
        """Let readers see what came after a version, unless there is too little of it.

        The overlay is made again for it, which takes as long as there are edits pending.
        """
        if self._shown_version is None:
            self._shown_version = known
        news = self.fold.version - self._shown_version
        if self.overlay is None or len(self.pending) <= news * PENDING_AN_ENTRY:
            self._change()

    def _change(self) -> None:
        """Note that readers see something else from now on."""
        self.overlay = self._view = self._shown_version = None

    # What follows is its keeper's.

    def acknowledge(
        self, run: Sequence[Pending], appended: Appended, made: Contents | None = None
    ) -> bool:
        """Take in that edits are durable; say whether the log has to be read to know the rest.

        Args:
            run: the edits.
            appended: what became of them.
            made: what `made_by` has returned before.
        """
        if self.incarnation and appended.incarnation not in (0, self.incarnation):
            self.pending.acknowledge_elsewhere(run, appended.version)
            self._change()
            return True
        self.incarnation = self.incarnation or appended.incarnation
        known = self.fold.version
        first = appended.version - appended.added + 1
        is_as_shown = (
            appended.added == len(run)
            and first == known + 1
            and self.pending.begins_with(run)
            and not any(_reaches_back(item) for item in run)
        )
        # Of those that were written before it is only known that they are no later than so.
        for at, item in enumerate(run, appended.version - len(run) + 1):
            self.pending.acknowledge(item, at)
        if appended.added < len(run):
            # Some were written before, maybe by a process that is gone: then the fold has them.
            self.pending.forget_folded(known)
            self._change()
        new = run[len(run) - appended.added :]
        entries = [Entry(at, item.body) for at, item in enumerate(new, first)]
        size = sum(len(item.data) for item in new)
        is_new = self._extend(entries, size, made if is_as_shown else None)
        # Most edits meet no others: what readers see then is what the log has made.
        if not is_as_shown or self._shown_version is not None:
            self._show_news(known)
        elif not self.pending:
            self.overlay = None
        return self.fold.version < appended.version or not is_new

    def take(self, entries: Sequence[LogEntry]) -> Sequence[Entry]:
        """Take in what the log has beyond what is known, and return that."""
        known = self.fold.version
        new = [unpacked(self.name, each) for each in entries if each.version > known]
        for each in new:
            self.pending.recognise(each.body, each.version)
        if self._extend(new, sum(len(each.data) for each in entries)):
            self._show_news(known)
        return new

    def _extend(self, entries: Sequence[Entry], size: int, made: Contents | None = None) -> bool:
        sealed = self.fold.snapshot.version
        is_new = self.fold.extend(entries, made)
        if is_new:
            is_sealed = self.fold.snapshot.version > sealed
            self.open_bytes = 0 if is_sealed else self.open_bytes + size
            self.pending.forget_folded(self.fold.version)
        return is_new

    def replace(self, fold: Fold, incarnation: int, *, is_same_log: bool) -> None:
        """Go on from another fold: the log is another one, or a snapshot stands for its entries."""
        if is_same_log:
            # What was appended while the log was being read.
            fold.extend(each.entry for each in self.fold.history)
        else:
            self.pending.move(deleted(self.name))
        self.fold, self.incarnation = fold, incarnation
        self.open_bytes = 0
        self._refusal = None
        if self.pending:
            self.pending.recognise_folded(fold.folded())
        self.pending.forget_folded(fold.version)
        self._change()

    def refuse(self, error: ClusterError) -> None:
        """Take no edits any more, and give up those that are pending."""
        self._refusal = error
        self.pending.drop(lambda _: True, error)
        self._change()

    def drop(self, is_lost: Callable[[EditAttempt], bool], error: ClusterError) -> None:
        """Give up what attempts have pending."""
        if self.pending.drop(lambda item: is_lost(item.attempt), error):
            self._change()


def made_by(document: Document, run: Sequence[Pending]) -> Contents | None:
    """Return what a document will be once edits that are all it has pending are in its log.

    If nobody writes in between: readers have been shown it, and the fold need not make it again.
    None where they haven't.
    """
    shown = document.overlay
    if shown is None or document.version != document.fold.version:
        return None
    return shown.copy() if len(document.pending) == len(run) else None


def trusted_conflicts(document: Document) -> Sequence[Conflict]:
    """Return the conflicts of the fields that this process knows how to merge.

    Who knows the others may see no conflict there. What was sealed was folded by somebody who does.
    """
    conflicts = document.conflicts
    strange = strange_fields(document) if conflicts else {}
    return [each for each in conflicts if each.field not in strange]


def strange_fields(document: Document) -> Mapping[str, str]:
    """Return the fields that this process doesn't know how to merge, and by what they merge."""
    unknown = document.fold.unknown
    if not unknown:
        return {}
    edits = [each.entry.body for each in document.fold.history]
    return {
        name: change.policy
        for edit in edits
        if isinstance(edit, Edit)
        for name, change in edit.fields.items()
        if change.policy in unknown
    }


def overtaken_by(attempt: EditAttempt) -> Callable[[EditAttempt], bool]:
    """Return what says of an attempt whether it is an earlier one at the same step."""
    key = attempt.key

    def is_overtaken(other: EditAttempt) -> bool:
        step = other.key.task, other.key.step
        return step == (key.task, key.step) and other.key.generation < key.generation

    return is_overtaken


def _reaches_back(item: Pending) -> bool:
    """Say whether an edit may change what became of entries before it."""
    return isinstance(item.body, Reversal) or item.body.id.generation > 1


def _size(fields: list[Value]) -> int:
    """Return how many bytes some fields take at most: of each its name, its delta, its default."""
    return _ENVELOPE_BYTES * len(fields) + bytes_at_most(fields)
