"""The `Turn` that a handler sees of its message and of the world.

`cluster.runtime.turns.turn_body` makes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

from cluster.kernel.clock import Deadline
from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import DeadlinePassed, Overloaded, UsageError
from cluster.kernel.events import AgentDetail, Event, Thought
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.runtime.messaging.sender import AskObserver, Sender
from cluster.runtime.turns.work import Work

_log = logging.getLogger(__name__)

_MAY_EMIT = ", ".join(each.__name__ for each in get_args(AgentDetail))


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

        Raises:
            UsageError: an agent may not say that.
        """
        if not isinstance(detail, AgentDetail):
            raise UsageError(
                f"{self.agent} emitted {type(detail).__name__}, and an agent may only emit"
                f" {_MAY_EMIT}: what becomes of a task and its steps is its Manager's to say"
            )
        if self.on_emit is not None:
            self.on_emit(detail)
        else:
            self._tell(detail, is_thought=isinstance(detail, Thought))

    def show(self, event: Event) -> None:
        """Send an event of a task to the driver that asked for it; for the task's owner alone."""
        self._tell(event, is_thought=isinstance(event.detail, Thought))

    def _tell(self, news: object, *, is_thought: bool) -> None:
        """Send news to whoever asked.

        Where that one is too slow, thoughts are left out long before other facts are.
        """
        if not self.work.askers:
            return
        message = self.sender.codec.encode(news)
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
