"""Who may own a task: whether its owner is gone, whether one more is admitted.

Pure: `cluster.runtime.tasks.claimant` reads the leases and the journals, and claims; the engine
beside it admits. Which Manager a driver asks is decided in `cluster.kernel.tasks.failover`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cluster.kernel.ids import AgentId, TaskId

UNACCEPTED_KEPT_S = 3600.0
"""How long a task stays open that was claimed and never accepted: its driver may ask again."""
RETRY_AFTER_S_MIN = 0.2
RETRY_AFTER_S_MAX = 30.0
DURATION_WEIGHT = 1 / 8
"""Of the newest task in the moving average of how long one takes."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The incarnation of a Manager that owns a task."""

    agent: AgentId
    epoch: int


def is_abandoned(owner: Owner, ours: Owner, leased: Collection[Owner]) -> bool:
    """Say whether a task's owner is gone: we are its next incarnation, or its lease is."""
    if owner.agent == ours.agent:
        return owner.epoch <= ours.epoch
    return owner not in leased


def may_adopt(task: TaskId, now_wall_s: float, *, is_accepted: bool) -> bool:
    """Say whether an abandoned task is taken over, be it to end it.

    One that was never accepted is left to its driver for a while. The age is that of the task's id,
    whose first 48 bits are Unix milliseconds.
    """
    return is_accepted or now_wall_s - int(task[:12], 16) / 1000 >= UNACCEPTED_KEPT_S


def retry_after_s(tasks: int, tasks_max: int, task_s: float) -> float | None:
    """Return when a Manager with so many tasks may take one more, None where it may now.

    ``task_s`` is how long a task takes: in half of it, on average, one of them ends.
    """
    if tasks < tasks_max:
        return None
    return min(max(task_s / 2, RETRY_AFTER_S_MIN), RETRY_AFTER_S_MAX)


def task_s_after(task_s: float, took_s: float) -> float:
    """Return how long a task takes, as a moving average, when one more has ended."""
    return task_s + (took_s - task_s) * DURATION_WEIGHT
