"""The real desk of the HTTP ingress: a driver's, with the records and the knowledge of its cluster.

Made once a replica by whoever deploys the application; all that it holds is its maker's to close.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cluster.kernel.errors import ClusterError, UsageError
from cluster.kernel.events import Event
from cluster.kernel.feed import Cursor, TaskRecord, TaskSummary
from cluster.kernel.ids import IdSource, StepId, TaskId
from cluster.kernel.roles import MANAGER
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.vocabulary import Plan, Step
from cluster.memory.directory import Directory
from cluster.memory.feed.port import TaskFeed
from cluster.memory.knowledge.catalog import adopt_collection
from cluster.memory.knowledge.names import LEARNED, KnowledgeVersion
from cluster.memory.namespaces.port import Namespaces
from cluster.memory.store.port import Store
from cluster.memory.task_records.port import KeyUse, TaskFilter, TaskRecords
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.serving.ports import TaskOrder

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeskParts:
    """What a desk does its work with."""

    store: Store
    directory: Directory
    driver: Driver
    namespaces: Namespaces
    feed: TaskFeed
    records: TaskRecords
    ids: IdSource


class ClusterDesk:
    """`cluster.serving.ports.Desk` of one cluster.

    Raises:
        ClusterError: from every method; its class says whose fault it is.
    """

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._is_adopted = False

    def new_task(self) -> TaskId:
        """Return an id that no task has."""
        return self._parts.ids.task_id()

    async def submit(self, order: TaskOrder, task: TaskId) -> SubmittedTask:
        """Hand a task in and follow it; a refusal is its first event."""
        return await self._parts.driver.submit(
            order.goal,
            collection=await self._collection(order.namespace),
            timeout_s=order.timeout_s,
            coherence=order.coherence,
            budget=Budget(order.tokens_max, order.cost_max),
            workflow=plan_alone(order),
            owner=order.owner,
            conversation=order.conversation,
            is_aside=order.is_aside,
            task=task,
        )

    async def start(self, order: TaskOrder, task: TaskId) -> None:
        """Hand in a task that belongs to the cluster; return when it is durable."""
        await self._parts.driver.start(
            order.goal,
            collection=await self._collection(order.namespace),
            timeout_s=order.timeout_s,
            coherence=order.coherence,
            budget=Budget(order.tokens_max, order.cost_max),
            workflow=plan_alone(order),
            owner=order.owner,
            conversation=order.conversation,
            is_aside=order.is_aside,
            task=task,
        )

    def watch(self, task: TaskId, after: Cursor) -> AsyncIterator[tuple[Cursor, Event]]:
        """Yield what follows a cursor, to the terminal event; a gap is an event too."""
        return self._parts.driver.watch(task, after)

    async def cancel(self, task: TaskId, reason: str) -> None:
        """Ask for the end of a task; its terminal event says that it has ended."""
        await self._parts.driver.cancel(task, reason)

    async def record(self, task: TaskId) -> TaskRecord | None:
        """Return what is known of a task."""
        return await self._parts.records.record(task)

    async def tasks(self, which: TaskFilter) -> tuple[TaskSummary, ...]:
        """Return a part of the list of tasks."""
        return await self._parts.records.tasks(which)

    async def forget(self, task: TaskId) -> None:
        """Remove what is kept of a task that has ended."""
        await self._parts.records.forget(task)
        await self._parts.feed.forget(task)

    async def use_key(self, owner: str, key: str, use: KeyUse) -> KeyUse:
        """As `TaskRecords.use_key`."""
        return await self._parts.records.use_key(owner, key, use)

    async def learn(self, namespace: str, source: str, text: str) -> str:
        """Let a namespace have a text as one of its sources; return the version it has then."""
        # With its libraries it takes a third of a second to import, and few replicas are asked to.
        from cluster.memory.knowledge.texts import learn_text

        await self._adopt_once()
        name = namespace or LEARNED
        return str(await learn_text(self._parts.namespaces, name, source, text))

    async def forget_text(self, namespace: str, source: str) -> bool:
        """Take a text that was learned so out of a namespace; say whether it was there."""
        from cluster.memory.knowledge.texts import forget_text  # late, as for `learn`

        return await forget_text(self._parts.namespaces, namespace or LEARNED, source)

    async def roles(self) -> tuple[str, ...]:
        """Return the roles that can be asked for alone: all that serve, but for the Manager's."""
        serving = {each.role for each in await self._parts.directory.all()}
        return tuple(sorted(serving - {MANAGER}))

    async def why_not_ready(self) -> str:
        """Return why no task can be taken just now; empty where it can."""
        try:
            managers = await self._parts.directory.replicas(MANAGER, is_fresh=True)
        except ClusterError as error:
            _log.warning("no task is taken just now: %s", error)
            return "the store of the cluster does not answer"  # whoever asks has shown no token
        return "" if managers else "no Manager serves just now"

    async def _collection(self, namespace: str) -> str:
        """Return a namespace at its version; nothing where nothing is learned by default.

        It stands before each task's first event, so it is one round trip.
        """
        await self._adopt_once()
        name = namespace or LEARNED
        head = (await self._parts.namespaces.heads([name]))[name]
        if not head.is_empty:
            return str(KnowledgeVersion(name, head.version))
        if namespace and namespace not in await self._parts.namespaces.names():
            # Without the names of others: a token may be told of its own alone.
            raise UsageError(f"the namespace {namespace!r} is not known: nothing was learned there")
        return ""

    async def _adopt_once(self) -> None:
        if not self._is_adopted:
            await adopt_collection(self._parts.store, self._parts.namespaces)
            self._is_adopted = True


def plan_alone(order: TaskOrder) -> Plan | None:
    """Return the plan of a task that one role works on alone; None for the team, and an aside."""
    if not order.role or order.is_aside:
        return None
    return Plan((Step(StepId(order.role), order.role, order.goal),))
