"""Namespaces of the central store: a port with two implementations.

`cluster.memory.namespaces.redis` is the real one, `cluster.memory.namespaces.local` its in-memory
twin; both pass `tests/conformance/namespaces_contract.py`. A namespace is an ordered log of puts
and removals, each of a source; its position is the namespace's version. Of each source only the
latest entry is kept, a removal too: whoever has seen the log up to a version reads what is newer
and is up to date, however long they were away. Namespaces are apart by their keys in the store:
none is found by filtering another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

UNNAMED_KEPT_S = 30.0
"""How long the store keeps a document that no namespace names.

Nobody reads it but who has just read the log: a reader that finds it gone reads the log again, and
a writer that stored it and was interrupted stores it again. So it is some round trips long, and not
as long as a task.
"""
DOCUMENTS_BYTES_MAX = 65_536
"""How much of documents comes along with entries: more of it is read by itself."""
DOCUMENT_CHARS = 32
"""Length of a document's id."""
NO_DOCUMENTS: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A put of a source, or with an empty document its removal."""

    key: str
    base: int
    """Version of the namespace that the writer has seen: since then, nobody may have changed the
    source."""
    document: str = ""
    record: bytes = b""
    """What the writer says of the source, which the store only keeps."""


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """The latest entry of a source; a removal's document is empty."""

    key: str
    version: int
    document: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of some changes; those that are in neither set hold now."""

    version: int
    """Of the namespace, afterwards."""
    refused: frozenset[str] = frozenset()
    """Keys of sources that were changed since the version the writer has seen, to something else
    than it wants."""
    missing: frozenset[str] = frozenset()
    """Documents that are not in the store, so that nothing can be put that names them."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a namespace is. Of two with one version and other digests, one has lost something."""

    version: int
    digest: int | None
    """Sum over the live entries, see `cluster.memory.namespaces.digest`; None until something is
    appended to a namespace whose latest entry is by a version of this project without digests."""

    @property
    def is_empty(self) -> bool:
        """Whether it is known to have no source."""
        return self.digest == 0


@dataclass(frozen=True, slots=True)
class NamespaceLog:
    """A namespace at one moment: its head, and the entries that were asked for, in their order."""

    version: int
    digest: int | None
    """As in `Head`."""
    entries: list[SourceEntry]
    """Of each source one."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """Some that the entries name, by their ids, where they were asked for."""


class Feed(Protocol):
    """Tells which namespaces are written to; for one reader, who awaits one `wait` at a time.

    It only wakes: a name may be lost when the store is restarted or falls behind, so the reader
    looks at `Namespaces.heads` from time to time as well.
    """

    async def wait(self, timeout_s: float) -> frozenset[str]:
        """Return the namespaces written to since the last call returned, or the feed was opened.

        It waits until there is one, or returns none when the time is over. It may be cancelled;
        what it would have returned is returned by the next call.

        Raises:
            StoreUnavailable: the store does not answer, and the next call tries again at once; or
                the feed has been closed.
        """
        ...

    async def close(self) -> None:
        """Give up what it holds; a call that waits, and later ones, raise `StoreUnavailable`."""
        ...


class Namespaces(Protocol):
    """Every method ends within the store's own timeout, and may be repeated.

    Raises:
        StoreUnavailable: from every method; whether it took effect is then unknown.
    """

    async def store_documents(self, documents: Mapping[str, bytes]) -> None:
        """Keep documents under their ids; for `UNNAMED_KEPT_S` only, unless they are named."""
        ...

    async def documents(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return documents in the order of their ids, None where there is none."""
        ...

    async def missing(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of some documents that are not in the store."""
        ...

    async def discard(self, ids: Sequence[str]) -> None:
        """Remove documents that can't be read, named or not, so that they are made anew."""
        ...

    async def apply(
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = UNNAMED_KEPT_S,
    ) -> Applied:
        """Append those changes whose conditions hold, in their order and in one step.

        Without any, it only notes that the namespace is used. A change that holds already is done
        and appends nothing, whatever its condition: so all may be repeated. A document that no
        namespace names any more is kept for ``kept_s``.

        Args:
            name: of the namespace.
            changes: each of another source, or in the order in which they are to be applied.
            documents: some that the changes name, by their ids, stored in the same step; those that
                only refused changes name are not. One write is synced once, two are twice. They
                take the server's time and memory at once, so many of them are stored beforehand.
            kept_s: in seconds.
        """
        ...

    async def entries(self, name: str, after: int = 0, *, documents_max: int = 0) -> NamespaceLog:
        """Return where a namespace is, and its entries newer than ``after`` in their order.

        With ``documents_max``, so many of the documents that the first ones name come along, or
        fewer: who follows a namespace needs no second round trip for a small change.

        A namespace that nobody has written to has version 0, digest 0 and no entries. Where the
        store loses entries meanwhile, the result may be of no moment: the digest shows it.
        """
        ...

    async def heads(self, names: Sequence[str]) -> dict[str, Head]:
        """Return where namespaces are, all at one moment; 0 and 0 where nobody has written."""
        ...

    async def names(self) -> dict[str, float]:
        """Return the namespaces with sources, each with the Unix time of the last `apply` to it."""
        ...

    async def store_id(self) -> str:
        """Return what tells this store from others and from itself after it was emptied."""
        ...

    async def feed(self) -> Feed:
        """Open a feed, which is the caller's to close; it hears of everything from now on."""
        ...


def document_key(document: str) -> str:
    """Return the key of a document in the store."""
    return f"knowledge/doc/{document}"
