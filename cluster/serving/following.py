"""A task that belongs to the request it came with: begun, refused in time, ended with the request.

Used by the routes of OpenAI's API. What belongs to the cluster is begun and watched without this.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from cluster.kernel.errors import ClusterError, DeadlinePassed
from cluster.kernel.events import Event, Failed
from cluster.kernel.ids import TaskId
from cluster.serving.ingress import Ingress
from cluster.serving.ports import Caller, LiveTask, TaskOrder


@dataclass(frozen=True, slots=True)
class TakenTask:
    """A task that was taken, and all of its events."""

    live: LiveTask
    events: AsyncIterator[Event]
    """From the first on; it can be read once."""


async def begin(ingress: Ingress, caller: Caller, order: TaskOrder) -> TakenTask:
    """Hand in a task and wait until it is taken, so that a status can be true.

    Whoever begins it sees to it that it is closed. Where this is cancelled, nothing is left of it.

    Raises:
        Problem: it is refused, by the limits of the caller or by the cluster.
        ClusterError: it can't be handed in.
    """
    task = ingress.desk.new_task()
    live: LiveTask | None = None
    try:
        await ingress.admit(caller, task, order.timeout_s)
        async with asyncio.timeout(order.timeout_s):
            live = await ingress.desk.submit(order, task)
            events = aiter(live)
            first = await anext(events, None)
        if first is None:
            raise ClusterError("a task ended before anything was said of it")
        if isinstance(first.detail, Failed):
            raise ingress.failures.problem_of(task, first.detail.failure)
    except BaseException as error:
        await ingress.endings.finish(_give_up(ingress, caller, live, task))
        if isinstance(error, TimeoutError):
            raise DeadlinePassed("no Manager has taken the task before its deadline") from error
        raise
    return TakenTask(live, _with_first(first, events))


async def start(ingress: Ingress, caller: Caller, order: TaskOrder, task: TaskId) -> None:
    """Hand in a task that belongs to the cluster; return when it is durable.

    Done to its end even if whoever asked goes: what is half begun is counted, and nobody's.

    Raises:
        Problem: it is refused, by the limits of the caller or by the cluster.
        ClusterError: it can't be handed in; a repetition for the same id is harmless.
    """
    await ingress.endings.finish(_started(ingress, caller, order, task))


async def _started(ingress: Ingress, caller: Caller, order: TaskOrder, task: TaskId) -> None:
    await ingress.admit(caller, task, order.timeout_s)
    try:
        await ingress.desk.start(order, task)
    except ClusterError:
        with suppress(ClusterError):
            if await ingress.desk.record(task) is None:  # else it has begun, and nobody said so
                await ingress.gate.release(caller, task)
        raise


@asynccontextmanager
async def closing(events: AsyncIterator[object]) -> AsyncIterator[None]:
    """Leave what is iterated when the block ends, not whenever nobody refers to it any longer."""
    try:
        yield
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def _give_up(ingress: Ingress, caller: Caller, live: LiveTask | None, task: TaskId) -> None:
    if live is not None:
        with suppress(ClusterError):
            await live.close()
    with suppress(ClusterError):
        await ingress.gate.release(caller, task)


async def _with_first(first: Event, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    yield first
    async for event in events:
        yield event


def leaving(ingress: Ingress, live: LiveTask) -> Callable[[], Awaitable[None]]:
    """Return what ends a task with the request it came with; of one that is over, nothing is."""

    async def leave() -> None:
        with suppress(DeadlinePassed):  # nobody is there to be told; it ends at its own deadline
            await ingress.endings.finish(_closed(live))

    return leave


async def _closed(live: LiveTask) -> None:
    with suppress(ClusterError):
        await live.close()
