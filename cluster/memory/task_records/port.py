"""The records of tasks: a port with two implementations.

`cluster.memory.task_records.redis` is the real one, `cluster.memory.task_records.local` its twin;
both pass `tests/conformance/task_records_contract.py`. The owner of a task writes its record, at
its beginning and at its end; the ingress reads it, counts by it, and keeps idempotency keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cluster.kernel.errors import UsageError
from cluster.kernel.feed import TaskRecord, TaskSummary
from cluster.kernel.ids import TaskId


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks are listed; the newest come first.

    They are in the order of their ids, which begin with the time at which they were made.
    """

    owner: str | None = None
    """Only those of this owner; None for all of them."""
    status: str = ""
    """Only those with this status, as in `TaskSummary`; empty for any."""
    after: TaskId = TaskId("")
    """Only those that were submitted before this one, listed still or not; empty for the newest."""
    tasks_max: int = 50


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What an idempotency key stands for."""

    task: TaskId
    digest: str
    """Of the request that came with it first."""


class TaskRecords(Protocol):
    """The records of one cluster's tasks. Every method ends within the store's own timeout.

    Raises:
        StoreUnavailable: from every method; whether it took effect is then unknown. All may be
            repeated.
    """

    async def began(self, summary: TaskSummary) -> None:
        """List a task that runs, for `RECORD_KEPT_S` from here; one that has ended stays so."""
        ...

    async def ended(self, record: TaskRecord, *, tokens: int) -> None:
        """Keep what has become of a task, for `RECORD_KEPT_S`; only the first end counts.

        Args:
            record: with the summary of a task that has ended.
            tokens: what its model calls have used; counted as its owner's of that day (UTC).
        """
        ...

    async def record(self, task: TaskId) -> TaskRecord | None:
        """Return what is known of a task; without a report while it runs; None where nothing is."""
        ...

    async def tasks(self, which: TaskFilter) -> tuple[TaskSummary, ...]:
        """Return a part of the list, the newest first.

        Raises:
            UsageError: no task is asked for, or more than `LISTED_MAX`.
        """
        ...

    async def forget(self, task: TaskId) -> None:
        """Remove a task from the list, and its record; one that runs stays."""
        ...

    async def admit(self, task: TaskId, owner: str, until_wall_s: float, tasks_max: int) -> bool:
        """Count a task among its owner's that run, unless there are as many as there may be.

        It counts until it has ended, or until that instant. Once it is counted, it stays so; one
        that has ended already is let pass, and not counted.
        """
        ...

    async def release(self, task: TaskId, owner: str) -> None:
        """Count a task no longer that was not begun after all."""
        ...

    async def tokens_of_day(self, owner: str, wall_s: float) -> int:
        """Return what the owner's ended tasks have used on the day (UTC) of an instant."""
        ...

    async def use_key(self, owner: str, key: str, use: KeyUse) -> KeyUse:
        """Let an idempotency key of an owner stand for a task, for `KEY_KEPT_S`.

        Returns:
            What it stands for: something else than ``use`` where it was used before.
        """
        ...


RECORD_KEPT_S = 7 * 24 * 3600.0
KEY_KEPT_S = 24 * 3600.0
TOKENS_KEPT_S = 2 * 24 * 3600.0
"""How long a day's tokens are counted on: the day, and whoever asks of it a little later."""
LISTED_MAX = 500
"""A goal may have 100,000 characters, and a list has them all."""
_DAY_S = 24 * 3600.0


def checked_filter(which: TaskFilter) -> None:
    """Look at how much is asked for.

    Raises:
        UsageError: nothing, or too much.
    """
    if not 1 <= which.tasks_max <= LISTED_MAX:
        raise UsageError(f"a list has 1 to {LISTED_MAX} tasks at a time, not {which.tasks_max}")


def day_of(wall_s: float) -> int:
    """Return the day (UTC) of an instant, as a number of days since 1970."""
    return int(wall_s // _DAY_S)
