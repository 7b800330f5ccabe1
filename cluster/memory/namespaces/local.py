"""The namespaces' twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.namespaces.redis` passes, and keeps documents
in the `LocalStore` it is given, on that store's clock. No method ever waits or fails, but a feed's:
it waits in the event loop's time, which may be a simulated one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import (
    DOCUMENTS_BYTES_MAX,
    NO_DOCUMENTS,
    UNNAMED_KEPT_S,
    Applied,
    Head,
    NamespaceLog,
    SourceChange,
    SourceEntry,
    document_key,
)
from cluster.memory.store.local import LocalStore


@dataclass(slots=True)
class _Log:
    """A namespace: the latest entry of each source, in the order of their versions."""

    version: int = 0
    digest: int = 0
    entries: dict[str, SourceEntry] = field(default_factory=dict)
    written_at: float = 0.0


_NEVER = SourceEntry("", 0, "", b"")


class LocalFeed:
    """`cluster.memory.namespaces.port.Feed` in a set of names.

    Args:
        feeds: those that are told of writes, in this order; this one leaves them when it is closed.
    """

    def __init__(self, feeds: dict[LocalFeed, None]) -> None:
        self._feeds = feeds
        self._feeds[self] = None
        self._names: set[str] = set()
        self._is_awake = asyncio.Event()
        """Set while there is something to return, or the feed is closed."""

    def hear(self, name: str) -> None:
        """Note that a namespace was written to."""
        self._names.add(name)
        self._is_awake.set()

    async def wait(self, timeout_s: float) -> frozenset[str]:
        """Return the namespaces written to since the last call, none when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._is_awake.wait()
        except TimeoutError:
            return frozenset()
        if self not in self._feeds:
            raise StoreUnavailable("the feed has been closed here")
        names = frozenset(self._names)
        self._names.clear()
        self._is_awake.clear()
        return names

    async def close(self) -> None:
        """Leave the feeds; a call that waits, and later ones, raise `StoreUnavailable`."""
        self._feeds.pop(self, None)
        self._is_awake.set()


class LocalNamespaces:
    """`cluster.memory.namespaces.port.Namespaces` in dictionaries."""

    def __init__(self, store: LocalStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._logs: dict[str, _Log] = {}
        self._counts: Counter[str] = Counter()
        """By how many entries each document is named."""
        self._feeds: dict[LocalFeed, None] = {}
        self._id = uuid4().hex

    async def store_documents(self, documents: Mapping[str, bytes]) -> None:
        """Keep documents under their ids; for `UNNAMED_KEPT_S` only, unless they are named."""
        for document, data in documents.items():
            ttl_s = None if self._counts[document] else UNNAMED_KEPT_S
            await self._store.put_many({document_key(document): data}, ttl_s)

    async def documents(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return documents in the order of their ids, None where there is none."""
        return await self._store.get_many([document_key(each) for each in ids])

    async def missing(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of some documents that are not in the store."""
        found = zip(ids, await self.documents(ids), strict=True)
        return frozenset(document for document, data in found if data is None)

    async def discard(self, ids: Sequence[str]) -> None:
        """Remove documents that can't be read, named or not, so that they are made anew."""
        await self._store.delete([document_key(each) for each in ids])

    async def apply(
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = UNNAMED_KEPT_S,
    ) -> Applied:
        """Append those changes whose conditions hold, in their order and in one step."""
        log = self._logs.setdefault(name, _Log())
        version = log.version
        refused, missing = set(), set()
        for change in changes:
            before = log.entries.get(change.key, _NEVER)
            holds = (before.document, before.record) == (change.document, change.record)
            if before.version > change.base and not holds:
                refused.add(change.key)
                continue
            if change.document in documents:
                await self.store_documents({change.document: documents[change.document]})
            if holds:
                continue
            if change.document and (await self.documents([change.document])) == [None]:
                missing.add(change.document)
            else:
                await self._append(log, change, before, kept_s)
        log.written_at = self._clock.wall()
        if log.version > version:
            for feed in self._feeds:
                feed.hear(name)
        return Applied(log.version, frozenset(refused), frozenset(missing))

    async def _append(
        self, log: _Log, change: SourceChange, before: SourceEntry, kept_s: float
    ) -> None:
        log.version += 1
        log.entries.pop(change.key, None)
        entry = SourceEntry(change.key, log.version, change.document, change.record)
        log.entries[change.key] = entry
        log.digest = (log.digest + _digest(entry) - _digest(before)) % DIGEST_MODULUS
        if change.document:
            self._counts[change.document] += 1
            await self._keep(change.document, None)
        if before.document:
            self._counts[before.document] -= 1
            if not self._counts[before.document]:
                await self._keep(before.document, kept_s)

    async def _keep(self, document: str, ttl_s: float | None) -> None:
        key = document_key(document)
        [data] = await self._store.get_many([key])
        if data is not None:
            await self._store.put_many({key: data}, ttl_s)

    async def entries(self, name: str, after: int = 0, *, documents_max: int = 0) -> NamespaceLog:
        """Return where a namespace is, and its entries newer than ``after`` in their order."""
        log = self._logs.get(name, _Log())
        entries = [each for each in log.entries.values() if each.version > after]
        named = [each.document for each in entries if each.document][:documents_max]
        keys = [document_key(each) for each in named]
        found = zip(named, await self._store.get_many(keys), strict=True)
        documents: dict[str, bytes] = {}
        for document, data in found:
            left = DOCUMENTS_BYTES_MAX - sum(map(len, documents.values()))
            if data is not None and len(data) <= left:
                documents[document] = data
        return NamespaceLog(log.version, log.digest, entries, documents)

    async def heads(self, names: Sequence[str]) -> dict[str, Head]:
        """Return where namespaces are, all at one moment; 0 and 0 where nobody has written."""
        logs = {name: self._logs.get(name, _Log()) for name in names}
        return {name: Head(log.version, log.digest) for name, log in logs.items()}

    async def names(self) -> dict[str, float]:
        """Return the namespaces with sources, each with the Unix time of the last `apply` to it."""
        return {
            name: log.written_at
            for name, log in self._logs.items()
            if any(each.document for each in log.entries.values())
        }

    async def store_id(self) -> str:
        """Return what tells this store from others and from itself after it was emptied."""
        return self._id

    async def feed(self) -> LocalFeed:
        """Open a feed, which is the caller's to close; it hears of everything from now on."""
        return LocalFeed(self._feeds)


def _digest(entry: SourceEntry) -> int:
    """Return what an entry adds to the digest: a removal nothing."""
    return entry_digest(entry.key, entry.version, entry.document) if entry.document else 0
