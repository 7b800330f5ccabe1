"""The port through which an agent's handler sees the runtime.

The runtime's implementation is `cluster.runtime.turns.running_turn`; tests use a recording one.
"""

from __future__ import annotations

from typing import Protocol, get_args

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import UsageError
from cluster.kernel.events import AgentDetail
from cluster.kernel.ids import AgentId, StepId, TaskId


class Turn(Protocol):
    """An agent's handling of one message: who it is for, how long it may take, what it may do."""

    @property
    def task(self) -> TaskId:
        """The task it works for."""
        ...

    @property
    def step(self) -> StepId:
        """The step it works for; ``plan`` and ``answer`` are the Manager's own."""
        ...

    @property
    def agent(self) -> AgentId:
        """The agent whose turn it is."""
        ...

    @property
    def deadline(self) -> Deadline:
        """When it must have ended, on the runtime's monotonic clock."""
        ...

    @property
    def traceparent(self) -> str:
        """W3C trace context of the message being handled; empty where there is none."""
        ...

    def remaining_s(self) -> float:
        """Return the seconds left until the deadline."""
        ...

    def emit(self, detail: AgentDetail) -> None:
        """Tell the task's owner, and through it the user, what just happened. Never waits.

        Raises:
            UsageError: the detail is a fact of the task, which only its owner may state.
        """
        ...

    async def ask(self, recipient: str, message: object, timeout_s: float | None = None) -> object:
        """Send a message to a role or an agent and return its answer.

        Raises:
            ClusterError: as the recipient answered, or why no answer came within the time.
        """
        ...


def agent_detail(agent: AgentId, detail: object) -> AgentDetail:
    """Return what an agent may say of its own work.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(detail, AgentDetail):
        allowed = ", ".join(each.__name__ for each in get_args(AgentDetail))
        raise UsageError(
            f"{agent} emitted {type(detail).__name__}, and an agent may only emit"
            f" {allowed}: what becomes of a task and its steps is its Manager's to say"
        )
    return detail
