"""`Task`: a goal that was submitted. Its events are read at once and kept, whoever asks for them.

Made by `cluster.client.Cluster` of what the runtime's driver hands out, which can be read once.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress
from typing import Protocol

from cluster.kernel.errors import ClusterError, TaskCancelled, TaskFailed, UsageError
from cluster.kernel.events import (
    Detail,
    Event,
    Failed,
    PlanReady,
    Spent,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.ids import NO_AGENT, NO_STEP, TaskId
from cluster.kernel.tasks.report import TaskReport
from cluster.kernel.vocabulary import Answer, Failure
from cluster.memory.knowledge.omissions import KnowledgeRead
from cluster.runtime.driver.access import SharesState, StateAccess
from cluster.workflows import Workflow

EVENTS_KEPT_MAX = 100_000
"""Events a task keeps for its readers; beyond, thoughts are left out (never other events)."""
CANCEL_WAIT_S = 3.0
"""How long closing waits for the Manager to say that a task is cancelled."""
REJOIN = "`await cluster.task(id)` rejoins it"


class SubmittedTask(Protocol):
    """A task as `cluster.joining` hands it out: its events can be read once."""

    id: TaskId

    def __aiter__(self) -> AsyncIterator[Event]:
        """Return the events; nothing but corrections follows the terminal one.

        Raises:
            ClusterError: it can't be followed any longer, which says nothing of the task.
        """
        ...

    async def cancel(self, reason: str = "") -> None:
        """Ask for the end of the task; of what follows its answer, where that is out."""
        ...


class Task(SharesState):
    """A submitted goal: iterate it for its events, await it for its answer.

    It may be iterated as often as wanted, at any time; every iteration sees all events. What its
    agents share is edited with `state`, and stays for a while after its end.

    Args:
        submitted: its events, which are read at once and kept.
        on_ended: is called with the task when all events have been read.
        knowledge: what it may know.
        sharing: opens the documents that the agents of a task share.
        is_kept: whether it goes on when its reader leaves: it belongs to the cluster.
    """

    def __init__(
        self,
        submitted: SubmittedTask,
        on_ended: Callable[[Task], None] | None = None,
        knowledge: KnowledgeRead | None = None,
        sharing: Callable[[TaskId], StateAccess] | None = None,
        *,
        is_kept: bool = False,
    ) -> None:
        self.id = submitted.id
        self.knowledge = knowledge or KnowledgeRead()
        """What was read for it, and what was left out."""
        self.report = TaskReport(submitted.id)
        self.report.knowledge = self.knowledge.to_json()
        self._sharing = sharing
        self._shared: StateAccess | None = None
        self._submitted = submitted
        self._is_kept = is_kept
        self._lost: ClusterError | None = None
        """Why its events can't be read to their end, though it may have one."""
        self._events: list[Event] = []
        self._news = asyncio.Event()  # replaced whenever it is set
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._tell())
        if on_ended is not None:
            self._reading.add_done_callback(lambda _: on_ended(self))

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events from the first on; what corrects the answer follows the terminal one.

        Raises:
            ClusterError: it is followed no longer, and has not ended by then.
        """
        position = 0
        while True:
            while position < len(self._events):
                position += 1
                yield self._events[position - 1]
            if self._reading.done():
                if self._lost is not None:
                    raise self._lost
                return
            await self._news.wait()

    def __await__(self) -> Generator[object, None, Answer]:
        """Wait for the end of the task and return its answer, as far as it is corrected by then.

        Raises:
            TaskFailed: it has none; ``failure`` says why. Where its ``kind`` is ``overloaded``,
                nothing was begun, and ``failure.retry_after_s`` says when to try again.
            TaskCancelled: it was cancelled.
            ClusterError: it is followed no longer, and has not ended by then.
        """
        return self._outcome().__await__()

    @property
    def workflow(self) -> Workflow | None:
        """The plan by which it is done, to save and to run again; none before there is one.

        Raises:
            UsageError: a Manager of the user's own has made a plan that no workflow may be.
        """
        details = [event.detail for event in self._events]
        plans = [detail.plan for detail in details if isinstance(detail, PlanReady)]
        goals = [detail.goal for detail in details if isinstance(detail, Submitted)]
        return Workflow(plans[-1], *goals[:1]) if plans else None

    async def cancel(self, reason: str = "") -> None:
        """Ask for the end of the task; its terminal event says when it has ended.

        Where the answer is out, what looks at it again is ended.
        """
        if not self._reading.done():
            await self._submitted.cancel(reason)

    async def close(self) -> None:
        """Cancel the task, or the second look at it, and wait a while for the end.

        One that belongs to the cluster is left as it is, and followed no longer.
        """
        if not self._is_kept:
            with suppress(ClusterError):
                await self.cancel("the driver is leaving")
            await asyncio.wait({self._reading}, timeout=CANCEL_WAIT_S)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _access(self) -> StateAccess:
        if self._sharing is None:
            raise UsageError("the task has no way to what its agents share")
        if self._shared is None:
            self._shared = self._sharing(self.id)
            # Nobody closes a task that has ended: what it has open goes with it.
            weakref.finalize(self, self._shared.close).atexit = False
        return self._shared

    async def _outcome(self) -> Answer:
        while not self.report.is_finished:
            if self._lost is not None:
                raise self._lost
            await self._news.wait()
        if self.report.answer is not None:
            return self.report.answer
        failure = self.report.failure or Failure("internal", "the task ended without an outcome")
        if self.report.status == "cancelled":
            raise TaskCancelled(failure.message)
        raise TaskFailed(failure.message, failure)

    async def _read(self) -> None:
        ending: Detail = Failed(Failure("internal", "the task's events ended before its outcome"))
        try:
            async for event in self._submitted:
                self._take(event)
        except asyncio.CancelledError:
            ending = WasCancelled("the driver left before the task had ended")
            if self._is_kept:
                self._lose(UsageError(f"task {self.id} was left, and goes on: {REJOIN}"))
            raise
        except ClusterError as error:
            self._lose(error)
        finally:
            if self._lost is None and not self.report.is_finished:
                self._take(Event(0.0, self.id, NO_AGENT, NO_STEP, ending))

    def _lose(self, error: ClusterError) -> None:
        if not self.report.is_finished:
            self._lost = error

    def _take(self, event: Event) -> None:
        self.report.observe(event)
        if isinstance(event.detail, Spent):
            return  # for the report alone
        if len(self._events) < EVENTS_KEPT_MAX or not isinstance(event.detail, Thought):
            self._events.append(event)
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for news."""
        news, self._news = self._news, asyncio.Event()
        news.set()
