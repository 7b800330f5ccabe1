"""A cluster that says what a test wrote down: stands in for `cluster.joining` and the driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cluster.client import ClusterLink, Join, Note, PathName
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError, UsageError
from cluster.kernel.events import Answered, Detail, Event, WasCancelled
from cluster.kernel.feed import RUNNING, TaskRecord, TaskSummary
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.vocabulary import Answer, Coherence, Plan
from cluster.memory.knowledge.omissions import KnowledgeRead, LeftOut
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.local import LocalStateLog
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.driver.persons_state import PersonsState
from cluster.settings import Configuration

TASK = TaskId("0123456789abcdef0123456789abcdef")


def event(at_s: float, detail: Detail, step: str = "", agent: str = "manager-0") -> Event:
    """An event of the scripted task."""
    return Event(at_s, TASK, AgentId(agent), StepId(step), detail)


ANSWERED = (event(0.5, Answered(Answer("It is 42."))),)


class ScriptedTask:
    """Yields its events, then, unless one of them was terminal, waits to be cancelled.

    Where the link ``keeps_looking`` it waits after the terminal one too.
    """

    id = TASK

    def __init__(self, link: ScriptedLink) -> None:
        self._link = link
        self._is_cancelled = asyncio.Event()
        self.reasons: list[str] = []

    async def __aiter__(self) -> AsyncIterator[Event]:
        has_ended = False
        for item in self._link.events:
            yield item
            has_ended |= item.is_terminal
        if self._link.lost is not None:
            raise self._link.lost
        if self._link.is_lost or (has_ended and not self._link.keeps_looking):
            return
        self._link.on_wait()
        await self._is_cancelled.wait()
        if not has_ended:
            yield event(1.0, WasCancelled(self.reasons[0]))

    async def cancel(self, reason: str = "") -> None:
        self.reasons.append(reason)
        self._is_cancelled.set()


@dataclass
class ScriptedLink:
    """What a test tells the cluster to do, and what it then saw of its client."""

    events: Sequence[Event] = ANSWERED
    refusal: Exception | None = None
    """Raised instead of attaching."""
    on_join: Callable[[], object] | None = None
    """Called instead of attaching, which then does not come to an end."""
    leaving_error: ClusterError | None = None
    """Raised when the client leaves."""
    is_lost: bool = False
    """The events end where the script does, without an outcome."""
    report_json: str = ""
    """In the records of tasks that are listed as ended."""
    lost: ClusterError | None = None
    """Raised where the script ends: the task can't be followed any longer."""
    keeps_looking: bool = False
    """The second look at the answer does not come to an end."""
    left_out: tuple[LeftOut, ...] = ()
    """What of the knowledge isn't read."""
    never_learns: bool = False
    """Reading the knowledge takes for ever."""
    is_resident: bool = False
    """The cluster goes on without its clients."""
    records: LocalTaskRecords = field(default_factory=lambda: LocalTaskRecords(SystemClock()))
    """What is known of its tasks."""
    on_wait: Callable[[], object] = lambda: None
    """Called where the script has no more events and the task still runs."""
    goals: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)
    timeouts_s: list[float] = field(default_factory=list)
    learned: list[PathName] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    """Why tasks were to end that were named by their ids."""
    tasks: list[ScriptedTask] = field(default_factory=list)
    configurations: list[Configuration] = field(default_factory=list)
    coherences: list[Coherence] = field(default_factory=list)
    workflows: list[Plan | None] = field(default_factory=list)
    is_open: bool = False
    log: LocalStateLog = field(default_factory=lambda: LocalStateLog(SystemClock()))
    """Where shared state is."""
    documents: Documents | None = None

    def sharing(self, task: TaskId) -> PersonsState:
        if self.documents is None:
            self.documents = Documents(self.log, SystemClock())
        return PersonsState(self.documents, task, self.documents.person("anna"))

    async def knowledge(
        self, paths: Sequence[PathName], note: Note, namespace: str = ""
    ) -> KnowledgeRead:
        self.learned += paths
        if self.never_learns:
            await asyncio.Event().wait()
        if not paths:
            return KnowledgeRead(namespace and f"{namespace}@1")
        return KnowledgeRead("collection-1", len(paths), self.left_out)

    async def submit(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence,
        budget: Budget,
        workflow: Plan | None = None,
    ) -> ScriptedTask:
        self.goals.append(goal)
        self.workflows.append(workflow)
        self.coherences.append(coherence)
        self.collections.append(collection)
        self.timeouts_s.append(timeout_s)
        task = ScriptedTask(self)
        self.tasks.append(task)
        return task

    async def start(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence,
        budget: Budget,
        workflow: Plan | None = None,
    ) -> ScriptedTask:
        await self.list(goal)
        return await self.submit(
            goal,
            collection=collection,
            timeout_s=timeout_s,
            coherence=coherence,
            budget=budget,
            workflow=workflow,
        )

    async def list(
        self, goal: str, status: str = RUNNING, task: str = TASK, submitted_wall_s: float = 0.0
    ) -> None:
        """Let a task be listed."""
        summary = TaskSummary(
            task, goal, status, is_detached=True, submitted_wall_s=submitted_wall_s
        )
        if status == RUNNING:
            await self.records.began(summary)
        else:
            await self.records.ended(TaskRecord(summary, self.report_json), tokens=0)

    async def rejoin(self, task: TaskId) -> ScriptedTask:
        if await self.records.record(task) is None:
            raise UsageError(f"no task {task} is known")
        self.tasks.append(ScriptedTask(self))
        return self.tasks[-1]

    async def cancel(self, task: TaskId, reason: str) -> Event:
        """End a task: as its last event says, unless it hasn't one."""
        assert task == TASK
        self.cancelled.append(reason)
        has_ended = self.events and self.events[-1].is_terminal
        return self.events[-1] if has_ended else event(1.0, WasCancelled(reason))

    @property
    def join(self) -> Join:
        """What `Cluster` is to be given."""

        @asynccontextmanager
        async def joined(configuration: Configuration, note: Note) -> AsyncIterator[ClusterLink]:
            if self.refusal is not None:
                raise self.refusal
            if self.on_join is not None:
                self.on_join()
                await asyncio.Event().wait()
            self.configurations.append(configuration)
            note("starting a cluster")
            self.is_open = True
            yield self
            self.is_open = False
            if self.documents is not None:
                await self.documents.close()
            if self.leaving_error is not None:
                raise self.leaving_error

        return joined
