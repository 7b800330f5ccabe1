"""The namespaces' twin in memory: for tests, simulations, and clusters of one process.

It passes the conformance suite that `cluster.memory.namespaces.redis` passes, and keeps documents
in the `LocalStore` it is given, on that store's clock. No method ever waits or fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.kernel.clock import Clock
from cluster.memory.namespaces.port import (
    UNNAMED_KEPT_S,
    Applied,
    SourceChange,
    SourceEntry,
    document_key,
)
from cluster.memory.store.local import LocalStore


@dataclass(slots=True)
class _Log:
    """A namespace: the latest entry of each source, in the order of their versions."""

    version: int = 0
    entries: dict[str, SourceEntry] = field(default_factory=dict)
    written_at: float = 0.0


_NEVER = SourceEntry("", 0, "", b"")


class LocalNamespaces:
    """`cluster.memory.namespaces.port.Namespaces` in dictionaries."""

    def __init__(self, store: LocalStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._logs: dict[str, _Log] = {}
        self._counts: Counter[str] = Counter()
        """By how many entries each document is named."""

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
        self, name: str, changes: Sequence[SourceChange], *, kept_s: float = UNNAMED_KEPT_S
    ) -> Applied:
        """Append those changes whose conditions hold, in their order and in one step."""
        log = self._logs.setdefault(name, _Log())
        refused, missing = set(), set()
        for change in changes:
            before = log.entries.get(change.key, _NEVER)
            if (before.document, before.record) == (change.document, change.record):
                continue
            if before.version > change.base:
                refused.add(change.key)
            elif change.document and (await self.documents([change.document])) == [None]:
                missing.add(change.document)
            else:
                await self._append(log, change, before.document, kept_s)
        log.written_at = self._clock.wall()
        return Applied(log.version, frozenset(refused), frozenset(missing))

    async def _append(self, log: _Log, change: SourceChange, before: str, kept_s: float) -> None:
        log.version += 1
        log.entries.pop(change.key, None)
        entry = SourceEntry(change.key, log.version, change.document, change.record)
        log.entries[change.key] = entry
        if change.document:
            self._counts[change.document] += 1
            await self._keep(change.document, None)
        if before:
            self._counts[before] -= 1
            if not self._counts[before]:
                await self._keep(before, kept_s)

    async def _keep(self, document: str, ttl_s: float | None) -> None:
        key = document_key(document)
        [data] = await self._store.get_many([key])
        if data is not None:
            await self._store.put_many({key: data}, ttl_s)

    async def entries(self, name: str, after: int = 0) -> tuple[int, list[SourceEntry]]:
        """Return the version of a namespace, and its entries newer than ``after``, in order."""
        log = self._logs.get(name, _Log())
        return log.version, [each for each in log.entries.values() if each.version > after]

    async def version(self, name: str) -> int:
        """Return the version of a namespace, 0 where nobody has written to it."""
        return self._logs.get(name, _Log()).version

    async def names(self) -> dict[str, float]:
        """Return the namespaces with sources, each with the Unix time of the last `apply` to it."""
        return {
            name: log.written_at
            for name, log in self._logs.items()
            if any(each.document for each in log.entries.values())
        }
