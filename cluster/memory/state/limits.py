"""How much the logs of shared state take and keep, and how they refuse.

For both implementations of `cluster.memory.state.port`, so that they refuse the same in one way.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from cluster.kernel.errors import Overloaded, StaleEpoch, StateDeleted, UsageError
from cluster.kernel.ids import StepId, TaskId
from cluster.memory.state.entries import LogSnapshot, PendingEdit, StepKey

EDIT_BYTES_MAX = 256 * 1024
SNAPSHOT_BYTES_MAX = 4 * 1024 * 1024
APPEND_BYTES_MAX = 1024 * 1024
"""Of the edits of one append."""
APPEND_EDITS_MAX = 256
"""The store serves nobody else meanwhile: some 3 us an edit."""
LOG_BYTES_MAX = 8 * 1024 * 1024
"""Of the entries of a document that no snapshot stands for."""
UPKEEP_BYTES_MAX = 256 * 1024
"""How far withdrawals and seals may go beyond: without them a full log would stay full."""
HISTORY_MAX = 1_000
"""Entries that are kept of those that a snapshot stands for."""
HISTORY_BYTES_MAX = 2 * 1024 * 1024
PAGE_BYTES_MAX = 1024 * 1024
"""How much a page holds, beside a snapshot; its last entry may go beyond."""
PAGE_ENTRIES_MAX = 500
"""As for appends: some 3 us an entry, and a page of small ones held up everybody for 48 ms."""
DELETED_KEPT_S = 24 * 3600.0
"""How long the store knows that a document was deleted."""
STEPS_KEPT_S = 30 * 24 * 3600.0
"""How long it knows the attempts of a task that never ends, from the latest one."""
PERSON_KEPT_S = 24 * 3600.0
"""How long it knows what a person has written, from their latest edit."""


def checked_edits(document: str, edits: Sequence[PendingEdit]) -> Sequence[PendingEdit]:
    """Return the edits of an append as they are.

    Raises:
        UsageError: as `StateLog.append`.
    """
    ordinals = [0, *(each.ordinal for each in edits)]
    if not 1 <= len(edits) <= APPEND_EDITS_MAX:
        raise UsageError(
            f"an append to {document} has 1 to {APPEND_EDITS_MAX} edits, not {len(edits)}"
        )
    if any(one >= next_one for one, next_one in itertools.pairwise(ordinals)):
        raise UsageError(f"the ordinals of the edits of {document} must ascend from 1 or later")
    sizes = [len(each.data) for each in edits]
    if max(sizes) > EDIT_BYTES_MAX:
        raise UsageError(
            f"an edit of {document} has {max(sizes)} bytes, and {EDIT_BYTES_MAX} are allowed: "
            "keep what is large elsewhere and only name it in shared state"
        )
    if sum(sizes) > APPEND_BYTES_MAX:
        raise UsageError(f"the edits of an append to {document} are over {APPEND_BYTES_MAX} bytes")
    return edits


def checked_snapshot(document: str, snapshot: LogSnapshot) -> LogSnapshot:
    """Return a snapshot as it is.

    Raises:
        UsageError: it is over `SNAPSHOT_BYTES_MAX`.
    """
    if len(snapshot.data) > SNAPSHOT_BYTES_MAX:
        raise UsageError(
            f"{document} has {len(snapshot.data)} bytes, and {SNAPSHOT_BYTES_MAX} are allowed"
        )
    return snapshot


def overtaken(step: StepKey) -> StaleEpoch:
    """Return the error of an attempt that is the latest no more."""
    return StaleEpoch(
        f"attempt {step.generation} at step {step.step} may write nothing any more: "
        "there is a later one, or its task has ended"
    )


def ended(task: TaskId) -> StaleEpoch:
    """Return the error of a step that is begun too late."""
    return StaleEpoch(f"task {task} has ended: no step of it begins any more")


def done(step: StepId) -> StaleEpoch:
    """Return the error of an attempt that is begun too late."""
    return StaleEpoch(f"step {step} has its result: no attempt at it begins any more")


def deleted(document: str) -> StateDeleted:
    """Return the error of an edit that comes too late."""
    return StateDeleted(f"{document} has been deleted")


def overfull(document: str) -> Overloaded:
    """Return the error of a log that no snapshot has shortened."""
    return Overloaded(
        f"the log of {document} has grown to {LOG_BYTES_MAX} bytes without a snapshot"
    )
