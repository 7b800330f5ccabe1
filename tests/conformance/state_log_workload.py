"""Whatever may be asked of a `cluster.memory.state.port.StateLog`, at random, and what is answered.

`tests/conformance/test_state_log.py` lets both implementations answer the same and compares.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.memory.state.entries import LogHead, LogPage, LogSnapshot, PendingEdit, StepKey
from cluster.memory.state.limits import EDIT_BYTES_MAX
from cluster.memory.state.port import StateLog

TASKS = (TaskId("t1"), TaskId("t2"))
STEPS = (StepId("a"), StepId("b"))
DOCUMENTS = ("task/t1/Board/", "task/t2/Board/", "cluster/Board/", "cluster/Board/b")


class Workload:
    """Calls a log at random; of two with one seed, both call the same.

    Incarnations are told by their order, since each implementation has its own.
    """

    def __init__(self, log: StateLog, seed: int) -> None:
        self._log = log
        self._chance = random.Random(seed)
        self._incarnations = [0]
        self._large = self._chance.random() < 0.3
        self._actions: tuple[Callable[[], Awaitable[object]], ...] = (
            *[self._append] * 8,
            *[self._put_snapshot] * 3,
            self._begin,
            self._settle,
            self._delete,
            self._expire,
        )

    async def turn(self) -> tuple[object, ...]:
        """Do something; return what was answered, and how all documents stand afterwards."""
        action = self._chance.choice(self._actions)
        try:
            told = await action()
        except ClusterError as error:
            told = type(error)
        pages = [await read(each) for each in DOCUMENTS for read in self._reads()]
        names = await self._log.names(self._chance.choice(["", "task/", "cluster/Board/b"]))
        begun = sorted(await self._log.begun())
        return action.__name__, told, *map(self._comparable, pages), names, begun

    def _reads(self) -> list[Callable[[str], Awaitable[LogPage]]]:
        after = self._chance.choice([0, 0, 3, 10])
        return [
            lambda name: self._log.read(name, after),
            lambda name: self._log.history(name, after),
        ]

    def _comparable(self, page: LogPage) -> object:
        return self._head(page.head), page.settled, page.snapshot, page.entries

    def _head(self, head: LogHead) -> tuple[int, int, bool]:
        if head.incarnation not in self._incarnations:
            self._incarnations.append(head.incarnation)
        return head.version, self._incarnations.index(head.incarnation), head.is_deleted

    def _step(self) -> tuple[TaskId, StepId]:
        return self._chance.choice(TASKS), self._chance.choice(STEPS)

    async def _append(self) -> object:
        task, step = self._chance.choice([self._step(), (NO_TASK, StepId("person/1"))])
        key = StepKey(task, step, self._chance.randint(1, 4))
        start = self._chance.randint(1, 12)
        size = EDIT_BYTES_MAX if self._large else 3
        edits = [
            PendingEdit(ordinal, self._chance.randbytes(1) * size)
            for ordinal in range(start, start + self._chance.randint(1, 4))
        ]
        return await self._log.append(self._chance.choice(DOCUMENTS), key, edits)

    async def _put_snapshot(self) -> object:
        document = self._chance.choice(DOCUMENTS)
        page = await self._log.read(document)
        version = self._chance.randint(0, max(page.settled, 1) + 1)
        snapshot = LogSnapshot(version, b"%d" % version)
        return await self._log.put_snapshot(document, page.head.incarnation, snapshot)

    async def _begin(self) -> object:
        return await self._log.begin(*self._step())

    async def _settle(self) -> None:
        await self._log.settle(*self._step())

    async def _delete(self) -> object:
        if self._chance.random() < 0.7:
            return None
        return self._head(await self._log.delete(self._chance.choice(DOCUMENTS)))

    async def _expire(self) -> None:
        if self._chance.random() < 0.2:
            await self._log.expire(self._chance.choice(TASKS), 1_000.0)
