"""A host's copy of one namespace: what a reader has of its log, and the passages of what is put.

Used by `cluster.memory.cache.shelf`, one `advance` at a time. What takes long is computed beside
the event loop; what searches see is a `KnowledgeView`, replaced as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cluster.kernel.errors import StoreUnavailable, UsageError, WireError
from cluster.memory.cache.delta import DeltaIndex, DeltaPart, DeltaPut
from cluster.memory.cache.puts import Put
from cluster.memory.cache.replica import Replica
from cluster.memory.cache.segment import Segment, SegmentPart
from cluster.memory.cache.view import IndexPart, KnowledgeView
from cluster.memory.knowledge.embedder import Embedder
from cluster.memory.knowledge.side_thread import Aside
from cluster.memory.namespaces.port import Namespaces, SourceEntry

DOCUMENTS_PER_READ = 64
READS_MAX = 3
"""So often the log is read again for documents that vanish meanwhile, since they were replaced."""
KNOWN_PER_STEP = 8
"""Puts added at once whose words are known, 0.3 ms on the event loop, which gets its turn then.

In a thread they would take longer, and all else with them: whoever waits for the store gives up the
interpreter's lock, and gets it back from a thread that computes after 5 ms.
"""
INLINE_CHANGES_MAX = 64
"""So few changes are read on the event loop, in less than a thread takes to be started for them."""
INLINE_BYTES_MAX = 16_384
"""The same of documents, whose words are found out at 0.1 ms a kilobyte."""

Known = TypeVar("Known", int, DeltaPut)
"""A put whose words are known, or its version."""


class Torn(Exception):
    """The log doesn't lead on from what the copy has, which has to be begun anew."""


