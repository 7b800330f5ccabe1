"""Logs of the documents of shared state: a port with two implementations.

`cluster.memory.state.redis` is the real one, `cluster.memory.state.local` its in-memory twin; both
pass `tests/conformance/state_log_contract.py`. A log is a sequence of edits with the versions 1, 2,
and so on, whoever wrote them; a snapshot stands for all entries up to a version, and those stay for
a while as history. What an edit or a snapshot says is none of this port's business: it is bytes.
How much of all is taken and kept, `cluster.memory.state.limits` says.

An edit is written once, whatever crashes: it has an ordinal within its attempt at a step, and an
attempt that is followed by another one writes nothing any more. Until a step is settled, entries of
its latest attempt can be withdrawn, so no snapshot may stand for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cluster.kernel.ids import StepId, TaskId
from cluster.memory.namespaces.port import Feed
from cluster.memory.state.entries import (
    Appended,
    Begun,
    LogHead,
    LogPage,
    LogSnapshot,
    PendingEdit,
    StepKey,
)
from cluster.memory.state.marks import StepMarks


class StateLog(Protocol):
    """Every method ends within the store's own timeout, and may be repeated.

    Raises:
        StoreUnavailable: from every method; whether it took effect is then unknown, but never in
            part. A store that takes no more (read-only, full) refuses all that writes, and answers
            what reads.
    """

    async def begin(self, task: TaskId, step: StepId, marks: StepMarks | None = None) -> Begun:
        """Begin a new attempt at a step: from now on earlier ones write nothing.

        Repeated, it begins another one. With ``marks`` it looks, in the same instant, whether the
        step has a result, and leaves its generation for whoever records one.

        Raises:
            StaleEpoch: the task has ended, the step is settled, or it has a result.
        """
        ...

    async def settle(self, task: TaskId, step: StepId) -> None:
        """Note that no attempt at the step will follow, since its result is recorded.

        Where it is not called, the end of the task settles all of its steps.
        """
        ...

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
        """Give edits the next versions, all in one step and in their order.

        They are durable when this returns, as far as the server's own settings go. An attempt
        writes to one document in the order of its ordinals, one append at a time, and repeats what
        was not answered: an edit whose ordinal isn't over the latest that is known has been
        written before. With ``ttl_s`` the document is gone that long after; without, it stays as
        it is. With an ``incarnation`` nothing is written, and a version of 0 returned, where the
        document is another one by now: what an edit says of versions would be wrong there. With
        ``is_upkeep`` it may take `UPKEEP_BYTES_MAX` beyond what a log may have: what lets a log be
        shortened must fit into a full one.

        Raises:
            StaleEpoch: there is a later attempt at the step, or its task has ended.
            StateDeleted: the document was deleted, at most `DELETED_KEPT_S` ago.
            Overloaded: `LOG_BYTES_MAX` would be exceeded; a snapshot makes room.
            UsageError: there are no edits, too many, too large ones, or their ordinals don't
                ascend from 1 or later.
        """
        ...

    async def read(self, document: str, after: int = 0) -> LogPage:
        """Return a page of what is newer than a version.

        The snapshot comes along where it is newer than that: then the entries follow it.
        """
        ...

    async def put_snapshot(self, document: str, incarnation: int, snapshot: LogSnapshot) -> bool:
        """Let a snapshot stand for the entries up to its version, which become history.

        Returns:
            False, and nothing changes, where there is a snapshot as new, the version isn't there or
            not settled, or the document is none of that incarnation (deleted, say).

        Raises:
            UsageError: it is over `SNAPSHOT_BYTES_MAX`.
        """
        ...

    async def history(self, document: str, after: int = 0) -> LogPage:
        """Return the entries that are still kept, those of before the snapshot too, in pages.

        Of these the latest `HISTORY_MAX` are kept, or fewer where they are large.
        """
        ...

    async def heads(self, documents: Sequence[str]) -> dict[str, LogHead]:
        """Return where logs are, all at one moment."""
        ...

    async def names(self, prefix: str = "") -> list[str]:
        """Return the documents whose names begin so, sorted; no deleted ones."""
        ...

    async def delete(self, document: str) -> LogHead:
        """Delete a document, its log and its history; what is deleted, or isn't there, stays so.

        It works on a full store too. Its head stays for `DELETED_KEPT_S`, one version on.
        """
        ...

    async def expire(self, task: TaskId, ttl_s: float) -> None:
        """Note that a task has ended: its documents are kept for that time from now.

        Its documents are those whose names begin with `task_prefix`. Its steps are settled, and
        none of them writes to any document any more.
        """
        ...

    async def begun(self) -> set[TaskId]:
        """Return the tasks that have begun a step, and whose end was not noted."""
        ...

    async def feed(self) -> Feed:
        """Open a feed of the names of documents that are appended to, or deleted."""
        ...


def task_prefix(task: TaskId) -> str:
    """Return what the names of a task's documents begin with."""
    return f"task/{task}/"
