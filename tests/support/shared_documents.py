"""A store of shared state that answers late or not at all, and what edits it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import FieldEdit
from cluster.kernel.state.own_policies import Policies
from cluster.kernel.state.values import Value, canonical
from cluster.memory.namespaces.local import LocalFeed
from cluster.memory.state.entries import (
    Appended,
    Begun,
    LogHead,
    LogPage,
    LogSnapshot,
    PendingEdit,
    StepKey,
)
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.local import LocalStateLog
from cluster.memory.state.marks import StepMarks
from cluster.memory.state.port import StateLog
from cluster.memory.store.port import Store

BOARD = "task/t/Board/"
TASK = TaskId("t")
POLICIES = Policies()


class UnsteadyStateLog(LocalStateLog):
    """The twin, with what goes wrong on the way to it and back."""

    def __init__(self, clock: Clock, store: Store | None = None) -> None:
        super().__init__(clock, store)
        self.is_down = False
        self.is_silent = False
        """Whether wake-ups get lost."""
        self.lost_answers = 0
        """So many appends take effect and say they haven't."""
        self.appends = self.reads = 0
        self.expired: dict[TaskId, float] = {}
        """How long the documents of tasks are kept that have ended."""
        self.delay: Callable[[], int] = lambda: 0
        """So many turns of the loop a call waits, each time it crosses."""

    async def _cross(self) -> None:
        for _ in range(self.delay()):
            await asyncio.sleep(0)
        if self.is_down:
            raise StoreUnavailable("the store is down")

    async def begin(self, task: TaskId, step: StepId, marks: StepMarks | None = None) -> Begun:
        await self._cross()
        return await super().begin(task, step, marks)

    async def append(
        self,
        document: str,
        step: StepKey,
        edits: Sequence[PendingEdit],
        *,
        ttl_s: float | None = None,
        incarnation: int = 0,
        is_upkeep: bool = False,
    ) -> Appended:
        await self._cross()
        self.appends += 1
        appended = await super().append(
            document, step, edits, ttl_s=ttl_s, incarnation=incarnation, is_upkeep=is_upkeep
        )
        await self._cross()
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("the answer was lost")
        return appended

    async def read(self, document: str, after: int = 0) -> LogPage:
        await self._cross()
        self.reads += 1
        page = await super().read(document, after)
        await self._cross()
        return page

    async def heads(self, documents: Sequence[str]) -> dict[str, LogHead]:
        await self._cross()
        return await super().heads(documents)

    async def put_snapshot(self, document: str, incarnation: int, snapshot: LogSnapshot) -> bool:
        await self._cross()
        return await super().put_snapshot(document, incarnation, snapshot)

    async def expire(self, task: TaskId, ttl_s: float) -> None:
        await self._cross()
        await super().expire(task, ttl_s)
        self.expired[task] = ttl_s

    async def feed(self) -> LocalFeed:
        await self._cross()
        return LocalFeed({}) if self.is_silent else await super().feed()

    def empty(self) -> None:
        """Lose everything, as a store does that is started anew."""
        self._documents.clear()
        self._steps.clear()
        self._begun.clear()


def change(document: Document, name: str, mine: Value, policy: str) -> dict[str, FieldEdit]:
    """The edit of a field by an author who sees the document as it is."""
    found = POLICIES.find(policy)
    assert found is not None
    delta = found.difference(document.fields.get(name), mine)
    assert delta is not None
    return {name: FieldEdit(policy, delta)}


def spend(document: Document, attempt: EditAttempt, amount: int = 1) -> None:
    """Add to a total."""
    spent = document.fields.get("spent") or 0
    assert isinstance(spent, int)
    document.edit(attempt, change(document, "spent", spent + amount, "total"))


def say(document: Document, attempt: EditAttempt, item: Value) -> None:
    """Append an item to a list."""
    said = document.fields.get("said") or []
    assert isinstance(said, list)
    document.edit(attempt, change(document, "said", [*said, item], "append"))


async def until(condition: Callable[[], bool]) -> None:
    """Let the tasks run until something is so."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of objects that tell nobody
            await asyncio.sleep(0.001)


async def shortened(log: StateLog) -> LogPage:
    """Wait for the snapshot of the board."""
    async with asyncio.timeout(20):
        while (page := await log.read(BOARD)).snapshot is None:  # noqa: ASYNC110 - of a store
            await asyncio.sleep(0.001)
    return page


async def step(documents: Documents, name: str = "a") -> EditAttempt:
    """Begin an attempt at a step of the task."""
    return await documents.begin(TASK, StepId(name), f"researcher-{name}")


def whole(document: Document) -> bytes:
    """All that a host knows of a document, as bytes that are equal where it is."""
    return canonical(document.fold.folded().to_plain())
