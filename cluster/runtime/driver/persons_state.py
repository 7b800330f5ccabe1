"""Shared state for the person whose program drives the cluster: edits are durable when they return.

Made by `cluster.joining` when a program first asks for shared state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import TaskId
from cluster.kernel.reads import Reads
from cluster.kernel.state.conflicts import Conflict, Sibling
from cluster.kernel.state.values import ABSENT, copied
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import trusted_conflicts
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.limits import STEPS_KEPT_S
from cluster.runtime.driver.access import State, StateConflict, StateRival
from cluster.runtime.sharing.shared_documents import SharedDocuments
from cluster.state.naming import document_name
from cluster.state.shared_state import SharedState

DURABLE_S = 10.0
"""How long an edit may take to be durable before the person is told that it isn't yet."""


class PersonsState:
    """The documents of a task, and those of the cluster; a `cluster.runtime.driver.access` port.

    Args:
        documents: those that are open in this process.
        task: whose documents are meant where a class doesn't say "cluster"; `NO_TASK` for none.
        person: the author of all edits.
    """

    def __init__(self, documents: Documents, task: TaskId, person: EditAttempt) -> None:
        async def begin() -> EditAttempt:
            return person

        self._task = task
        # What a person has read is nobody's result: it is noted for nobody.
        self._shared = SharedDocuments(
            documents,
            task,
            begin,
            Reads(),
            task_ttl_s=STEPS_KEPT_S,  # of a task that has ended nobody would remove it
        )

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        """Edit a document."""
        return self._edited(of, key, scope)

    @asynccontextmanager
    async def _edited(self, of: type[State], key: str, scope: str | None) -> AsyncIterator[State]:
        async with self._shared.state(of, key=key, scope=scope) as model:
            yield model
        document = await self._shared.held(of, document_name(of, key, self._task, scope))
        try:
            async with asyncio.timeout(DURABLE_S):
                await document.flushed()
        except TimeoutError:
            raise StoreUnavailable(
                f"the store has not taken the edit of {document.name} within {DURABLE_S:g} s; "
                "it is tried on while the cluster is open"
            ) from None
        await self._shared.faults.news(DURABLE_S)  # which the log is told of

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document to be read, read from the store where it wasn't."""
        return await self._shared.open(of, key=key, scope=scope)

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document as it is known here."""
        return self._shared.peek(of, key=key, scope=scope)

    async def conflicts(
        self, of: type[SharedState], *, key: str = "", scope: str | None = None
    ) -> tuple[StateConflict, ...]:
        """Return what somebody has to decide in a document."""
        document = await self._shared.held(of, document_name(of, key, self._task, scope))
        return tuple([_shown(each) for each in trusted_conflicts(document)])

    def close(self) -> None:
        """Follow none of them any longer."""
        self._shared.close()


def _shown(conflict: Conflict) -> StateConflict:
    rivals = tuple([_rival(each) for each in conflict.siblings])
    return StateConflict(conflict.field, conflict.key, rivals)


def _rival(sibling: Sibling) -> StateRival:
    value, writer = sibling.value, sibling.writer
    shown = None if value is ABSENT else copied(value)  # all who read the document have this one
    return StateRival(shown, value is ABSENT, writer.stamp.author, writer.step, writer.version)
