"""The logs' twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.state.redis` passes, on a clock that is handed
in, and imports nothing outside the standard library. No method ever waits or fails for want of a
store.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cluster.kernel.clock import Clock
from cluster.kernel.ids import StepId, TaskId
from cluster.memory.namespaces.local import LocalFeed
from cluster.memory.state.entries import (
    Appended,
    Begun,
    LogEntry,
    LogHead,
    LogPage,
    LogSnapshot,
    PendingEdit,
    StepKey,
)
from cluster.memory.state.limits import (
    DELETED_KEPT_S,
    HISTORY_BYTES_MAX,
    HISTORY_MAX,
    LOG_BYTES_MAX,
    PAGE_BYTES_MAX,
    PAGE_ENTRIES_MAX,
    PERSON_KEPT_S,
    STEPS_KEPT_S,
    UPKEEP_BYTES_MAX,
    checked_edits,
    checked_snapshot,
    deleted,
    done,
    ended,
    overfull,
    overtaken,
)
from cluster.memory.state.marks import StepMarks
from cluster.memory.state.port import task_prefix
from cluster.memory.store.port import Store, checked_ttl_s


@dataclass(slots=True)
class _Document:
    """What is kept of a document, until it expires."""

    incarnation: int = 0
    version: int = 0
    is_deleted: bool = False
    snapshot: LogSnapshot | None = None
    entries: list[LogEntry] = field(default_factory=list)
    """The history too."""
    open_steps: dict[tuple[TaskId, StepId], int] = field(default_factory=dict)
    """Those that are not settled, each with the version of its latest attempt's first entry."""
    expires_at: float = math.inf

    @property
    def head(self) -> LogHead:
        return LogHead(self.version, self.incarnation, self.is_deleted)

    @property
    def summed_up(self) -> int:
        """The version up to which the snapshot stands for the entries."""
        return self.snapshot.version if self.snapshot else 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """The latest edit of a step in a document."""

    generation: int = 0
    ordinal: int = 0
    version: int = 0
    incarnation: int = 0


@dataclass(slots=True)
class _Steps:
    """What is kept of the steps of a task, until it expires."""

    generations: dict[StepId, int] = field(default_factory=dict)
    marks: dict[StepId, dict[str, _Mark]] = field(default_factory=lambda: defaultdict(dict))
    """Of each step, by the documents' names in the order of their first edits."""
    settled: set[StepId] = field(default_factory=set)
    is_ended: bool = False
    expires_at: float = math.inf


