"""The `Turn` that a handler sees of its message and of the world.

`cluster.runtime.turns.turn_body` makes them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.kernel.clock import Deadline
from cluster.kernel.envelope import Kind
from cluster.kernel.errors import DeadlinePassed, Overloaded
from cluster.kernel.events import Event, Spent, Thought, is_model_fallback
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.accounts import Account
from cluster.kernel.turn import agent_detail
from cluster.memory.state.marks import StepMarks
from cluster.runtime.messaging.sender import AskObserver, Sender
from cluster.runtime.sharing.sharing_turn import SharingTurn
from cluster.runtime.turns.work import Work

if TYPE_CHECKING:
    from cluster.memory.state.host.attempt import EditAttempt
    from cluster.memory.state.host.documents import Documents

TakePrepared = Callable[[TaskId, StepId], Awaitable[object]]

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class RunningTurn(SharingTurn):
    """The runtime's `Turn`: what a handler sees of its message and of the world.

    Nobody changes one; frozen it would take three times as long to make.
    """

    work: Work
    sender: Sender
    deadline: Deadline
    step: StepId
    marks: StepMarks | None = None
    """Where the result of its step is recorded; None where it does none of a plan."""
    take_prepared: TakePrepared | None = None
    """Hands over what its agent has got ready for a step; None where it does no such thing."""
    account: Account | None = None
    """Of its models and tools; None where it has used none."""

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

    async def prepared(self) -> object:
        """Return what the agent's `prepare` has come to for this step; None where it has not."""
        if self.take_prepared is None:
            return None
        return await self.take_prepared(self.task, self.step)

    async def begin_attempt(self, documents: Documents) -> EditAttempt:
        """Return the author of all that is edited: an attempt at its step, or else the message.

        A step is done again after a crash, and then replaces what it had edited. A message that is
        none is only handled again where nobody knows whether it was, with the same id: what it has
        edited by then stays, and counts once.
        """
        from cluster.memory.state.host.attempt import EditAttempt

        if self.marks is None:
            return EditAttempt.of_message(self.work.asked.id, self.agent)
        return await documents.begin(self.task, self.step, self.agent, self.marks)

    def emit(self, detail: object) -> None:
        """Send progress to whoever asked.

        Raises:
            UsageError: an agent may not say that.
        """
        news = agent_detail(self.agent, detail)
        if isinstance(news, Spent) or is_model_fallback(news):
            if self.account is None:
                self.account = Account()
            self.account.note(news)
        self._tell(news, is_thought=isinstance(news, Thought))

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
            envelope = self.sender.about(
                asker, asker.sender, Kind.PROGRESS, message, is_dispensable=is_thought
            )
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
    ) -> object:
        """Ask a role or an agent, and see the answer come about."""
        sender, asked = self.sender, self.work.asked
        agent = await sender.replica_of(recipient, frozenset())
        now = sender.clock.now()
        deadline = self.deadline if timeout_s is None else self.deadline.sooner(timeout_s, now)
        if deadline.is_passed(now):
            raise DeadlinePassed(f"no time was left to ask {recipient}")
        encoded = sender.codec.encode(message)
        ask = sender.about(asked, agent, Kind.ASK, encoded, deadline_at=deadline.at)
        return await sender.ask(ask, observer)
