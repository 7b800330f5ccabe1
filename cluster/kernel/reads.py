"""What a turn has read of what others may change, bounded, for its reply to carry as `Saw`.

The runtime gives each turn a `Reads`: shared state notes there which fields were read at which
version, an agent which documents its quotes are of. Whether a step has to be done again is decided
by what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.kernel.ids import StepId
from cluster.kernel.usage import Usage

ENTRIES_MAX = 64
"""Documents of shared state and namespaces of one turn."""
PLACES_MAX = 256
"""Fields of a document, and sources of a namespace."""
NAMES_BYTES_MAX = 7_000
"""Of all names together: a frame holds 256 envelopes, each with what its sender has read."""
_NAME_BYTES = 20
"""What a name and its version take at most, beside the name itself."""


@dataclass(frozen=True, slots=True)
class SeenField:
    """A field of a document of shared state, and the version at which it was read last."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class SeenState:
    """A document of shared state: its version when it was opened first, the fields that count."""

    document: str
    version: int
    fields: tuple[SeenField, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenSource:
    """A source of the knowledge that was cited, and the id of the document it had."""

    source: str
    document: str


@dataclass(frozen=True, slots=True)
class SeenNamespace:
    """A namespace of the knowledge: the version that was searched, and what was cited of it."""

    namespace: str
    version: int
    sources: tuple[SeenSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Saw:
    """What a result was made from, of all that others may have changed since, and how."""

    states: tuple[SeenState, ...] = ()
    namespaces: tuple[SeenNamespace, ...] = ()
    is_whole: bool = True
    """False where there was more than the bounds allow: the rest is not known."""
    is_declared: bool = False
    """The handler says itself what counts: a change of it counts even where the step wrote it."""
    missing: tuple[StepId, ...] = ()
    """Steps that it needs and whose results it did not have, where these count."""
    made_by: str = ""
    """The agent that has made the result: who passes it on may have found it in the store."""
    spent: Usage | None = None
    """What its turn has used: who gets the result may not have heard of it on the way."""
    fell_back: tuple[str, ...] = ()
    """Why plainer models have answered in its turn."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read that may change."""
        return self.is_whole and not (self.states or self.namespaces or self.missing)


class Reads:
    """Notes what one turn reads; over its bounds it notes only that there was more."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[int, dict[str, int]]] = {}
        self._namespaces: dict[str, tuple[int, dict[str, str]]] = {}
        self._is_whole = True
        self._bytes = 0
        self._declared: frozenset[tuple[str, str]] | None = None
        """Classes and fields that count; None for all."""
        self._counts_knowledge = True
        self._counts_results = True
        self._missing: tuple[StepId, ...] = ()

    def narrow(self, fields: Iterable[tuple[str, str]], *, knowledge: bool, results: bool) -> None:
        """Let only some reads count from now on.

        Args:
            fields: the names of classes of shared state, each with that of a field.
            knowledge: whether what is cited of the knowledge counts.
            results: whether those of the steps count that this one needs.
        """
        self._declared = frozenset(fields)
        self._counts_knowledge = knowledge
        self._counts_results = results

    def without(self, missing: tuple[StepId, ...]) -> None:
        """Note which steps have not ended whose results the turn should have."""
        if self._has_room(*missing, places=len(missing)):
            self._missing = missing

    def state(self, document: str, version: int, fields: Iterable[str]) -> None:
        """Note that fields of a document of shared state were read at a version of it.

        Of a field that is read again the later version counts: it was known when it was used.
        """
        entry = self._states.get(document)
        if entry is None:
            if not self._has_room(document):
                return
            entry = self._states[document] = version, {}
        first, seen = entry
        if version < first:
            self._states[document] = version, seen
        for name in fields:
            if not self._counts(document, name):
                continue
            if name in seen:
                seen[name] = max(seen[name], version)
            elif self._has_room(name, places=len(seen)):
                seen[name] = version

    def passages(
        self, namespace: str, version: int, sources: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Note that a namespace was searched at a version of it, and what was cited.

        Args:
            namespace: its name.
            version: that of the look-up.
            sources: each with the id of the document that was cited; without one it can't be
                told whether that has changed, and it is left out.
        """
        if not self._counts_knowledge:
            sources = ()  # that it was searched says where the result comes from
        entry = self._namespaces.get(namespace)
        if entry is None:
            if not self._has_room(namespace):
                return
            entry = self._namespaces[namespace] = version, {}
        first, seen = entry
        if version < first:
            self._namespaces[namespace] = version, seen
        for source, document in sources:
            is_known = source in seen
            if document and (is_known or self._has_room(source, document, places=len(seen))):
                seen[source] = document

    def saw(self) -> Saw:
        """Return what has been noted so far, the same for equal reads."""
        states = [
            SeenState(name, version, tuple(SeenField(*each) for each in sorted(fields.items())))
            for name, (version, fields) in sorted(self._states.items())
        ]
        namespaces = [
            SeenNamespace(name, at, tuple(SeenSource(*each) for each in sorted(sources.items())))
            for name, (at, sources) in sorted(self._namespaces.items())
        ]
        is_declared = self._declared is not None
        missing = self._missing if self._counts_results else ()
        return Saw(tuple(states), tuple(namespaces), self._is_whole, is_declared, missing)

    def _counts(self, document: str, field: str) -> bool:
        return self._declared is None or (class_of(document), field) in self._declared

    def _has_room(self, *names: str, places: int | None = None) -> bool:
        """Take room for one entry more, or note that there is none."""
        size = sum(len(name.encode()) + _NAME_BYTES for name in names)
        if places is None:
            is_full = len(self._states) + len(self._namespaces) >= ENTRIES_MAX
        else:
            is_full = places >= PLACES_MAX
        if is_full or self._bytes + size > NAMES_BYTES_MAX:
            self._is_whole = False
            return False
        self._bytes += size
        return True


def class_of(document: str) -> str:
    """Return the name of the class that a document of shared state is of, by the document's name.

    It is called ``task/ID/CLASS`` or ``cluster/CLASS``, and ``/KEY`` may follow.
    """
    scope, *rest = document.split("/")
    at = 1 if scope == "task" else 0
    return rest[at] if len(rest) > at else ""


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What has become of something that a step has read or written."""

    document: str
    """The name of a document of shared state, or of a namespace of the knowledge."""
    places: tuple[str, ...]
    """Fields of the one, sources of the other."""
    from_version: int
    to_version: int
    is_gone: bool = False
    """The document was deleted; the sources were forgotten."""
