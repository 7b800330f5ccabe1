"""`Cluster`: the Python driver. Submit goals, watch their events, await their answers.

How one gets to a cluster is handed in (`Cluster.default_join`, filled by the package's `__init__`):
`cluster.joining` attaches to one or starts it, and gives a `ClusterLink` to the runtime's `Driver`.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from types import TracebackType
from typing import ClassVar, Protocol, Self

from cluster.kernel.errors import (
    ClusterError,
    DeadlinePassed,
    TaskCancelled,
    TaskFailed,
    UsageError,
)
from cluster.kernel.events import Detail, Event, Failed, Spent, Thought, WasCancelled
from cluster.kernel.ids import NO_AGENT, NO_STEP, NO_TASK, TaskId
from cluster.kernel.tasks.report import TaskReport
from cluster.kernel.vocabulary import Answer, Coherence, Failure
from cluster.memory.knowledge.omissions import KnowledgeRead
from cluster.runtime.driver.access import SharesState, StateAccess
from cluster.settings import Configuration, Flag, load
from cluster.settings.addresses import check_coherence, check_deadline
from cluster.uninterrupted import uninterrupted

EVENTS_KEPT_MAX = 100_000
"""Events a task keeps for its readers; beyond, thoughts are left out (never other events)."""
CANCEL_WAIT_S = 3.0
"""How long closing waits for the Manager to say that a task is cancelled."""

PathName = str | os.PathLike[str]
Note = Callable[[str], None]
"""Is told in one line what takes time outside of a task, as in starting a cluster."""


class SubmittedTask(Protocol):
    """A task as `cluster.runtime.driver.driver` hands it out: its events can be read once."""

    id: TaskId

    def __aiter__(self) -> AsyncIterator[Event]:
        """Return the events; nothing but corrections follows the terminal one."""
        ...

    async def cancel(self, reason: str = "") -> None:
        """Ask for the end of the task; of what follows its answer, where that is out."""
        ...


class ClusterLink(Protocol):
    """An open way to a cluster, as `cluster.joining` makes it."""

    async def knowledge(
        self, paths: Sequence[PathName], note: Note, namespace: str = ""
    ) -> KnowledgeRead:
        """Return what the paths hold; what was learned before, without any."""
        ...

    async def submit(
        self, goal: str, *, collection: str, timeout_s: float, coherence: Coherence
    ) -> SubmittedTask:
        """Hand a goal to a Manager."""
        ...

    def sharing(self, task: TaskId) -> StateAccess:
        """Return a way to the documents of a task, and to those of the cluster."""
        ...


Join = Callable[[Configuration, Note], AbstractAsyncContextManager[ClusterLink]]


class Task(SharesState):
    """A submitted goal: iterate it for its events, await it for its answer.

    It may be iterated as often as wanted, at any time; every iteration sees all events. What its
    agents share is edited with `state`, and stays for a while after its end.

    Args:
        submitted: its events, which are read at once and kept.
        on_ended: is called with the task when all events have been read.
        knowledge: what it may know.
        link: the way to the cluster, for what its agents share.
    """

    def __init__(
        self,
        submitted: SubmittedTask,
        on_ended: Callable[[Task], None] | None = None,
        knowledge: KnowledgeRead | None = None,
        link: ClusterLink | None = None,
    ) -> None:
        self.id = submitted.id
        self.knowledge = knowledge or KnowledgeRead()
        """What was read for it, and what was left out."""
        self.report = TaskReport(submitted.id)
        self.report.knowledge = self.knowledge.to_json()
        self._link = link
        self._shared: StateAccess | None = None
        self._submitted = submitted
        self._events: list[Event] = []
        self._news = asyncio.Event()  # replaced whenever it is set
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._tell())
        if on_ended is not None:
            self._reading.add_done_callback(lambda _: on_ended(self))

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events from the first on; what corrects the answer follows the terminal one."""
        position = 0
        while True:
            while position < len(self._events):
                position += 1
                yield self._events[position - 1]
            if self._reading.done():
                return
            await self._news.wait()

    def __await__(self) -> Generator[object, None, Answer]:
        """Wait for the end of the task and return its answer, as far as it is corrected by then.

        Raises:
            TaskFailed: it has none; ``failure`` says why. Where its ``kind`` is ``overloaded``,
                nothing was begun, and ``failure.retry_after_s`` says when to try again.
            TaskCancelled: it was cancelled.
        """
        return self._outcome().__await__()

    async def cancel(self, reason: str = "") -> None:
        """Ask for the end of the task; its terminal event says when it has ended.

        Where the answer is out, what looks at it again is ended.
        """
        if not self._reading.done():
            await self._submitted.cancel(reason)

    async def close(self) -> None:
        """Cancel the task, or the second look at it, and wait a while for the end."""
        with suppress(ClusterError):
            await self.cancel("the driver is leaving")
        await asyncio.wait({self._reading}, timeout=CANCEL_WAIT_S)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _access(self) -> StateAccess:
        if self._link is None:
            raise UsageError("the task has no way to what its agents share")
        if self._shared is None:
            self._shared = self._link.sharing(self.id)
            # Nobody closes a task that has ended: what it has open goes with it.
            weakref.finalize(self, self._shared.close).atexit = False
        return self._shared

    async def _outcome(self) -> Answer:
        while not self.report.is_finished:
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
            raise
        finally:
            if not self.report.is_finished:
                self._take(Event(0.0, self.id, NO_AGENT, NO_STEP, ending))

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


