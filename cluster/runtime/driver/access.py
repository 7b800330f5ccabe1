"""How a program outside of the cluster reaches shared state: the port, and who offers it.

`cluster.client` lets its `Cluster` and its `Task` offer it; `cluster.runtime.driver.persons_state`
is behind it, and is imported only when it is used: it needs pydantic.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from cluster.state.shared_state import SharedState

State = TypeVar("State", bound="SharedState")


@dataclass(frozen=True, slots=True)
class StateRival:
    """One of the values of a conflict, and who wants it."""

    value: object
    """Plain data; None where the key is removed."""
    is_removed: bool
    author: str
    step: str
    version: int
    """Of the document, with which it was written; 0 for what was there by default."""


@dataclass(frozen=True, slots=True)
class StateConflict:
    """A place of a document for which somebody has to decide: a person who edits it does."""

    field: str
    key: str | None
    """Of the field's dict; None where all of the field is in conflict."""
    rivals: tuple[StateRival, ...]
    """What the place shows meanwhile comes first."""


class StateAccess(Protocol):
    """The documents of one task, and those of the cluster, as a person has them."""

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        """Edit a document."""
        ...

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document to be read, read from the store where it wasn't."""
        ...

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document as it is known here."""
        ...

    async def conflicts(
        self, of: type[SharedState], *, key: str = "", scope: str | None = None
    ) -> tuple[StateConflict, ...]:
        """Return what somebody has to decide in a document."""
        ...

    def close(self) -> None:
        """Follow none of them any longer."""
        ...


class SharesState:
    """What `Cluster` and `Task` have in common; what they edit is a person's."""

    def _access(self) -> StateAccess:
        """Return the way to the documents; raises UsageError where there is none yet."""
        raise NotImplementedError

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        """Edit a document of shared state, as agents do with ``turn.state``.

        What is changed in the block is durable when it has been left; where the block raises,
        nothing is changed. It counts as a person's edit: no agent undoes it without being told.

        Args:
            of: the class of the document.
            key: tells documents of one class apart.
            scope: "task" or "cluster", where it isn't that of the class.

        Raises:
            UsageError: there is no such document here, or a field was changed as it can't be
                merged.
            StateInvalid: on leaving, a field holds what its type doesn't allow.
            StateDeleted: somebody has deleted it.
            StoreUnavailable: it can't be read, or the store doesn't take the edit; it is tried on
                for as long as the cluster stays open.
        """
        return self._access().state(of, key=key, scope=scope)

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document of shared state as it is; from then on `peek` shows what becomes of it.

        Raises:
            UsageError: there is no such document here.
            StoreUnavailable: it can't be read.
        """
        return await self._access().open(of, key=key, scope=scope)

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        """Return a document that was opened, as it is known here: at once, and to be read only.

        Raises:
            UsageError: it has not been opened.
        """
        return self._access().peek(of, key=key, scope=scope)

    async def conflicts(
        self, of: type[SharedState], *, key: str = "", scope: str | None = None
    ) -> tuple[StateConflict, ...]:
        """Return what somebody has to decide in a document of shared state, by field and key.

        Whoever edits such a place in a block that was begun after that has decided it.

        Raises:
            UsageError: there is no such document here.
            StoreUnavailable: it can't be read.
        """
        return await self._access().conflicts(of, key=key, scope=scope)
