"""The records' twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.task_records.redis` passes, on a clock that is
handed in. No method ever waits, or finds no store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from cluster.kernel.clock import Clock
from cluster.kernel.feed import TaskRecord, TaskSummary
from cluster.kernel.ids import TaskId
from cluster.memory.task_records.port import (
    KEY_KEPT_S,
    RECORD_KEPT_S,
    KeyUse,
    TaskFilter,
    checked_filter,
    day_of,
)


@dataclass(frozen=True, slots=True)
class _KeptRecord:
    """What is kept of one task; the instant is on the wall clock."""

    record: TaskRecord
    is_ended: bool
    expires_wall_s: float


class LocalTaskRecords:
    """`cluster.memory.task_records.port.TaskRecords` in dictionaries."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, _KeptRecord] = {}
        self._running: defaultdict[str, dict[TaskId, float]] = defaultdict(dict)
        """By owner: until when each task counts, on the wall clock."""
        self._tokens: Counter[tuple[str, int]] = Counter()
        self._keys: dict[tuple[str, str], tuple[KeyUse, float]] = {}

    async def began(self, summary: TaskSummary) -> None:
        """List a task that runs; one that has ended stays so."""
        self._forget_expired()
        if not self._is_ended(summary.task):
            self._keep(TaskRecord(summary, ""), is_ended=False)

    async def ended(self, record: TaskRecord, *, tokens: int) -> None:
        """Keep what has become of a task, for `RECORD_KEPT_S`; only the first end counts."""
        self._forget_expired()
        summary = record.summary
        if self._is_ended(summary.task):
            return
        self._keep(record, is_ended=True)
        self._tokens[summary.owner, day_of(summary.ended_wall_s)] += tokens
        await self.release(TaskId(summary.task), summary.owner)

    async def record(self, task: TaskId) -> TaskRecord | None:
        """Return what is known of a task; without a report while it runs; None where nothing is."""
        self._forget_expired()
        kept = self._tasks.get(task)
        return None if kept is None else kept.record

    async def tasks(self, which: TaskFilter) -> tuple[TaskSummary, ...]:
        """Return a part of the list, the newest first."""
        checked_filter(which)
        self._forget_expired()
        found = [
            summary
            for task, kept in sorted(self._tasks.items(), reverse=True)
            if (not which.after or task < which.after)
            and which.owner in {None, (summary := kept.record.summary).owner}
            and which.status in {"", summary.status}
        ]
        return tuple(found[: which.tasks_max])

    async def forget(self, task: TaskId) -> None:
        """Remove a task from the list, and its record; one that runs stays."""
        if self._is_ended(task):
            del self._tasks[task]

    async def admit(self, task: TaskId, owner: str, until_wall_s: float, tasks_max: int) -> bool:
        """Count a task among its owner's that run, unless there are as many as there may be."""
        now = self._clock.wall()
        running = {each: until for each, until in self._running[owner].items() if until > now}
        self._running[owner] = running
        if task in running or self._is_ended(task):
            return True
        if len(running) >= tasks_max:
            return False
        running[task] = until_wall_s
        return True

    async def release(self, task: TaskId, owner: str) -> None:
        """Count a task no longer that was not begun after all."""
        self._running[owner].pop(task, None)

    async def tokens_of_day(self, owner: str, wall_s: float) -> int:
        """Return what the owner's ended tasks have used on the day (UTC) of an instant."""
        return self._tokens[owner, day_of(wall_s)]

    async def use_key(self, owner: str, key: str, use: KeyUse) -> KeyUse:
        """Let an idempotency key of an owner stand for a task, for `KEY_KEPT_S`."""
        self._forget_expired()
        kept, _ = self._keys.setdefault((owner, key), (use, self._clock.wall() + KEY_KEPT_S))
        return kept

    def _keep(self, record: TaskRecord, *, is_ended: bool) -> None:
        until = self._clock.wall() + RECORD_KEPT_S
        self._tasks[record.summary.task] = _KeptRecord(record, is_ended, until)

    def _is_ended(self, task: str) -> bool:
        kept = self._tasks.get(task)
        return kept is not None and kept.is_ended

    def _forget_expired(self) -> None:
        now = self._clock.wall()
        self._tasks = {
            task: kept for task, kept in self._tasks.items() if kept.expires_wall_s > now
        }
        self._keys = {key: (use, until) for key, (use, until) in self._keys.items() if until > now}