class Copy:
    """What a host has of a namespace.

    Args:
        name: of the namespace.
        namespaces: the central store.
        embedder: whose vectors are compared.
        aside: where is computed.
        segment: what it begins with.
        known: puts that need not be read again, by their versions: of a copy of the same log.
    """

    def __init__(
        self,
        name: str,
        namespaces: Namespaces,
        embedder: Embedder,
        aside: Aside,
        *,
        segment: Segment | None = None,
        known: Mapping[int, DeltaPut] | None = None,
    ) -> None:
        self._name = name
        self._namespaces = namespaces
        self._embedder = embedder
        self._aside = aside
        self._known = known or {}
        self._segment = SegmentPart(segment) if segment is not None else None
        self._reading = asyncio.Lock()
        """Held by who adds to the delta, or changes what is dead in it."""
        self._replica = Replica()
        if segment is not None:
            meta = segment.meta
            self._replica = Replica(segment.sources, meta.version, meta.digest)
        self._delta = DeltaIndex(embedder.dimensions)
        self._dead: set[int] = set()
        """Versions of dead puts of the delta."""
        self._dead_passages = 0
        self._waiting: dict[int, SourceEntry] = {}
        """Live puts whose documents are still to be read, by their versions."""
        self.view = KnowledgeView(0, 0, ())
        """What can be searched; at version 0 nothing was read yet."""

    @property
    def version(self) -> int:
        """Version of what can be searched."""
        return self.view.version

    @property
    def segment(self) -> Segment | None:
        """What it began with."""
        return self._segment.segment if self._segment is not None else None

    @property
    def dead(self) -> frozenset[int]:
        """What is dead of the segment: the versions of its puts."""
        return self._segment.dead if self._segment is not None else frozenset()

    @property
    def alive(self) -> Mapping[int, DeltaPut]:
        """The live puts of the delta, by their versions."""
        puts, dead = dict(self._delta.puts), frozenset(self._dead)  # a thread may be adding to them
        return {at: put for at, put in puts.items() if at not in dead}

    @property
    def dead_passages(self) -> int:
        """Passages of the delta that are dead."""
        return self._dead_passages

    @property
    def delta_passages(self) -> int:
        """Passages of the delta that are alive."""
        return len(self._delta) - self._dead_passages

    @property
    def passages(self) -> int:
        """All that are held, dead ones included."""
        return len(self._delta) + (len(self.segment) if self.segment is not None else 0)

    @property
    def size(self) -> int:
        """Bytes that it holds in memory, and maps, about."""
        return self._delta.bytes + (self.segment.bytes if self.segment is not None else 0)

    async def advance(self) -> None:
        """Read what is new, and publish it. What is gone is no longer found from its reading on.

        Raises:
            Torn: the store has lost something: begin a new copy, without a segment.
            StoreUnavailable: the store does not answer, or has lost documents.
            UsageError: another embedder has made the vectors.
        """
        async with self._reading:
            await self._advance()

    async def tidy(self) -> None:
        """Leave out of the delta what is dead, without holding up what is read meanwhile."""
        tidied = DeltaIndex(self._embedder.dimensions)
        while True:
            for some in _in_steps(_not_in(tidied, self.alive)):
                _add_known(tidied, some)
                await asyncio.sleep(0)
            async with self._reading:
                left = _not_in(tidied, self.alive)
                if len(left) <= KNOWN_PER_STEP:
                    _add_known(tidied, left)
                    self._adopt(tidied)
                    return

    def _adopt(self, tidied: DeltaIndex) -> None:
        """Search another delta with all that is alive of this one, and what has died since."""
        self._delta = tidied
        self._dead &= tidied.puts.keys()
        self._dead_passages = sum(len(tidied.puts[each].put.chunks) for each in self._dead)
        self._publish(self.version)

    async def _advance(self) -> None:
        for _ in range(READS_MAX):
            log = await self._namespaces.entries(
                self._name, self._replica.version, documents_max=INLINE_CHANGES_MAX
            )
            followed = await self._near(
                len(log.entries) <= INLINE_CHANGES_MAX, self._replica.follow, log
            )
            if followed.is_torn:
                raise Torn
            self._waiting.update({each.version: each for each in followed.puts})
            self._bury(followed.gone)
            if self.segment is not None and not self.dead.issuperset(self.segment.meta.blanked):
                raise Torn  # the store has lost the removal of what has no text here any more
            if await self._fetch(log.documents):
                self._publish(self._replica.version)
                return
        raise StoreUnavailable(
            f"the knowledge {self._name} is no longer whole in the central store, "
            f"{len(self._waiting)} of its documents are missing: name its files again"
        )

    def _bury(self, gone: Iterable[int]) -> None:
        dead = frozenset(each for each in gone if self._waiting.pop(each, None) is None)
        if not dead:
            return
        for version in dead & self._delta.puts.keys():
            self._dead.add(version)
            self._dead_passages += len(self._delta.puts[version].put.chunks)
        if self._segment is not None:
            self._segment = self._segment.without(dead)
        self._publish(self.version)

    async def _fetch(self, here: Mapping[str, bytes]) -> bool:
        """Read the documents of what was put but those that are here; say if all were there."""
        for known in _in_steps(sorted(self._known.keys() & self._waiting.keys())):
            self._take_known(known)
            await asyncio.sleep(0)
        self._known = {}
        came = [each for each in self._waiting.values() if each.document in here]
        if came:
            await self._receive(came, [here[each.document] for each in came])
        wanted = list(self._waiting.values())
        for at in range(0, len(wanted), DOCUMENTS_PER_READ):
            some = wanted[at : at + DOCUMENTS_PER_READ]
            stored = await self._namespaces.documents([each.document for each in some])
            await self._receive(some, stored)
        return not self._waiting

    async def _receive(self, some: Sequence[SourceEntry], stored: Sequence[bytes | None]) -> None:
        """Take documents; one that can't be read leaves the store."""
        size = sum(len(data) for data in stored if data is not None)
        spoilt = await self._near(size <= INLINE_BYTES_MAX, self._take, some, stored)
        if self.version and self._waiting:
            # What it replaces is gone already, and the rest may take long, or be missing.
            self._publish(self.version)
        if spoilt:
            # Where it is missing, the next `learn` makes it again.
            await self._namespaces.discard(spoilt)

    async def _near(self, is_little: bool, function: Callable[..., Any], *args: Any) -> Any:  # noqa: FBT001
        """Compute on the event loop what is little, and else beside it."""
        return function(*args) if is_little else await self._aside(function, *args)

    def _take_known(self, versions: Sequence[int]) -> None:
        """Add puts that another copy has read."""
        for version in versions:
            known, entry = self._known[version], self._waiting[version]
            # Of a store that has gone back, a version may be another put than it was.
            if (known.put.key, known.put.document) == (entry.key, entry.document):
                del self._waiting[version]
                self._delta.add(known.put, known.tokens)

    def _take(self, entries: Sequence[SourceEntry], stored: Sequence[bytes | None]) -> list[str]:
        """Add what was read, and return the ids of documents that can't be."""
        spoilt = []
        for entry, data in zip(entries, stored, strict=True):
            if data is None:
                continue
            try:
                put = Put.of(entry, data)
            except WireError:
                spoilt.append(entry.document)
                continue
            _check_embedder(put, self._embedder)
            self._delta.add(put)
            del self._waiting[entry.version]
        return spoilt

    def _publish(self, version: int) -> None:
        parts: list[IndexPart] = [] if self._segment is None else [self._segment]
        if len(self._delta) or not parts:
            parts.append(DeltaPart(self._delta, frozenset(self._dead)))
        self.view = KnowledgeView(version, self._replica.digest, parts)


def _check_embedder(put: Put, embedder: Embedder) -> None:
    if not put.fits(embedder.name, embedder.dimensions):
        raise UsageError(
            f"the knowledge was embedded by {put.embedder}, and the question would "
            f"be by {embedder.name}: name its files again"
        )


def _in_steps(some: Sequence[Known]) -> Iterator[Sequence[Known]]:
    return (some[at : at + KNOWN_PER_STEP] for at in range(0, len(some), KNOWN_PER_STEP))


def _not_in(delta: DeltaIndex, puts: Mapping[int, DeltaPut]) -> list[DeltaPut]:
    return [put for at, put in puts.items() if at not in delta.puts]


def _add_known(delta: DeltaIndex, puts: Sequence[DeltaPut]) -> None:
    for each in puts:
        delta.add(each.put, each.tokens)
