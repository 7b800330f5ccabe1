"""What `cluster.memory.state.port` takes and returns: attempts, edits, entries, heads, pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from cluster.kernel.ids import NO_TASK, StepId, TaskId


@dataclass(frozen=True, slots=True)
class StepKey:
    """An attempt at a step: the generation says which one.

    Without a task it is a person's: they make one attempt, which needs no `StateLog.begin`.
    """

    task: TaskId
    step: StepId
    generation: int = 1

    @property
    def is_redoable(self) -> bool:
        """Whether another attempt may follow, until the step is settled."""
        return self.task != NO_TASK


@dataclass(frozen=True, slots=True)
class PendingEdit:
    """An edit that has no version yet."""

    ordinal: int
    """Of the edits of an attempt to one document, from 1 and ascending."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """A new attempt at a step."""

    generation: int
    documents: tuple[str, ...]
    """Those that earlier attempts have written to, by their names: what they wrote is to be
    withdrawn, unless this one does."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an append: all of its edits are in the log now, or none."""

    version: int
    """Of the last one; 0 where nothing was written, since the document is another one."""
    added: int
    """How many were new: the others had been written before, by a try whose answer was lost."""
    incarnation: int = field(default=0, compare=False)
    """Of the document."""


class LogEntry(NamedTuple):
    """An edit in the log; a tuple, since a page has hundreds."""

    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LogSnapshot:
    """What all entries up to a version come to."""

    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where a log is; all 0 where there is no document."""

    version: int
    incarnation: int
    """Tells a document from an earlier one of its name, that was deleted, expired, or was lost with
    its store: whoever knows another incarnation, or a later version, reads it from the start."""
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some of a log; the next page is what follows its last entry, up to the head."""

    head: LogHead
    settled: int
    """Up to which version no entry can be withdrawn any more: a snapshot goes no further."""
    snapshot: LogSnapshot | None
    """Where the entries that were asked for are not all in the log any more."""
    entries: tuple[LogEntry, ...]
