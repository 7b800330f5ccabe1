"""One message on its way through an agent, and the `Turn` that its handler sees.

`cluster.runtime.turns.runner` makes, runs and ends them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from cluster.kernel.clock import Deadline
from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import DeadlinePassed, Overloaded
from cluster.kernel.events import Event, Thought
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.turn_life import Ending, Phase
from cluster.kernel.vocabulary import Assignment
from cluster.runtime.messaging.asks import AskObserver
from cluster.runtime.messaging.sender import Sender
from cluster.wire.messages import PACKAGE

_log = logging.getLogger(__name__)

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


@dataclass(slots=True, eq=False)
class RunningTurn:
    """The runtime's `Turn`: what a handler sees of its message and of the world.

    Nobody changes one; frozen it would take three times as long to make.
    """

    work: Work
    sender: Sender
    deadline: Deadline
    step: StepId
    on_emit: Callable[[object], None] | None = None
    """Takes what the handler emits; None sends it to whoever asked."""

    @property
    def task(self) -> TaskId:
        """The task it works for."""
        return self.work.asked.task

    @property
    def agent(self) -> AgentId:
        """The agent whose turn it is."""
        return self.work.asked.recipient

    @property
    def traceparent(self) -> str:
        """Trace context of the message being handled."""
        return self.work.asked.traceparent

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return self.deadline.remaining_s(self.sender.clock.now())

    def emit(self, detail: object) -> None:
        """Send progress to whoever asked.

        Where that one is too slow, thoughts are left out long before other facts are.
        """
        if self.on_emit is not None:
            self.on_emit(detail)
            return
        if not self.work.askers:
            return
        message = self.sender.codec.encode(detail)
        is_thought = isinstance(detail.detail if isinstance(detail, Event) else detail, Thought)
        for asker in self.work.askers:
            envelope = self.sender.sealed(asker.sender, Kind.PROGRESS, message)
            self._about(envelope).cause = asker.id
            envelope.is_dispensable = is_thought
            try:
                self.sender.exchange.post(envelope)
            except Overloaded:
                if not is_thought:
                    _log.warning("progress of %s was dropped: the asker is too slow", self.task)

    async def ask(self, recipient: str, message: object, timeout_s: float | None = None) -> object:
        """Ask a role or an agent."""
        return await self.ask_observed(recipient, message, timeout_s)

    async def ask_observed(
        self,
        recipient: str,
        message: object,
        timeout_s: float | None,
        observer: AskObserver | None = None,
        avoid: frozenset[AgentId] = frozenset(),
        *,
        is_replaceable: bool = False,
    ) -> object:
        """Ask a role or an agent, and see the answer come about.

        With ``is_replaceable`` the wait ends as `Sender.ask_replaceable` says.
        """
        agent = await self.sender.replica_of(recipient, avoid)
        envelope = self._about(self.sender.envelope(agent, Kind.ASK, message))
        now = self.sender.clock.now()
        deadline = self.deadline if timeout_s is None else self.deadline.sooner(timeout_s, now)
        if deadline.is_passed(now):
            raise DeadlinePassed(f"no time was left to ask {recipient}")
        envelope.deadline_at = deadline.at
        if is_replaceable and observer is not None:
            return await self.sender.ask_replaceable(envelope, observer)
        return await self.sender.ask(envelope, observer)

    def _about(self, envelope: Envelope) -> Envelope:
        asked = self.work.asked
        envelope.task = asked.task
        envelope.step = self.step
        envelope.cause = asked.id
        envelope.trust = Trust.AGENT
        envelope.traceparent = asked.traceparent
        return envelope

    def at_step(
        self, step: StepId, deadline: Deadline, on_emit: Callable[[object], None]
    ) -> RunningTurn:
        """Return this turn as it looks from one of the task's steps."""
        return replace(self, step=step, deadline=deadline, on_emit=on_emit)