class LocalStateLog:
    """`cluster.memory.state.port.StateLog` in dictionaries."""

    def __init__(self, clock: Clock, store: Store | None = None) -> None:
        self._clock = clock
        self._store = store
        """Where the marks of steps are; its twin too, or what is one step here would be several."""
        self._documents: dict[str, _Document] = {}
        self._steps: dict[str, _Steps] = {}
        """By task; by step where it is a person's."""
        self._begun: set[TaskId] = set()
        self._incarnations = itertools.count(1)
        self._feeds: dict[LocalFeed, None] = {}

    async def begin(self, task: TaskId, step: StepId, marks: StepMarks | None = None) -> Begun:
        """Begin a new attempt at a step: from now on earlier ones write nothing."""
        steps = self._steps_of(task)
        if steps.is_ended:
            raise ended(task)
        if step in steps.settled or await _has_result(self._store, marks):
            raise done(step)
        steps.expires_at = self._clock.now() + STEPS_KEPT_S
        steps.generations[step] = generation = steps.generations.get(step, 0) + 1
        self._begun.add(task)
        if marks is not None and self._store is not None:
            await self._store.put_many({marks.attempt: b"%d" % generation}, marks.kept_s)
        return Begun(generation, tuple(steps.marks[step]))

    async def settle(self, task: TaskId, step: StepId) -> None:
        """Note that no attempt at the step will follow, since its result is recorded."""
        steps = self._steps_of(task)
        if step in steps.generations:
            steps.settled.add(step)
        for document in self._documents.values():
            document.open_steps.pop((task, step), None)

    async def append(
        self,
        document: str,
        step: StepKey,
        edits: Sequence[PendingEdit],
        *,
        ttl_s: float | None = None,
        incarnation: int = 0,
        is_upkeep: bool = False,
    ) -> Appended:
        """Give edits the next versions, all in one step and in their order."""
        checked_edits(document, edits)
        expires_at = None if ttl_s is None else self._clock.now() + checked_ttl_s(ttl_s)
        steps = self._steps_of(step.task or step.step)
        if steps.is_ended or steps.generations.get(step.step, 0) > step.generation:
            raise overtaken(step)
        kept = self._kept(document)
        if kept.is_deleted:
            raise deleted(document)
        if incarnation not in (0, kept.incarnation):
            return Appended(0, 0, kept.incarnation)
        mark = steps.marks[step.step].get(document, _Mark())
        if (mark.generation, mark.incarnation) != (step.generation, kept.incarnation):
            mark = _Mark()
        new = [each for each in edits if each.ordinal > mark.ordinal]
        if not new:
            return Appended(mark.version, 0, kept.incarnation)
        room = LOG_BYTES_MAX - _size(kept, after=kept.summed_up) + UPKEEP_BYTES_MAX * is_upkeep
        if sum(len(each.data) for each in new) > room:
            raise overfull(document)
        if expires_at is not None:
            kept.expires_at = expires_at
        self._write(document, kept, new)
        if step.is_redoable and not mark.ordinal:
            # With it all that earlier attempts have written is withdrawn, for good.
            kept.open_steps[step.task, step.step] = kept.version - len(new) + 1
            self._begun.add(step.task)
        self._note(steps, step, document, kept, new[-1].ordinal)
        return Appended(kept.version, len(new), kept.incarnation)

    def _write(self, name: str, kept: _Document, edits: Sequence[PendingEdit]) -> None:
        if not kept.version:
            kept.incarnation = next(self._incarnations)
            self._documents[name] = kept
        for each in edits:
            kept.version += 1
            kept.entries.append(LogEntry(kept.version, each.data))
        _tell(self._feeds, name)

    def _note(
        self, steps: _Steps, step: StepKey, document: str, kept: _Document, ordinal: int
    ) -> None:
        mark = _Mark(step.generation, ordinal, kept.version, kept.incarnation)
        steps.marks[step.step][document] = mark
        steps.generations[step.step] = step.generation
        if not step.is_redoable:
            steps.expires_at = self._clock.now() + PERSON_KEPT_S
        elif steps.expires_at == math.inf:
            steps.expires_at = self._clock.now() + STEPS_KEPT_S

    async def read(self, document: str, after: int = 0) -> LogPage:
        """Return a page of what is newer than a version."""
        kept = self._kept(document)
        snapshot = kept.snapshot if kept.summed_up > after else None
        return self._page(kept, max(after, kept.summed_up), snapshot)

    async def put_snapshot(self, document: str, incarnation: int, snapshot: LogSnapshot) -> bool:
        """Let a snapshot stand for the entries up to its version, which become history."""
        checked_snapshot(document, snapshot)
        kept = self._kept(document)
        is_ours = kept.incarnation == incarnation and not kept.is_deleted
        if not is_ours or not kept.summed_up < snapshot.version <= self._settled(kept):
            return False
        kept.snapshot = snapshot
        kept.open_steps = {
            step: first for step, first in kept.open_steps.items() if first > snapshot.version
        }
        _trim(kept)
        return True

    async def history(self, document: str, after: int = 0) -> LogPage:
        """Return the entries that are still kept, those of before the snapshot too, in pages."""
        return self._page(self._kept(document), after, None)

    async def heads(self, documents: Sequence[str]) -> dict[str, LogHead]:
        """Return where logs are, all at one moment."""
        return {each: self._kept(each).head for each in documents}

    async def names(self, prefix: str = "") -> list[str]:
        """Return the documents whose names begin so, sorted; no deleted ones."""
        self._forget_expired()
        named = [each for each in self._documents if each.startswith(prefix)]
        return sorted(
            (each for each in named if not self._documents[each].is_deleted), key=str.encode
        )

    async def delete(self, document: str) -> LogHead:
        """Delete a document, its log and its history; what is deleted, or isn't there, stays so."""
        kept = self._kept(document)
        if kept.version and not kept.is_deleted:
            tombstone = _Document(kept.incarnation, kept.version + 1, is_deleted=True)
            tombstone.expires_at = self._clock.now() + DELETED_KEPT_S
            self._documents[document] = kept = tombstone
            _tell(self._feeds, document)
        return kept.head

    async def expire(self, task: TaskId, ttl_s: float) -> None:
        """Note that a task has ended: its documents are kept for that time from now."""
        expires_at = self._clock.now() + checked_ttl_s(ttl_s)
        steps = self._steps_of(task)
        steps.is_ended, steps.expires_at = True, expires_at
        self._begun.discard(task)
        for name in await self.names(task_prefix(task)):
            self._documents[name].expires_at = expires_at

    async def begun(self) -> set[TaskId]:
        """Return the tasks that have begun a step, and whose end was not noted."""
        self._forget_expired()
        self._begun &= self._steps.keys()
        return set(self._begun)

    async def feed(self) -> LocalFeed:
        """Open a feed of the names of documents that are appended to, or deleted."""
        return LocalFeed(self._feeds)

    def _page(self, kept: _Document, after: int, snapshot: LogSnapshot | None) -> LogPage:
        entries: list[LogEntry] = []
        size = 0
        start = _index(kept, after)
        for entry in kept.entries[start : start + PAGE_ENTRIES_MAX]:
            if size >= PAGE_BYTES_MAX:
                break
            entries.append(entry)
            size += len(entry.data)
        return LogPage(kept.head, self._settled(kept), snapshot, tuple(entries))

    def _settled(self, kept: _Document) -> int:
        """Return up to which version no entry can be withdrawn any more."""
        self._forget_expired()
        firsts = [
            first
            for (task, _), first in kept.open_steps.items()
            if task in self._steps and not self._steps[task].is_ended
        ]
        return min([kept.version, *(first - 1 for first in firsts)])

    def _kept(self, name: str) -> _Document:
        self._forget_expired()
        return self._documents.get(name) or _Document()

    def _steps_of(self, task: str) -> _Steps:
        self._forget_expired()
        return self._steps.setdefault(task, _Steps())

    def _forget_expired(self) -> None:
        now = self._clock.now()
        for kept in (self._documents, self._steps):
            for name in [name for name, each in kept.items() if each.expires_at <= now]:
                del kept[name]


def _tell(feeds: Iterable[LocalFeed], name: str) -> None:
    for feed in feeds:
        feed.hear(name)


async def _has_result(store: Store | None, marks: StepMarks | None) -> bool:
    if store is None or marks is None:
        return False
    return await store.get_many([marks.record]) != [None]


def _index(kept: _Document, after: int) -> int:
    """Return where in the entries those after a version begin."""
    first = kept.version - len(kept.entries) + 1
    return max(0, after + 1 - first)


def _size(kept: _Document, after: int) -> int:
    return sum(len(each.data) for each in kept.entries[_index(kept, after) :])


def _trim(kept: _Document) -> None:
    """Drop of the history what is too old or too much."""
    until = _index(kept, kept.summed_up)
    start = max(0, until - HISTORY_MAX)
    size = sum(len(each.data) for each in kept.entries[start:until])
    while size > HISTORY_BYTES_MAX:
        size -= len(kept.entries[start].data)
        start += 1
    del kept.entries[:start]
