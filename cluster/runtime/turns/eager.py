"""Tasks of the event loop that run one job after another, for as long as none of them waits.

Making a task, with its context and its place among all tasks, costs as much as all else that is
done for a message; Python 3.12 has eager tasks for the same reason. A job sees no difference: one
that has waited, or leaves something behind in its task, is the last one of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Generic, Protocol, TypeVar

JOBS_PER_TASK = 64
"""So many run in one pass of the event loop, then whatever else is due has its turn."""


class Job(Protocol):
    """Something to be run."""

    task: asyncio.Task[None] | None
    """What runs it, from when it begins."""


AnyJob = TypeVar("AnyJob", bound=Job)


class _Shared(Generic[AnyJob]):
    """What one task is at."""

    __slots__ = ("has_waited", "job")

    def __init__(self) -> None:
        self.job: AnyJob | None = None
        self.has_waited = False


class SharedTasks(Generic[AnyJob]):
    """Runs jobs in the order they are given, each from the next pass of the event loop on.

    ``run`` raises nothing. ``on_wait`` is told of a job that did not end in the pass it began in.
    """

    def __init__(
        self,
        run: Callable[[AnyJob], Coroutine[object, object, None]],
        on_wait: Callable[[AnyJob], None],
        name: str,
    ) -> None:
        self._run = run
        self._on_wait = on_wait
        self._name = name
        self._context = copy_context()
        """What every task begins in, whichever job or frame happens to make it."""
        self._due: deque[AnyJob] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming = 0
        """How many of the tasks have not begun."""

    def start(self, job: AnyJob) -> None:
        """Run a job after those that are due."""
        self._due.append(job)
        if not self._coming:
            self._make_task()

    def _make_task(self) -> None:
        self._coming += 1
        loop = asyncio.get_running_loop()
        shared: _Shared[AnyJob] = _Shared()
        task = loop.create_task(self._serve(shared), name=self._name, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        loop.call_soon(self._pass_ended, shared)

    async def _serve(self, shared: _Shared[AnyJob]) -> None:
        self._coming -= 1
        task = asyncio.current_task()
        assert task is not None
        clean, due = copy_context(), self._due
        try:
            for _ in range(JOBS_PER_TASK):
                if not due:
                    return
                shared.job = job = due.popleft()
                job.task = task
                await self._run(job)
                shared.job = None
                if shared.has_waited or task.cancelling() or copy_context() != clean:
                    return
        finally:
            if due and not self._coming:
                self._make_task()

    def _pass_ended(self, shared: _Shared[AnyJob]) -> None:
        """See whether the task waits in a job; others then go on with what is due.

        Twice as many each time: where every job waits, few passes start them all.
        """
        if shared.job is None:
            return
        shared.has_waited = True
        self._on_wait(shared.job)
        for _ in range(min(2, len(self._due) - self._coming)):
            self._make_task()

    async def wait(self, timeout_s: float) -> None:
        """Wait until all jobs have ended, but no longer than this."""
        loop = asyncio.get_running_loop()
        gives_up_at = loop.time() + timeout_s
        while self._tasks and loop.time() < gives_up_at:
            await asyncio.wait(self._tasks, timeout=gives_up_at - loop.time())
