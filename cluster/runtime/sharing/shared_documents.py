"""The shared documents of one turn, or of one person: opened, read, edited, and what was read.

A turn gets one when it first asks for shared state (`cluster.runtime.turns.running_turn`), the
driver and the command line have one of their own. All edits that are made through one of these are
those of one attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.kernel.ids import TaskId
from cluster.kernel.reads import Reads
from cluster.kernel.state.edits import FieldEdit
from cluster.kernel.state.names import checked_topic
from cluster.kernel.state.values import Value
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.limits import deleted
from cluster.memory.state.port import task_prefix
from cluster.runtime.sharing.fault_watch import FaultWatch
from cluster.runtime.sharing.publishing import Publisher
from cluster.runtime.sharing.views import TurnView
from cluster.state.editing import Editing, functions_of
from cluster.state.naming import document_name
from cluster.state.shared_state import SharedState
from cluster.state.topic import Topic, check_room, published

State = TypeVar("State", bound=SharedState)

_ViewKey = tuple[type[SharedState], str, str | None]


class SharedDocuments:
    """What one turn, or one person, has of shared state; `close` it at the end.

    Args:
        documents: those of this process.
        task: whose documents are meant where the scope is "task"; `NO_TASK` where there is none.
        begin: begins the attempt that all edits are of; called once, before the first edit.
        reads: told what was read.
        task_ttl_s: how long the task's documents live at most after an edit; None: as they are.
    """

    def __init__(
        self,
        documents: Documents,
        task: TaskId,
        begin: Callable[[], Awaitable[EditAttempt]],
        reads: Reads,
        *,
        task_ttl_s: float | None = None,
    ) -> None:
        self._documents = documents
        self._task = task
        self._begin = begin
        self.reads = reads
        self._task_ttl_s = task_ttl_s
        self._is_over = False
        self.author: EditAttempt | None = None
        """The attempt that all edits are of; None while it is not begun."""
        self._beginning = asyncio.Lock()
        self._held: dict[str, Document] = {}
        self._names: dict[_ViewKey, str] = {}
        self._views: dict[_ViewKey, TurnView[Any]] = {}
        self._publisher = Publisher(self._add)
        self.faults = FaultWatch(documents)
        """Of the program's own ways of merging, with what was edited here."""

    @property
    def generation(self) -> int:
        """Which attempt at its step this is; 0 while there is none, since nothing was edited."""
        return 0 if self.author is None else self.author.key.generation

    def edit(self, document: Document, edits: Mapping[str, FieldEdit], *, at: int) -> None:
        """Edit a document as one that was seen at a version; raises what `Document.edit` does.

        Raises:
            UsageError: the turn has ended: its result would stand without this.
        """
        author = self.author
        if self._is_over or author is None:
            raise _too_late(document.name)
        document.edit(author, edits, at=at)

    async def attempt(self) -> EditAttempt:
        """Return the attempt that all edits are of, begun if it was not.

        Raises:
            StaleEpoch: it is too late for one.
            StoreUnavailable: it can't be begun.
        """
        if self.author is None:
            async with self._beginning:
                if self.author is None:
                    self.author = await self._begin()
        return self.author

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        """Edit a document: what is changed in the block is written when it is left.

        Where the block raises, nothing is. It may span awaits: others go on meanwhile, and their
        edits and this one merge.
        """
        return _Block(self, of, self._name(of, key, scope))

    def _name(self, of: type[SharedState], key: str, scope: str | None) -> str:
        try:
            return self._names[of, key, scope]
        except (KeyError, TypeError):  # programs pass what they like as a class
            name = document_name(of, key, self._task, scope)
            self._names[of, key, scope] = name
            return name

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document as it is, read where it wasn't; from then on `peek` shows it.

        Raises:
            StoreUnavailable: it isn't open here, and can't be read.
            UsageError: there is no such document, as `document_name` says.
        """
        await self.held(of, self._name(of, key, scope))
        return self.peek(of, key=key, scope=scope)

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document as it is here, at once; it is to be read only.

        Raises:
            UsageError: it has not been opened on this host.
        """
        view = self._views.get((of, key, scope))
        if view is None:
            view = self._viewed(of, key, scope)
        model: State = view.model()
        return model

    def _viewed(self, of: type[State], key: str, scope: str | None) -> TurnView[State]:
        name = self._name(of, key, scope)
        document = self._held.get(name) or self._documents.peek(name)
        if document is None:
            raise UsageError(f"{name} isn't open here: await `open({of.__name__})` before `peek`")
        self._hold(document)
        view = TurnView(of, document, self.reads)
        self._views[of, key, scope] = view
        return view

    def held_here(self, name: str) -> Document | None:
        """Return a document that this holds already."""
        return self._held.get(name)

    def publish(self, topic: str, value: object) -> None:
        """Add a value to a topic of the task, soon; raises what `Turn.publish` does."""
        if self._is_over:
            raise _too_late(topic)
        self._name(Topic, checked_topic(topic), None)
        self._publisher.publish(topic, published(value))

    async def _add(self, topic: str, value: Value) -> None:
        await self.attempt()
        document = await self.held(Topic, self._name(Topic, topic, None))
        editing = Editing(Topic, document.fields)
        check_room(topic, len(editing.model.values))
        editing.model.values.append(value)
        self.edit(document, editing.finish(), at=document.version)

    async def published(self, timeout_s: float) -> None:
        """Wait until what was published is edits; raises what `Publisher.finished` does."""
        await self._publisher.finished(timeout_s)

    async def held(self, of: type[SharedState], name: str) -> Document:
        """Return a document, open until this is closed.

        The first time it has all that was written before: the results of other steps may have
        arrived sooner than what these steps have edited.
        """
        document = self._held.get(name)
        if document is None:
            await self._documents.know(functions_of(of))
            document = await self._documents.open_current(name, ttl_s=self._ttl_s(of, name))
            self._hold(document)
        return document

    def _ttl_s(self, of: type[SharedState], name: str) -> float | None:
        if of.__shared_ttl_s__ is None and name.startswith(task_prefix(self._task)):
            return self._task_ttl_s
        return of.__shared_ttl_s__

    def _hold(self, document: Document) -> None:
        if document.name not in self._held:
            self._held[document.name] = document
            document.readers.count += 1

    async def flush(self, timeout_s: float) -> None:
        """Wait until all that was edited is durable.

        Raises:
            StaleEpoch: there is a later attempt at the step, or its task has ended.
            StateDeleted: a document was deleted while an edit of it was under way.
            StoreUnavailable: not all is durable after ``timeout_s`` seconds.
        """
        if self.author is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._documents.flush(self.author)
        except TimeoutError as error:
            raise StoreUnavailable(
                f"the store has not taken all edits of shared state within {timeout_s:.1f} s"
            ) from error

    def finish(self) -> None:
        """Take no more edits: what is to be made from them comes next."""
        self._is_over = True

    def report(self) -> None:
        """Tell `reads` what was read by `peek` so far."""
        for view in self._views.values():
            view.report()

    def close(self) -> None:
        """Hold the documents no longer, and take no more edits."""
        self._is_over = True
        self._publisher.close()
        for document in self._held.values():
            document.readers.count -= 1
        self._held.clear()
        self._views.clear()


def _too_late(name: str) -> UsageError:
    return UsageError(
        f"{name} can't be edited any more: what a turn leaves running has no part in its result"
    )


class _Block(Generic[State]):
    """One edit of a document, from the begin of its block to the end."""

    __slots__ = ("_document", "_editing", "_name", "_of", "_shared", "_version")

    def __init__(self, shared: SharedDocuments, of: type[State], name: str) -> None:
        self._shared = shared
        self._of = of
        self._name = name

    async def __aenter__(self) -> State:
        # The first block of a turn begins it and opens the document; all others find both.
        shared = self._shared
        if shared.author is None:
            await shared.attempt()
        document = shared.held_here(self._name) or await shared.held(self._of, self._name)
        if document.is_deleted:
            raise deleted(document.name)
        self._document, self._version = document, document.version
        self._editing = editing = Editing(self._of, document.fields)
        return editing.model

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        editing, document = self._editing, self._document
        self._shared.reads.state(document.name, self._version, editing.reads)
        if error is not None:
            return
        edits = editing.finish()
        if edits:
            self._shared.edit(document, edits, at=self._version)
            self._shared.faults.watch(document, edits, self._version)
        editing.written_by(document.flushed)
