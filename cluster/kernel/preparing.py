"""What an agent is told beside a `Prepare`, which comes before the step that it is about.

`cluster.runtime.turns.preparations` makes it; an agent with a method ``prepare`` gets it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.ids import AgentId, TaskId


@dataclass(frozen=True, slots=True)
class PrepareContext:
    """For whom an agent gets ready, and how long that may take."""

    task: TaskId
    agent: AgentId
    traceparent: str = ""
    timeout_s: float = 0.0
    """From its start; it is cancelled then."""
