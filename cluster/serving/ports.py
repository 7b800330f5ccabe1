"""What the HTTP ingress needs of the cluster, and of whoever knows its callers.

`cluster.serving.desk` is the real desk; tests have a fake one, that passes the same conformance
suite. Nothing here knows of HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.events import Event
from cluster.kernel.feed import Cursor, TaskRecord, TaskSummary
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Coherence
from cluster.memory.task_records.port import KeyUse, TaskFilter


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """What a request wants of the cluster, with all defaults filled in."""

    goal: str
    timeout_s: float
    conversation: tuple[ChatMessage, ...] = ()
    owner: str = ""
    namespace: str = ""
    """Of the knowledge to answer from; empty for what was learned by default."""
    role: str = ""
    """The only agent that works on it; empty for the team."""
    is_aside: bool = False
    """It is a chat client's own request (a title, tags): the quickest model answers, no plan."""
    tokens_max: int = 0
    cost_max: float = 0.0
    coherence: Coherence = Coherence.CHAINED


class LiveTask(Protocol):
    """A task that ends with whoever follows it; its events can be read once."""

    id: TaskId

    def __aiter__(self) -> AsyncIterator[Event]:
        """Return the events as they happen; the terminal one is the last."""
        ...

    async def close(self) -> None:
        """Cancel what still runs, and wait a while for its end."""
        ...


class Desk(Protocol):
    """Where tasks are handed in, and watched from.

    Raises:
        ClusterError: from every method; its class says whose fault it is.
    """

    def new_task(self) -> TaskId:
        """Return an id that no task has."""
        ...

    async def submit(self, order: TaskOrder, task: TaskId) -> LiveTask:
        """Hand a task in and follow it; a refusal is its first event."""
        ...

    async def start(self, order: TaskOrder, task: TaskId) -> None:
        """Hand in a task that belongs to the cluster; return when it is durable.

        Repeated for the same id, at any replica, it is the same task.

        Raises:
            Overloaded: no Manager takes it; nothing was begun.
        """
        ...

    def watch(self, task: TaskId, after: Cursor) -> AsyncIterator[tuple[Cursor, Event]]:
        """Yield what follows a cursor, to the terminal event; a gap is an event too."""
        ...

    async def cancel(self, task: TaskId, reason: str) -> None:
        """Ask for the end of a task; its terminal event says that it has ended."""
        ...

    async def record(self, task: TaskId) -> TaskRecord | None:
        """Return what is known of a task."""
        ...

    async def tasks(self, which: TaskFilter) -> tuple[TaskSummary, ...]:
        """Return a part of the list of tasks."""
        ...

    async def forget(self, task: TaskId) -> None:
        """Remove what is kept of a task that has ended."""
        ...

    async def use_key(self, owner: str, key: str, use: KeyUse) -> KeyUse:
        """As `TaskRecords.use_key`."""
        ...

    async def learn(self, namespace: str, source: str, text: str) -> str:
        """Let a namespace have a text as one of its sources; return the version it has then."""
        ...

    async def forget_text(self, namespace: str, source: str) -> bool:
        """Take a text that was learned so out of a namespace; say whether it was there."""
        ...

    async def roles(self) -> tuple[str, ...]:
        """Return the roles that can be asked for alone."""
        ...

    async def why_not_ready(self) -> str:
        """Return why no task can be taken just now; empty where it can."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, and what is allowed to them."""

    name: str
    """Of the token; empty where none is asked for."""
    scopes: frozenset[str] = frozenset({"ask", "learn", "admin"})
    namespaces: tuple[str, ...] = ()
    """Those they may use; empty for all."""
    tasks_max: int = 0
    """At once; 0 for any number."""
    tokens_a_day_max: int = 0
    """Of their ended tasks; 0 for any number."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """Why a task of a caller may not begin."""

    message: str
    """One sentence."""
    retry_after_s: float
    """From when on it is worth asking again."""
    may_pass_soon: bool
    """Whether a client does well to ask again by itself."""


class Gate(Protocol):
    """Knows who may do what.

    Raises:
        StoreUnavailable: from every method.
    """

    async def has_tokens(self) -> bool:
        """Say whether a token was ever made: until then, whoever reaches loopback may do all."""
        ...

    async def caller(self, token: str) -> Caller | None:
        """Return whose token it is, compared in constant time; None where nobody's."""
        ...

    async def refusal(
        self, caller: Caller, task: TaskId, until_wall_s: float
    ) -> LimitReached | None:
        """Count a task that is about to begin; return why it may not, None where it may."""
        ...

    async def release(self, caller: Caller, task: TaskId) -> None:
        """Count a task no longer that was refused by the cluster."""
        ...
