"""What is remembered of an envelope that was given up; a plain value."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.envelope import Envelope
from cluster.kernel.ids import AgentId, StepId, TaskId


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An envelope that is sent no more, since each incarnation that had it died."""

    at_s: float
    """Unix seconds."""
    sender: AgentId
    recipient: AgentId
    task: TaskId
    step: StepId
    body_type: str
    attempts: int
    reason: str
    number: int = 0
    """How many the cluster had given up with this one; 0 before the store has it."""

    @classmethod
    def of(cls, envelope: Envelope, at_s: float, reason: str) -> DeadLetter:
        """Return what is remembered of an envelope that is given up at an instant of Unix time."""
        return cls(
            at_s,
            envelope.sender,
            envelope.recipient,
            envelope.task,
            envelope.step,
            envelope.body_type,
            envelope.attempt,
            reason,
        )
