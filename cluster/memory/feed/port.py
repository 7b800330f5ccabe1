"""The feed of each task: a port with two implementations.

`cluster.memory.feed.redis` is the real one, `cluster.memory.feed.local` its in-memory twin; both
pass `tests/conformance/feed_contract.py`. Entries are protobuf bytes of events. Only the owner of a
task writes its feed, and an older owner is refused as it is by the journal; anybody reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cluster.kernel.errors import StaleEpoch, UsageError
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import TaskId


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An event of a feed, as bytes, and its place."""

    cursor: Cursor
    event: bytes


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What follows a cursor."""

    entries: tuple[FeedEntry, ...]
    trimmed: Cursor = BEFORE_ALL
    """The last entry that is no longer kept; whoever asked for what follows an older one has
    missed something."""


@dataclass(frozen=True, slots=True)
class FeedTail:
    """How far a feed has got."""

    last: Cursor = BEFORE_ALL
    index: int = 0
    """The highest number of the task's journal among its events; 0 for none."""
    is_final: bool = False
    """It has the task's terminal event."""


class TaskFeed(Protocol):
    """The feeds of one cluster's tasks. Every method ends within the store's own timeout.

    Raises:
        StoreUnavailable: from every method; whether it took effect is then unknown. All may be
            repeated.
    """

    async def tail(self, task: TaskId) -> FeedTail:
        """Return how far a feed has got."""
        ...

    async def begin_term(self, task: TaskId, term: int) -> FeedTail:
        """Refuse from now on what older terms append, and return how far the feed has got.

        Before an owner adds what its feed lacks, so that nobody else adds the same meanwhile.

        Raises:
            StaleEpoch: a later term has begun.
        """
        ...

    async def append(
        self,
        task: TaskId,
        first: Cursor,
        entries: Sequence[bytes],
        *,
        index: int,
        is_final: bool = False,
    ) -> None:
        """Add entries at ``first`` and the following numbers, all or none; a repetition is once.

        Args:
            task: whose feed.
            first: its number continues its term's, from 1.
            entries: one or more events; as many as before, where it is a repetition.
            index: the highest number of the journal among these and all before.
            is_final: the last of them is terminal; the feed is kept for `ENDED_KEPT_S` then.

        Raises:
            StaleEpoch: a later term has begun, or the feed has its terminal event.
            UsageError: there are no entries, or ``first`` leaves a gap.
        """
        ...

    async def read(self, task: TaskId, after: Cursor, entries_max: int) -> FeedPage:
        """Return what follows a cursor; nothing of a task that is not known, or no longer."""
        ...

    async def wait(self, after: Mapping[TaskId, Cursor], timeout_s: float) -> frozenset[TaskId]:
        """Return those feeds that have more than the cursors, as soon as any has; none in time.

        One call waits for all that a process follows.
        """
        ...

    async def forget(self, task: TaskId) -> None:
        """Remove a feed."""
        ...

    async def close(self) -> None:
        """End all waiting; a call that waits, and later ones, raise `StoreUnavailable`."""
        ...


ENTRIES_MAX = 20_000
"""Of one feed; the oldest go first."""
ENDED_KEPT_S = 24 * 3600.0
"""How long a feed is kept from the end of its task; its record stays longer."""
SILENT_KEPT_S = 7 * 24 * 3600.0
"""How long a feed is kept from its last entry, where its terminal event never came: its owner died
between that of the journal and that of the feed."""


def checked_append(task: TaskId, first: Cursor, entries: Sequence[bytes]) -> None:
    """Look at what is to be appended.

    Raises:
        UsageError: there are no entries, or ``first`` is no entry's place.
    """
    if not entries or first.term < 1 or first.number < 1:
        raise UsageError(
            f"task {task}: a feed takes one entry or more, the first place 1.1 or later, "
            f"not {len(entries)} from {first}"
        )


def superseded(task: TaskId, first: Cursor) -> StaleEpoch:
    """Return the error of an owner that has been replaced, or of one that writes past the end."""
    return StaleEpoch(
        f"entry {first} of the feed of task {task} comes too late: another Manager has written to "
        "it, or it has ended"
    )


def leaves_gap(task: TaskId, first: Cursor) -> UsageError:
    """Return the error of entries that neither continue a feed nor repeat its end."""
    return UsageError(f"entry {first} does not continue the feed of task {task}")
