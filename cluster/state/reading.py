"""Models of one reader each, of a document that many read: which fields were read, they know. Pure.

Used by `cluster.runtime.sharing.views`: a result is stale when a field has changed that its own
turn has read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from cluster.state.shared_state import SharedState, Source, lazy, source_of

State = TypeVar("State", bound=SharedState)


class _OthersSource(Source):
    """Where a model of one reader reads: another one of the same fields, which all readers share.

    What has been read of it is in the one reader's model alone.
    """

    __slots__ = ("_shared",)

    def __init__(self, shared: SharedState, source: Source) -> None:
        super().__init__(source.schema, source.fields, is_open=False)
        self._shared = shared

    def value(self, name: str) -> Any:
        """Return the value of a field; raises `StateInvalid` where it has none for the class."""
        return getattr(self._shared, name)


def apart(shared: State) -> State:
    """Return a model of the same fields for one reader: `reads_of` then says what they have read.

    Args:
        shared: of a `StateView`; what is read is validated there, once for all readers.
    """
    source = source_of(shared)
    assert source is not None
    model: State = lazy(type(shared), _OthersSource(shared, source), {})
    return model


def reads_of(model: SharedState) -> Collection[str]:
    """Return the fields of a model of a document that were read so far."""
    return model.__dict__.keys()
