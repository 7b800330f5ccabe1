"""The journal's twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.journal.redis` passes, on a clock that is
handed in, and imports nothing outside the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cluster.kernel.clock import Clock
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.port import (
    ACKNOWLEDGED_KEPT_S,
    ENDED_KEPT_S,
    OpenTask,
    Ownership,
    checked_entries,
    conflict,
    fenced,
)


@dataclass(slots=True)
class _Kept:
    """What is kept of one task."""

    owner: Owner
    term: int = 0
    entries: list[tuple[int, bytes]] = field(default_factory=list)
    """Each with the term it was written in."""
    is_ended: bool = False
    is_acknowledged: bool = False
    expires_at: float = math.inf


class LocalJournal:
    """The journal in a dictionary; no method ever waits, or finds no store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[TaskId, _Kept] = {}
        self._unrecorded: dict[TaskId, float] = {}
        """Until when each may be asked for."""

    async def claim(
        self, task: TaskId, owner: Owner, *, expected_term: int | None = None
    ) -> Ownership | None:
        """Take the ownership of a task, new or not; the older owner is fenced off from now on."""
        self._forget_expired()
        kept = self._tasks.get(task) or _Kept(owner)
        if expected_term not in {None, kept.term}:
            return None
        self._tasks[task] = kept
        kept.owner = owner
        kept.term += 1
        return Ownership(kept.term, tuple(entry for _, entry in kept.entries))

    async def accept(self, task: TaskId, owner: Owner, entries: Sequence[bytes]) -> bool:
        """Claim a task that nobody has claimed, and begin its journal with some entries."""
        checked_entries(task, 1, entries)
        self._forget_expired()
        kept = self._tasks.get(task)
        if kept is None:
            self._tasks[task] = _Kept(owner, 1, [(1, entry) for entry in entries])
            return True
        is_repeated = (kept.owner, kept.term, len(kept.entries)) == (owner, 1, len(entries))
        return is_repeated and not kept.is_ended

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        """Add entries as number ``index`` and following (the first ever is 1), all or none."""
        checked_entries(task, index, entries)
        kept = self._owned(task, term)
        last = index + len(entries) - 1
        if index <= len(kept.entries):
            is_last = kept.is_ended and last == len(kept.entries)
            was_written = kept.entries[index - 1][0] == term and last <= len(kept.entries)
            if not was_written or (is_final and not is_last):
                raise conflict(task, index)
            return
        if kept.is_ended:
            raise fenced(task, term)
        if index != len(kept.entries) + 1:
            raise conflict(task, index)
        kept.entries += ((term, entry) for entry in entries)
        if is_final:
            kept.is_ended = True
            kept.expires_at = self._clock.now() + ENDED_KEPT_S
            self._unrecorded[task] = kept.expires_at

    async def confirm(self, task: TaskId, term: int) -> None:
        """Return where an append of this term would be taken now; nothing changes."""
        if self._owned(task, term).is_ended:
            raise fenced(task, term)

    async def read(self, task: TaskId) -> tuple[bytes, ...]:
        """Return all entries; none for a task that is not known, or no longer."""
        kept = self._find(task)
        return () if kept is None else tuple(entry for _, entry in kept.entries)

    async def open_tasks(self) -> dict[TaskId, OpenTask]:
        """Return every task that was claimed and has no final entry."""
        return {
            task: OpenTask(kept.owner, kept.term)
            for task, kept in self._tasks.items()
            if not kept.is_ended
        }

    async def unrecorded(self) -> frozenset[TaskId]:
        """Return the tasks that have ended, of which `recorded` was not told."""
        now = self._clock.now()
        self._unrecorded = {task: until for task, until in self._unrecorded.items() if until > now}
        return frozenset(self._unrecorded)

    async def recorded(self, tasks: Collection[TaskId]) -> None:
        """The ends of some tasks have been written where people look for them."""
        for task in tasks:
            self._unrecorded.pop(task, None)

    async def acknowledge(self, task: TaskId, index: int) -> None:
        """The driver has seen everything up to ``index``."""
        kept = self._find(task)
        if kept is None or not kept.is_ended or kept.is_acknowledged or index < len(kept.entries):
            return
        kept.is_acknowledged = True
        kept.expires_at = self._clock.now() + ACKNOWLEDGED_KEPT_S

    def _owned(self, task: TaskId, term: int) -> _Kept:
        kept = self._find(task)
        if kept is None or kept.term != term:
            raise fenced(task, term)
        return kept

    def _find(self, task: TaskId) -> _Kept | None:
        kept = self._tasks.get(task)
        return None if kept is None or kept.expires_at <= self._clock.now() else kept

    def _forget_expired(self) -> None:
        now = self._clock.now()
        for task in [task for task, kept in self._tasks.items() if kept.expires_at <= now]:
            del self._tasks[task]
