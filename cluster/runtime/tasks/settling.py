"""Tells the logs of shared state, in the background, which steps and tasks have ended.

A log keeps apart what may still be withdrawn, and a task's documents live as long as its journal.
Nobody waits for this: what is settled late only keeps a log long for a while, and a task's end
settles all of its steps. What is to be told is kept in memory; the end of a task whose Manager was
gone before it was told is found by a look at what the log knows and the journals don't.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import StepId, TaskId
from cluster.memory.journal.port import Journal
from cluster.memory.state.host.documents import Documents

SETTLE_S = 2.0
"""Steps are settled so long after they ended: most tasks have ended by then."""
COMPANY_S = 0.1
"""So long the end of a task waits for others to be told with it, and for its driver's word that it
has seen it: what is written for a task that is over holds up those that are not."""
TOLD_AT_ONCE = 8
RETRY_S = 0.5
CLOSE_S = 1.0
WAITING_MAX = 10_000
"""Tasks of which the store has not been told; more are forgotten, and their documents expire."""

_log = logging.getLogger(__name__)


class Settling:
    """What the log has yet to be told; without documents there is nothing to tell.

    Args:
        documents: those of this process.
        clock: says when a step has waited long enough.
    """

    def __init__(self, documents: Documents | None, clock: Clock) -> None:
        self.documents = documents
        self._clock = clock
        self._steps: defaultdict[TaskId, dict[StepId, float]] = defaultdict(dict)
        """Of each task that goes on, when they ended."""
        self._ended: dict[TaskId, float] = {}
        """How long what belongs to each task is to be kept."""
        self._untold: frozenset[TaskId] = frozenset()
        """Those that had ended when last looked, though the log didn't know it."""
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def step_ended(self, task: TaskId, step: StepId) -> None:
        """Let what a step has edited be there to stay: its result is in the journal."""
        if self.documents is not None and task not in self._ended:
            if not self._steps:
                self._news.set()
            self._steps[task][step] = self._clock.now()
            self._start()

    def task_ended(self, task: TaskId, kept_s: float) -> None:
        """Let the documents of a task expire, so many seconds from now."""
        if self.documents is None or len(self._ended) >= WAITING_MAX:
            return
        self._steps.pop(task, None)
        self._ended[task] = kept_s
        self._start()
        self._news.set()

    async def _begun(self) -> set[TaskId]:
        """Return the tasks whose end the log doesn't know of."""
        return set() if self.documents is None else await self.documents.log.begun()

    async def sweep(self, journal: Journal, going_on: Collection[TaskId], kept_s: float) -> None:
        """Let the documents of those expire that have ended, and whose Manager never said so.

        Only of those that this journal knows: other clusters may use the same store. What has only
        just ended is left to its own Manager until the next sweep.

        Args:
            journal: of the cluster.
            going_on: those of its tasks that were open when last asked; they may have ended since.
            kept_s: how long what belongs to them is to be kept, from now.

        Raises:
            StoreUnavailable: it can't be said now.
        """
        begun = await self._begun()
        untold = {task for task in begun.difference(going_on) if await journal.read(task)}
        for task in untold & self._untold:
            self.task_ended(task, kept_s)
        self._untold = frozenset(untold)

    def _start(self) -> None:
        if self._work is None and self.documents is not None:
            work = self._tell_on(self.documents)
            self._work = asyncio.create_task(work, name="settle shared state")

    async def _tell_on(self, documents: Documents) -> None:
        while True:
            try:
                async with asyncio.timeout(SETTLE_S if self._steps else None):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            if self._ended:
                await asyncio.sleep(COMPANY_S)
            try:
                await self._tell(documents)
            except StoreUnavailable:
                self._news.set()
                await asyncio.sleep(RETRY_S)
            except Exception:  # noqa: BLE001 - one task's trouble must not keep those of others
                _log.exception("shared state could not be settled")

    async def _tell(self, documents: Documents) -> None:
        ended = list(self._ended.items())
        for first in range(0, len(ended), TOLD_AT_ONCE):
            told = [self._tell_end(documents, *each) for each in ended[first:][:TOLD_AT_ONCE]]
            for error in await asyncio.gather(*told, return_exceptions=True):
                if error is not None:
                    raise error
        until = self._clock.now() - SETTLE_S
        for task, steps in list(self._steps.items()):
            due = [step for step, ended_at in steps.items() if ended_at <= until]
            for step in due:
                await documents.log.settle(task, step)
                steps.pop(step, None)
            if not steps:
                self._steps.pop(task, None)

    async def _tell_end(self, documents: Documents, task: TaskId, kept_s: float) -> None:
        await documents.end_task(task, kept_s)
        if self._ended.get(task) == kept_s:
            del self._ended[task]

    async def close(self) -> None:
        """Tell what can be told in a moment, and end."""
        if self._work is None or self.documents is None:
            return
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._tell(self.documents)
        except (TimeoutError, StoreUnavailable) as error:
            _log.warning("some shared state was not settled: %s", error)
