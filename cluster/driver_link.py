"""An open way to a cluster: what a client asks of it, by the store and by a driver.

Made by `cluster.joining`, which also closes it. What takes long to import is imported when it is
first used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

from cluster.client import Note
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import PlacementError, UsageError
from cluster.kernel.events import Event
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.tasks.recorded import events_of_record
from cluster.kernel.vocabulary import Coherence, Plan
from cluster.memory.knowledge.names import LEARNED, KnowledgeVersion
from cluster.memory.knowledge.omissions import KnowledgeRead
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.port import TaskRecords
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.messaging.sender import WhyOver
from cluster.user_folders import user_name

if TYPE_CHECKING:
    from cluster.memory.state.host.attempt import EditAttempt
    from cluster.memory.state.host.documents import Documents
    from cluster.runtime.driver.persons_state import PersonsState

    _Shared: TypeAlias = tuple[Documents, EditAttempt]


LOOK_S = 1.0
"""How often is looked, while a task is silent, whether its cluster is still there."""
LAST_WORD_S = 10.0
"""How long a cluster that is being stopped may take to say how its tasks have ended."""


class RejoinedTask:
    """A task that is followed in its feed, by anybody; iterate it once for its events.

    Nobody's leaving ends it. Where its feed is kept no longer, its record says what it came to.
    """

    def __init__(
        self, task: TaskId, driver: Driver, records: TaskRecords, why_over: WhyOver | None = None
    ) -> None:
        self.id = task
        self._driver = driver
        self._records = records
        self._why_over = why_over

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events from the first that is kept to the terminal one; a gap is one too.

        Raises:
            PlacementError: the cluster that works on it was stopped.
            ClusterError: as of `Driver.watch`.
        """
        has_ended = False
        async with aclosing(self._driver.watch(self.id, BEFORE_ALL)) as shown:
            while (event := await self._next(shown)) is not None:
                has_ended = event.is_terminal
                yield event
        if has_ended:
            return
        record = await self._records.record(self.id)
        if record is not None and record.report_json:
            for event in events_of_record(record):
                yield event

    async def _next(self, shown: AsyncGenerator[tuple[Cursor, Event]]) -> Event | None:
        """Return the next event, None after the last, unless nothing can come any more."""
        coming = asyncio.ensure_future(anext(shown, None))
        over_s = 0.0
        try:
            while not (await asyncio.wait([coming], timeout=LOOK_S))[0]:
                reason = self._stopped()
                over_s = 0.0 if reason is None else over_s + LOOK_S
                if reason is not None and over_s > LAST_WORD_S:
                    raise PlacementError(reason)
            item = coming.result()
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        return None if item is None else item[1]

    def _stopped(self) -> str | None:
        return None if self._why_over is None else self._why_over(False)  # noqa: FBT003 - its type

    async def cancel(self, reason: str = "") -> None:
        """End the task; its terminal event says so to all who follow it."""
        await self._driver.cancel(self.id, reason)


