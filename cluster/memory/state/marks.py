"""Where the central store says how far a step is, for those who record its result.

Made by `cluster.runtime.turns.step_records`, for `cluster.memory.state.port.StateLog.begin`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.ids import TaskId


@dataclass(frozen=True, slots=True)
class StepMarks:
    """Keys of the central store by which others see how far a step of a task is."""

    task: TaskId
    record: str
    """Where its result will be: once that is there, no attempt at the step begins."""
    attempt: str
    """Where the generation of the latest attempt is, as text: a fence for records of earlier
    ones."""
    kept_s: float
    """How long that stays there."""
