"""`Cluster`: the Python driver. Submit goals, watch their events, await their answers.

How one gets to a cluster is handed in (`Cluster.default_join`, filled by the package's `__init__`):
`cluster.joining` attaches to one or starts it, and gives a `ClusterLink` to the runtime's `Driver`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from types import TracebackType
from typing import ClassVar, Protocol, Self

from cluster.kernel.errors import DeadlinePassed, UsageError
from cluster.kernel.ids import NO_TASK, TaskId
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.vocabulary import Answer, Coherence, Plan
from cluster.memory.knowledge.omissions import KnowledgeRead
from cluster.runtime.driver.access import SharesState, StateAccess
from cluster.settings import Configuration, Flag, load
from cluster.settings.bounds import check_coherence, check_cost, check_deadline, check_tokens
from cluster.settings.model_entries import check_priced
from cluster.task import SubmittedTask, Task
from cluster.uninterrupted import uninterrupted
from cluster.workflows import Workflow

PathName = str | os.PathLike[str]
Note = Callable[[str], None]
"""Is told in one line what takes time outside of a task, as in starting a cluster."""


class ClusterLink(Protocol):
    """An open way to a cluster, as `cluster.joining` makes it."""

    is_resident: bool
    """Whether the cluster goes on when its clients have left, so that tasks may belong to it."""

    async def knowledge(
        self, paths: Sequence[PathName], note: Note, namespace: str = ""
    ) -> KnowledgeRead:
        """Return what the paths hold; what was learned before, without any."""
        ...

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
        """Hand a goal to a Manager."""
        ...

    async def start(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence,
        budget: Budget,
        workflow: Plan | None = None,
    ) -> SubmittedTask:
        """Hand a goal to the cluster, whose task it is then; returns when it is durable."""
        ...

    async def rejoin(self, task: TaskId) -> SubmittedTask:
        """Follow a task from its first event, whoever submitted it.

        Raises:
            UsageError: nothing is known of it.
        """
        ...

    def sharing(self, task: TaskId) -> StateAccess:
        """Return a way to the documents of a task, and to those of the cluster."""
        ...


NOT_RESIDENT = (
    "a detached task needs a cluster that stays, and this one was started for the duration: run "
    "`fleetmind up`"
)
Join = Callable[[Configuration, Note], AbstractAsyncContextManager[ClusterLink]]


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
        """Cancel what still runs here, leave the cluster, stop it where it was started for this.

        Tasks that belong to the cluster go on.
        """
        await uninterrupted(self._close())

    async def submit(
        self,
        goal: str = "",
        *,
        knowledge: Sequence[PathName] = (),
        namespace: str = "",
        deadline_s: float | None = None,
        tokens_max: int | None = None,
        cost_max: float | None = None,
        coherence: str | None = None,
        workflow: Workflow | PathName | None = None,
        detached: bool = False,
    ) -> Task:
        """Hand a goal to the cluster.

        Args:
            goal: what is wanted, in plain words; may be left out where the workflow says it.
            knowledge: files and folders to answer from; without any, what was learned before.
            namespace: where that was learned, if not by default; not together with ``knowledge``.
            deadline_s: seconds the task may take, and before it the reading of the knowledge; the
                settings' where not given.
            tokens_max: what its model calls may use, prompt and completion together.
            cost_max: what they may cost, by the models' prices.
            coherence: when steps begin, ``chained`` or ``broadcast``; see `Coherence`.
            workflow: the steps to run, or a file of them without inputs; else a model plans.
            detached: it belongs to the cluster, and goes on when this program has left or died;
                `task` rejoins it, and so does ``fleetmind watch``.

        Raises:
            UsageError: the goal is empty, the knowledge or the workflow can't be read, the
                namespace or the coherence is not known, or a task is to be detached from a cluster
                that was started for this block.
            DeadlinePassed: the knowledge was not read in time.
            ClusterError: the cluster can't be reached.
        """
        link = self._opened()
        if detached and not link.is_resident:
            raise UsageError(NOT_RESIDENT)
        goal, plan = _asked(goal, workflow)
        if deadline_s is not None:
            check_deadline(deadline_s, "deadline_s")
        paths = (knowledge,) if isinstance(knowledge, str | os.PathLike) else tuple(knowledge)
        if paths and namespace:
            raise UsageError("answer from paths or from a namespace: give one of the two")
        everything = self._configuration.settings
        settings = everything.task
        timeout_s, coherence = deadline_s or settings.deadline_s, coherence or settings.coherence
        check_coherence(coherence, "coherence")
        budget = _budget(
            settings.tokens_max if tokens_max is None else tokens_max,
            settings.cost_max if cost_max is None else cost_max,
        )
        if budget.cost_max:
            check_priced(everything.model, everything.models)
        try:
            async with asyncio.timeout(timeout_s):
                read = await link.knowledge(paths, self._note, namespace)
        except TimeoutError:
            raise DeadlinePassed(
                f"the knowledge was not read within the task's {timeout_s:g} s: name fewer files, "
                "or give it more time"
            ) from None
        submit = link.start if detached else link.submit
        submitted = await submit(
            goal,
            collection=read.collection,
            timeout_s=timeout_s,
            coherence=Coherence(coherence),
            budget=budget,
            workflow=plan,
        )
        return self._followed(submitted, read, is_kept=detached)

    async def task(self, task_id: str) -> Task:
        """Return a task that was submitted before, by whomever, with its events from the first on.

        It may run or have ended; leaving the cluster does not cancel it.

        Raises:
            UsageError: nothing is known of it: it was never submitted, or ended a week ago.
            ClusterError: the cluster can't be reached.
        """
        link = self._opened()
        return self._followed(await link.rejoin(TaskId(task_id)), KnowledgeRead(), is_kept=True)

    def _followed(self, submitted: SubmittedTask, read: KnowledgeRead, *, is_kept: bool) -> Task:
        link = self._opened()
        task = Task(submitted, self._tasks.discard, read, link.sharing, is_kept=is_kept)
        self._tasks.add(task)
        return task

    async def ask(
        self,
        goal: str = "",
        *,
        knowledge: Sequence[PathName] = (),
        namespace: str = "",
        deadline_s: float | None = None,
        tokens_max: int | None = None,
        cost_max: float | None = None,
        coherence: str | None = None,
        workflow: Workflow | PathName | None = None,
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
            tokens_max=tokens_max,
            cost_max=cost_max,
            coherence=coherence,
            workflow=workflow,
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
    goal: str = "",
    *,
    knowledge: Sequence[PathName] = (),
    namespace: str = "",
    deadline_s: float | None = None,
    tokens_max: int | None = None,
    cost_max: float | None = None,
    coherence: str | None = None,
    workflow: Workflow | PathName | None = None,
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
                tokens_max=tokens_max,
                cost_max=cost_max,
                coherence=coherence,
                workflow=workflow,
            )

    return asyncio.run(ask())


def _asked(goal: str, workflow: Workflow | PathName | None) -> tuple[str, Plan | None]:
    """Return the goal, the workflow's where none is given, and the plan where there is one."""
    if workflow is not None and not isinstance(workflow, Workflow):
        workflow = Workflow.load(workflow)
    if workflow is not None and not goal.strip():
        goal = workflow.goal
    if not goal.strip():
        raise UsageError("the goal is empty")
    return goal, None if workflow is None else workflow.plan


def _budget(tokens_max: int | None, cost_max: float | None) -> Budget:
    if tokens_max is not None:
        check_tokens(tokens_max, "tokens_max")
    if cost_max is not None:
        check_cost(cost_max, "cost_max")
    return Budget(tokens_max or 0, cost_max or 0.0)


def _say_nothing(_text: str) -> None:
    """Take a note that nobody wants."""
