"""What an agent is to the runtime: a port with optional sides.

A user's agent is a `Handler`, and may be `Preparing`; the task engine is a `Service` and a
`TaskOwner` as well.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from cluster.kernel.preparing import PrepareContext
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Prepare


class Handler(Protocol):
    """What an agent is to the runtime."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Return the answer to a message; None where there is nothing to say."""
        ...


@runtime_checkable
class Service(Protocol):
    """A handler with work of its own, beside the turns."""

    async def start(self, epoch: int) -> None:
        """Begin; the agent is registered under this incarnation."""
        ...

    async def stop(self) -> None:
        """End it; turns that wait for it end as well."""
        ...

    async def cancelled(self, message: object, turn: Turn) -> None:
        """A message was cancelled before its turn started."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A handler that gets ready for steps that it is told of before they can start."""

    async def prepare(self, prepare: Prepare, context: PrepareContext, /) -> object:
        """Return what the turn of the step finds as `Turn.prepared`; it may never come.

        Whatever it raises is passed over: the turn then does without.
        """
        ...


@runtime_checkable
class TaskOwner(Protocol):
    """A handler that owns tasks."""

    async def end_tasks(self, reason: str) -> None:
        """Cancel them all: nobody will go on with them."""
        ...
