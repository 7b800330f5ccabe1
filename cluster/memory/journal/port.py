"""The journal of each task as its owner sees it: a port with two implementations.

`cluster.memory.journal.redis` is the real one, `cluster.memory.journal.local` its in-memory twin;
both pass `tests/conformance/journal_contract.py`. Entries are protobuf bytes; what they say is the
business of `cluster.kernel.tasks.history`. Ownership is a term: every claim takes the next one, and
only the newest may append (the fencing token of M. Kleppmann, "How to do distributed locking",
2016).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cluster.kernel.errors import StaleEpoch, UsageError, WireError
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.ownership import Owner


@dataclass(frozen=True, slots=True)
class Ownership:
    """Ownership of a task: its term, and the journal at that moment, entry n at position n - 1."""

    term: int
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task without a final entry: who claimed it last, and in which term."""

    owner: Owner
    term: int


class Journal(Protocol):
    """The journals of one cluster's tasks. Every method ends within the store's own timeout.

    Raises:
        StoreUnavailable: from every method; whether it took effect is then unknown. All may be
            repeated: a repeated `claim` only takes another term.
    """

    async def claim(
        self, task: TaskId, owner: Owner, *, expected_term: int | None = None
    ) -> Ownership | None:
        """Take the ownership of a task, new or not; the older owner is fenced off from now on.

        A task that has its final entry can be claimed too, to read how it ended; it stays ended.

        Returns:
            None, and nothing changes, where ``expected_term`` is given and isn't the task's term
            (a task that nobody claimed yet has term 0).
        """
        ...

    async def accept(self, task: TaskId, owner: Owner, entries: Sequence[bytes]) -> bool:
        """Claim a task that nobody has claimed, and begin its journal with some entries: in term 1.

        All or nothing, in one step that is durable as an `append` is. A repetition by the same
        owner, with as many entries and before anything else was appended, changes nothing.

        Returns:
            False, and nothing changes, where somebody else, or an earlier call, has claimed it.

        Raises:
            UsageError: there are no entries.
        """
        ...

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        """Add entries as number ``index`` and following (the first ever is 1), all or none.

        They are durable when this returns, as far as the server's own settings go. A repetition
        with the same term, index and number of entries changes nothing. With ``is_final`` the task
        is no longer open, and its journal is kept for the time of `acknowledge`'s contract.

        Raises:
            StaleEpoch: another owner has claimed the task, or the task has ended.
            WireError: ``index`` leaves a gap, or other entries are there than a repetition of
                this would have left.
            UsageError: there are no entries, or ``index`` is under 1.
        """
        ...

    async def confirm(self, task: TaskId, term: int) -> None:
        """Return where an append of this term would be taken now; nothing changes.

        Raises:
            StaleEpoch: as `append`.
        """
        ...

    async def read(self, task: TaskId) -> tuple[bytes, ...]:
        """Return all entries; none for a task that is not known, or no longer."""
        ...

    async def open_tasks(self) -> dict[TaskId, OpenTask]:
        """Return every task that was claimed and has no final entry."""
        ...

    async def unrecorded(self) -> frozenset[TaskId]:
        """Return the tasks that have ended, of which `recorded` was not told.

        One that ended longer than `ENDED_KEPT_S` ago may be left out.
        """
        ...

    async def recorded(self, tasks: Collection[TaskId]) -> None:
        """The ends of some tasks have been written where people look for them."""
        ...

    async def acknowledge(self, task: TaskId, index: int) -> None:
        """The driver has seen everything up to ``index``.

        Nothing of a task that hasn't ended is ever trimmed. Once its final entry is acknowledged, a
        journal is kept for `ACKNOWLEDGED_KEPT_S`; until then for `ENDED_KEPT_S` from its end.
        """
        ...


ACKNOWLEDGED_KEPT_S = 3600.0
ENDED_KEPT_S = 24 * 3600.0


def checked_entries(task: TaskId, index: int, entries: Sequence[bytes]) -> Sequence[bytes]:
    """Return the entries of an append as they are.

    Raises:
        UsageError: there are none, or ``index`` is under 1.
    """
    if index < 1 or not entries:
        raise UsageError(
            f"task {task}: an append is one entry or more, the first number 1 or later, "
            f"not {len(entries)} from {index}"
        )
    return entries


def fenced(task: TaskId, term: int) -> StaleEpoch:
    """Return the error of an owner that is none any more."""
    return StaleEpoch(
        f"term {term} of task {task} is over: another Manager has claimed it, or it has ended"
    )


def conflict(task: TaskId, index: int) -> WireError:
    """Return the error of an append that neither continues a journal nor repeats its end."""
    return WireError(
        f"entry {index} neither continues the journal of task {task} nor repeats what it holds: "
        "claim the task again and read it"
    )
