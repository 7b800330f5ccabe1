"""The FIXED exit codes, and which of them a task or an error ends with."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from cluster.kernel.errors import (
    Cancelled,
    ClusterError,
    DeadlinePassed,
    TaskFailed,
    UsageError,
)

if TYPE_CHECKING:
    from cluster.kernel.tasks.report import TaskReport


class Exit(IntEnum):
    """How a command ended, for whoever started it."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REPHRASE = 3
    DEADLINE = 124
    INTERRUPTED = 130
    TERMINATED = 143


_BY_KIND = {UsageError.kind: Exit.USAGE, DeadlinePassed.kind: Exit.DEADLINE}


def exit_of_report(report: TaskReport) -> Exit:
    """Return the exit code of a task that has ended."""
    if report.status == "answered":
        return Exit.DONE
    if report.status == "clarify":
        return Exit.REPHRASE
    return _BY_KIND.get(report.failure.kind if report.failure else "", Exit.FAILED)


def exit_of_error(error: ClusterError) -> Exit:
    """Return the exit code of a command that an error ended."""
    if isinstance(error, Cancelled):
        return Exit.INTERRUPTED
    kind = error.failure.kind if isinstance(error, TaskFailed) else error.kind
    return _BY_KIND.get(kind, Exit.FAILED)
