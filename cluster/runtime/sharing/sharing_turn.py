"""What of a turn is about shared state, for the two kinds of turns that there are.

Subclassed by `cluster.runtime.turns.running_turn` and `cluster.runtime.tasks.context`. A turn that
shares nothing pays for nothing: nothing is made, and neither pydantic nor the folding of documents
is imported, since who attaches to a cluster imports this.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from cluster.kernel.errors import UsageError
from cluster.kernel.events import FellBack
from cluster.kernel.ids import TaskId
from cluster.kernel.reads import Reads, Saw

if TYPE_CHECKING:
    from cluster.memory.state.host.attempt import EditAttempt
    from cluster.memory.state.host.documents import Documents
    from cluster.runtime.sharing.shared_documents import SharedDocuments

State = TypeVar("State")

_NOTHING = Saw()


@dataclass(slots=True, eq=False, kw_only=True)
class SharingTurn:
    """The part of a `cluster.kernel.turn.Turn` that is about shared state."""

    documents: Documents | None = None
    """Those of this process; None where it shares none."""
    _reads: Reads | None = field(default=None, init=False)
    _shared: SharedDocuments | None = field(default=None, init=False)
    _pure_method: str = field(default="", init=False)
    """What is named where something is edited all the same; empty where that is allowed."""

    @property
    def task(self) -> TaskId:
        """The task it works for."""
        raise NotImplementedError

    def remaining_s(self) -> float:
        """Return the seconds left."""
        raise NotImplementedError

    def emit(self, detail: object) -> None:
        """Say how far it is."""
        raise NotImplementedError

    async def prepared(self) -> object:
        """Return None: only agents that are told of a step get ready for it."""
        return None

    async def begin_attempt(self, documents: Documents) -> EditAttempt:
        """Return the author of all that is edited."""
        raise NotImplementedError

    # ---- for handlers ----------------------------------------------------------------------

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        """Edit a shared document."""
        if self._pure_method:
            raise self._is_pure("edits shared state: turn.open and turn.peek read it")
        shared: Any = self._shared or self._sharing()
        block: AbstractAsyncContextManager[State] = shared.state(of, key=key, scope=scope)
        return block

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a shared document to be read, read from the store where it isn't open here."""
        shared: Any = self._shared or self._sharing()
        model: State = await shared.open(of, key=key, scope=scope)
        return model

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a shared document as it is known here, at once."""
        shared: Any = self._shared or self._sharing()
        model: State = shared.peek(of, key=key, scope=scope)
        return model

    @property
    def stale_s(self) -> float:
        """For how long the store has not said how current the shared documents here are."""
        return 0.0 if self.documents is None else self.documents.stale_s

    def publish(self, topic: str, value: object) -> None:
        """Add a value to a topic of the task."""
        if self._pure_method:
            raise self._is_pure(f"publishes to {topic!r}")
        (self._shared or self._sharing()).publish(topic, value)

    def only_reads(self, method: str) -> None:
        """Let nothing be edited or published from now on."""
        self._pure_method = method

    def _is_pure(self, deed: str) -> UsageError:
        return UsageError(
            f"{self._pure_method} is pure, so that it may be done twice or for nothing, and {deed}"
        )

    # ---- for the runtime -------------------------------------------------------------------

    @property
    def reads(self) -> Reads:
        """What it has read of what others may change."""
        if self._reads is None:
            self._reads = Reads()
        return self._reads

    def saw(self) -> Saw:
        """Return what it has read so far of what others may change."""
        if self._shared is not None:
            self._shared.report()
        return _NOTHING if self._reads is None else self._reads.saw()

    @property
    def generation(self) -> int:
        """Which attempt at its step this is; 0 where nothing was edited."""
        return 0 if self._shared is None else self._shared.generation

    async def begin(self) -> None:
        """Let nothing be left of what earlier attempts at its step have edited.

        Raises:
            StaleEpoch: the step has its result, or its task has ended.
            StoreUnavailable: the store can't be reached.
        """
        if self.documents is not None:
            await (self._shared or self._sharing()).attempt()

    async def flush(self) -> None:
        """Take no more edits, and wait until all are durable, for half of the time that is left.

        Raises:
            ClusterError: it isn't, as `SharedDocuments.flush` says: no result may go out.
        """
        if self._shared is not None:
            await self._shared.published(self.remaining_s() / 4)
            self._shared.finish()
            await self._shared.flush(self.remaining_s() / 2)
            for said in await self._shared.faults.news(self.remaining_s() / 4):
                self.emit(FellBack("merge", said))

    def close(self) -> None:
        """Hold no document any longer."""
        if self._shared is not None:
            self._shared.report()
            self._shared.close()

    def _sharing(self) -> SharedDocuments:
        from cluster.memory.state.limits import STEPS_KEPT_S
        from cluster.runtime.sharing.shared_documents import SharedDocuments

        documents = self.documents
        if documents is None:
            raise UsageError("this process has no shared state")
        self._shared = shared = SharedDocuments(
            documents,
            self.task,
            lambda: self.begin_attempt(documents),
            self.reads,
            task_ttl_s=STEPS_KEPT_S,  # should its end never be told; else they end with the task
        )
        return shared
