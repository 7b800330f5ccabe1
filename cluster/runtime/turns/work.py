"""One message on its way through an agent: who asked, what runs it, how it was ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.tasks.turn_life import Ending, Phase
from cluster.kernel.vocabulary import Assignment
from cluster.wire.messages import PACKAGE

ASSIGNMENT = PACKAGE + Assignment.__name__


def step_key_of(asked: Envelope) -> tuple[TaskId, StepId] | None:
    """Return the step of a plan that a message asks for, None where it asks for something else."""
    is_step = asked.body_type == ASSIGNMENT and asked.kind is Kind.ASK
    return (asked.task, asked.step) if is_step else None


@dataclass(slots=True, eq=False)
class Work:
    """A message on its way through the agent, and who waits for what it comes to."""

    asked: Envelope
    askers: list[Envelope]
    step_key: tuple[TaskId, StepId] | None = None
    """The step it does, where it is one of a plan's."""
    phase: Phase = Phase.QUEUED
    task: asyncio.Task[None] | None = None
    """What runs it, once it has begun: what has not can't be cancelled, or nobody was answered."""
    has_waited: bool = False
    """It did not end in the pass of the event loop in which it began."""
    deadline_at: float | None = None
    """By when the agent must have handled it, while it does; monotonic."""
    ending: Ending | None = None
    last_word: object | None = None
    """What its askers are told where it was ended from outside, instead of that."""