class DriverLink:
    """An open way to a cluster: its store, and a driver that submits to its Managers."""

    def __init__(
        self,
        store: RedisStore,
        driver: Driver,
        records: TaskRecords,
        *,
        is_resident: bool = False,
        why_over: WhyOver | None = None,
        checks_policies: bool = False,
    ) -> None:
        self.records = records
        """What is known of the cluster's tasks; to be read."""
        self.is_resident = is_resident
        """Whether the cluster goes on when this link is closed."""
        self._store = store
        self._namespaces = RedisNamespaces(store)
        self._driver = driver
        self._why_over = why_over
        self._checks_policies = checks_policies
        self._is_adopted = False
        self._shared: _Shared | None = None

    async def knowledge(
        self, paths: Sequence[str | PathLike[str]], note: Note, namespace: str = ""
    ) -> KnowledgeRead:
        """Return what the paths hold; without any, the namespace, or what `fleetmind learn` added.

        Raises:
            UsageError: a path can't be read, or holds no text; there is no such namespace.
            StoreUnavailable: the store does not answer.
        """
        if not paths:
            return KnowledgeRead(await self._learned(namespace))
        # With its libraries it takes a third of a second to import.
        from cluster.memory.knowledge.forgetting import forget_unused
        from cluster.memory.knowledge.learning import LearningProgress, learn

        def progress(done: LearningProgress) -> None:
            note(f"reading the knowledge: {done.files} of {done.of_files} files")

        result = await learn(self._namespaces, paths, progress=progress)
        await forget_unused(self._namespaces, SystemClock().wall())
        for text in result.news:
            note(text)
        return KnowledgeRead(result.collection, result.files, result.left_out)

    async def _learned(self, namespace: str) -> str:
        """Return a namespace at its version; nothing where nothing is learned by default.

        It stands before each task's first event, so it is one round trip.
        """
        await self._adopt_once()
        name = namespace or LEARNED
        head = (await self._namespaces.heads([name]))[name]
        if head.is_empty:
            if not namespace:
                return ""
            from cluster.memory.knowledge.forgetting import known_namespace

            await known_namespace(self._namespaces, namespace)
        return str(KnowledgeVersion(name, head.version))

    async def _adopt_once(self) -> None:
        if self._is_adopted:
            return
        from cluster.memory.knowledge.catalog import adopt_collection

        await adopt_collection(self._store, self._namespaces)
        self._is_adopted = True

    async def submit(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence,
        budget: Budget,
        workflow: Plan | None = None,
    ) -> SubmittedTask:
        """Hand a goal to a Manager; errors as of `Driver.submit`."""
        return await self._driver.submit(
            goal,
            collection=collection,
            timeout_s=timeout_s,
            coherence=coherence,
            budget=budget,
            workflow=workflow,
        )

    async def start(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence,
        budget: Budget,
        workflow: Plan | None = None,
    ) -> RejoinedTask:
        """Hand a goal to a Manager, as a task of the cluster's; errors as of `Driver.start`."""
        task = await self._driver.start(
            goal,
            collection=collection,
            timeout_s=timeout_s,
            coherence=coherence,
            budget=budget,
            workflow=workflow,
        )
        return self._rejoined(task)

    async def rejoin(self, task: TaskId) -> RejoinedTask:
        """Follow a task from its first event, whoever submitted it.

        Raises:
            UsageError: nothing is known of it.
            StoreUnavailable: the store does not answer.
        """
        if await self.records.record(task) is None:
            raise UsageError(f"no task {task[:40]!r} is known, or it ended more than a week ago")
        return self._rejoined(task)

    def _rejoined(self, task: TaskId) -> RejoinedTask:
        return RejoinedTask(task, self._driver, self.records, self._why_over)

    async def cancel(self, task: TaskId, reason: str) -> Event:
        """End a task, whoever submitted it, and return what it has ended with.

        Raises:
            ClusterError: as of `Driver.cancel`.
        """
        return await self._driver.cancel(task, reason)

    def sharing(self, task: TaskId) -> PersonsState:
        """Return a way to the documents of a task, and to those of the cluster."""
        # With pydantic; whoever shares a document has imported it.
        from cluster.kernel.state.own_policies import Policies
        from cluster.memory.state.host.documents import Documents
        from cluster.memory.state.redis import RedisStateLog
        from cluster.runtime.driver.persons_state import PersonsState

        if self._shared is None:
            policies = Policies(is_checked=self._checks_policies)
            documents = Documents(RedisStateLog(self._store), SystemClock(), policies)
            self._shared = documents, documents.person(user_name())
        return PersonsState(self._shared[0], task, self._shared[1])

    async def close(self) -> None:
        """Write what was edited and isn't durable yet, unless the store takes nothing."""
        if self._shared is not None:
            await self._shared[0].close()