class Cluster(SharesState):
    """A way to a cluster of agents, as an async context manager.

    Attaches to this machine's resident cluster, or starts one for the duration; with an address it
    joins that Ray cluster. Everything it started is stopped when the context ends.

    Args:
        address: of a Ray cluster, as `ray.init` takes it.
        redis: URL of the central store.
        config: a file to read instead of ``fleet.toml``.
        model: URI of the model, as in ``openai:gpt-4o-mini``.
        configuration: settings that are resolved already; the others are then not looked at.
        on_note: is told in one line what takes time outside of a task.
        join: how to get to a cluster, instead of `default_join`.
    """

    default_join: ClassVar[Join]
    """How to get to a cluster; whoever imports `Cluster` from `cluster` has it filled in."""

    def __init__(
        self,
        address: str | None = None,
        redis: str | None = None,
        config: PathName | None = None,
        model: str | None = None,
        *,
        configuration: Configuration | None = None,
        on_note: Note | None = None,
        join: Join | None = None,
    ) -> None:
        given = {"ray.address": address, "store.redis": redis, "model.uri": model}
        origins = {"ray.address": "address", "store.redis": "redis", "model.uri": "model"}
        flags = [Flag(key, value, origins[key]) for key, value in given.items() if value]
        self._configuration = configuration or load(config, flags)
        self._note = on_note or _say_nothing
        self._join = join or Cluster.default_join
        self._stack = AsyncExitStack()
        self._link: ClusterLink | None = None
        self._shared: StateAccess | None = None
        self._tasks: set[Task] = set()
        """Those that still run; what has ended is the caller's to keep."""

    async def __aenter__(self) -> Self:
        """Attach to the cluster or start it.

        Raises:
            ClusterError: why neither was possible, in one sentence.
        """
        self._link = await self._stack.enter_async_context(
            self._join(self._configuration, self._note)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what still runs, leave the cluster, stop it where it was started for this."""
        await uninterrupted(self._close())

    async def submit(
        self,
        goal: str,
        *,
        knowledge: Sequence[PathName] = (),
        namespace: str = "",
        deadline_s: float | None = None,
        coherence: str | None = None,
    ) -> Task:
        """Hand a goal to the cluster.

        Args:
            goal: what is wanted, in plain words.
            knowledge: files and folders to answer from; without any, what was learned before.
            namespace: where that was learned, if not by default; not together with ``knowledge``.
            deadline_s: seconds the task may take, and before it the reading of the knowledge; the
                settings' where not given.
            coherence: when steps begin, ``chained`` or ``broadcast``; see `Coherence`.

        Raises:
            UsageError: the goal is empty, the knowledge can't be read, or the namespace or the
                coherence is not known.
            DeadlinePassed: the knowledge was not read in time.
            ClusterError: the cluster can't be reached.
        """
        link = self._opened()
        if not goal.strip():
            raise UsageError("the goal is empty")
        if deadline_s is not None:
            check_deadline(deadline_s, "deadline_s")
        paths = (knowledge,) if isinstance(knowledge, str | os.PathLike) else tuple(knowledge)
        if paths and namespace:
            raise UsageError("answer from paths or from a namespace: give one of the two")
        settings = self._configuration.settings.task
        timeout_s, coherence = deadline_s or settings.deadline_s, coherence or settings.coherence
        check_coherence(coherence, "coherence")
        try:
            async with asyncio.timeout(timeout_s):
                read = await link.knowledge(paths, self._note, namespace)
        except TimeoutError:
            raise DeadlinePassed(
                f"the knowledge was not read within the task's {timeout_s:g} s: name fewer files, "
                "or give it more time"
            ) from None
        submitted = await link.submit(
            goal, collection=read.collection, timeout_s=timeout_s, coherence=Coherence(coherence)
        )
        task = Task(submitted, self._tasks.discard, read, link)
        self._tasks.add(task)
        return task

    async def ask(
        self,
        goal: str,
        *,
        knowledge: Sequence[PathName] = (),
        namespace: str = "",
        deadline_s: float | None = None,
        coherence: str | None = None,
    ) -> Answer:
        """Submit a goal and wait for its answer.

        Raises:
            TaskFailed: there is none; ``failure`` says why.
            TaskCancelled: the task was cancelled.
            ClusterError: as from `submit`.
        """
        task = await self.submit(
            goal,
            knowledge=knowledge,
            namespace=namespace,
            deadline_s=deadline_s,
            coherence=coherence,
        )
        return await task

    def _opened(self) -> ClusterLink:
        if self._link is None:
            raise UsageError("the cluster is not open: use `async with Cluster() as cluster`")
        return self._link

    def _access(self) -> StateAccess:
        if self._shared is None:
            self._shared = self._opened().sharing(NO_TASK)
        return self._shared

    async def _close(self) -> None:
        try:
            await asyncio.gather(*(task.close() for task in self._tasks))
        finally:
            await self._stack.aclose()


def run(
    goal: str,
    *,
    knowledge: Sequence[PathName] = (),
    namespace: str = "",
    deadline_s: float | None = None,
    coherence: str | None = None,
    address: str | None = None,
    redis: str | None = None,
    config: PathName | None = None,
    model: str | None = None,
) -> Answer:
    """Answer one goal: `Cluster` and `Cluster.ask` in one call, for code that isn't asynchronous.

    Raises:
        UsageError: it was called from asynchronous code.
        ClusterError: as from `Cluster` and `Cluster.ask`.
    """
    with suppress(RuntimeError):  # raised where no loop runs, which is what is wanted
        asyncio.get_running_loop()
        raise UsageError("run() blocks: in asynchronous code, use `await cluster.ask(...)`")

    async def ask() -> Answer:
        async with Cluster(address, redis, config, model) as cluster:
            return await cluster.ask(
                goal,
                knowledge=knowledge,
                namespace=namespace,
                deadline_s=deadline_s,
                coherence=coherence,
            )

    return asyncio.run(ask())


def _say_nothing(_text: str) -> None:
    """Take a note that nobody wants."""
