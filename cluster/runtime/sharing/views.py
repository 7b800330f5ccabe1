"""Documents as models to be read, and what each reader has read of them.

Made by `cluster.runtime.sharing.shared_documents`. A field is validated once, for all who read it
on this host; which fields were read is each reader's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar, cast

from cluster.kernel.reads import Reads
from cluster.kernel.state.values import Value
from cluster.memory.state.host.document import Document
from cluster.state.editing import StateView
from cluster.state.reading import apart, reads_of
from cluster.state.shared_state import SharedState

State = TypeVar("State", bound=SharedState)

_NOTHING: Mapping[str, Value] = {}


class SharedView(Generic[State]):
    """A document as a model of one class, made anew when the document has changed."""

    def __init__(self, of: type[State], document: Document) -> None:
        self._document = document
        self._view = StateView(of)
        self._fields = _NOTHING
        self._revision = 0

    @classmethod
    def of_document(cls, of: type[State], document: Document) -> SharedView[State]:
        """Return the one of a document that all share."""
        view = document.readers.views.get(of)
        if view is None:
            view = document.readers.views[of] = cls(of, document)
        return cast("SharedView[State]", view)

    def model(self) -> State:
        """Return the document as it is."""
        fields = self._document.fields
        if fields is not self._fields:
            self._fields = fields
            self._revision += 1
        return self._view.at(self._revision, fields)


class TurnView(Generic[State]):
    """A document as one reader sees it; what they read of it goes to their `Reads`."""

    __slots__ = ("_document", "_fields", "_model", "_reads", "_shared", "_version")

    def __init__(self, of: type[State], document: Document, reads: Reads) -> None:
        self._document = document
        self._shared = SharedView.of_document(of, document)
        self._reads = reads
        self._renew(document.fields)

    def model(self) -> State:
        """Return the document as it is; the same model for as long as it doesn't change."""
        fields = self._document.fields
        if fields is not self._fields:
            self.report()
            self._renew(fields)
        return self._model

    def _renew(self, fields: Mapping[str, Value]) -> None:
        self._fields = fields
        self._version = self._document.version
        self._model = apart(self._shared.model())

    def report(self) -> None:
        """Tell which fields were read of the document as it was last shown."""
        self._reads.state(self._document.name, self._version, reads_of(self._model))
