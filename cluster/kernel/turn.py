"""The port through which an agent's handler sees the runtime.

The runtime's implementation is `cluster.runtime.turns.running_turn`; tests use a recording one.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar, get_args

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import UsageError
from cluster.kernel.events import AgentDetail, Routed, StepPlanned
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.reads import Reads

State = TypeVar("State")
"""A subclass of `cluster.state.SharedState`."""


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

    @property
    def reads(self) -> Reads:
        """Where to note what its result is made from, beside shared state, which does it itself.

        Whoever cites documents says so with `Reads.passages`: where one of them changes before the
        result has arrived, the step is done again.
        """
        ...

    def remaining_s(self) -> float:
        """Return the seconds left until the deadline."""
        ...

    async def prepared(self) -> object:
        """Return what the agent's ``prepare`` has come to for this step, waiting for its end.

        None where the agent was not told of the step, where getting ready has failed or took too
        long, and every further time: whatever depends on it has to be there without it.
        """
        ...

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        """Edit a shared document: ``async with turn.state(Board) as board: ...``.

        What is changed in the block is written when it is left, and seen here at once; where the
        block raises, nothing is. It may span awaits: others go on meanwhile, and their edits and
        this one merge, as the class says. A step that is done again replaces what it had edited.

        Args:
            of: the class of the document.
            key: tells documents of one class apart.
            scope: "task" or "cluster", where it isn't that of the class.

        Raises:
            StaleEpoch: somebody else does the step by now, or its task has ended.
            StoreUnavailable: the document isn't open here, and can't be read.
            StateDeleted: it has been deleted.
            StateInvalid: on leaving, a field holds what its type doesn't allow.
            Overloaded: on leaving, the store has not taken a thousand edits yet.
            UsageError: there is no such document, a field was changed as it can't be merged, or the
                step is pure.
        """
        ...

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a shared document to be read, as `peek` does.

        The first time in a turn it has all that was written before, by other steps too.

        Raises:
            StoreUnavailable: it isn't open here, and can't be read.
            UsageError: there is no such document.
        """
        ...

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a shared document as it is known here, at once, to be read only.

        What others write comes along in milliseconds, and is in what the next call returns.

        Raises:
            UsageError: nobody has opened it on this host: `open` it first.
            StateInvalid: when a field is read that holds what its type doesn't allow.
        """
        ...

    @property
    def stale_s(self) -> float:
        """For how long the store has not said how current the shared documents here are.

        0 while it does: what `open` and `peek` return is then at most a second old.
        """
        ...

    def publish(self, topic: str, value: object) -> None:
        """Add a value to a topic of the task, and wake the agents that subscribe to it.

        Never waits. All see the values of a topic in one order; they are durable before the step's
        result is, and a step that is done again replaces what it had published.

        Args:
            topic: its name.
            value: a plain value, or a pydantic model, which is published as one.

        Raises:
            UsageError: the topic can't be called that, the value is none or too large, or the step
                is pure.
            Overloaded: too much waits for the store.
            ClusterError: why an earlier value could not be written.
        """
        ...

    def only_reads(self, method: str) -> None:
        """Let `state` and `publish` raise a UsageError from now on, which names a pure method."""
        ...

    def emit(self, detail: AgentDetail | StepPlanned | Routed) -> None:
        """Tell the task's owner, and through it the user, what just happened. Never waits.

        Raises:
            UsageError: the detail is a fact of the task, which only its owner may state: so are
                `StepPlanned` and `Routed`, but for the Manager while it plans.
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
