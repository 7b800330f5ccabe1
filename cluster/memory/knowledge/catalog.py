"""What a namespace has, source by source; also what earlier versions have left, taken over.

Called by whoever learns, forgets, lists or searches. The catalogue of 10,000 sources takes about
0.1 s; later only what has changed since is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cluster.kernel.errors import WireError
from cluster.memory.knowledge.names import LEARNED, cited_name, source_key
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.wire import (
    collection_from_bytes,
    record_from_bytes,
    record_to_bytes,
)
from cluster.memory.namespaces.port import Namespaces, SourceChange, SourceEntry
from cluster.memory.store.port import Store

_OLD_NAME = f"knowledge/name/{LEARNED}"
"""Where earlier versions kept the id of what `fleetmind learn` had read."""


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A file that a namespace has."""

    key: str
    document: str
    record: SourceRecord


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a namespace has at a version; sources by their keys, the latest put last."""

    version: int
    sources: Mapping[str, KnownSource]

    def citable(self) -> list[KnownSource]:
        """Return the sources as they are cited, in the order of their names.

        Of several files that were learned under one name, the latest has it and the others are
        called by their paths.
        """
        taken: set[str] = set()
        shown = []
        for each in reversed(list(self.sources.values())):
            record = each.record
            name = record.path if record.source in taken else record.source
            taken.add(name)
            cited = replace(record, source=cited_name(name, record.path))
            shown.append(replace(each, record=cited))
        return sorted(shown, key=lambda each: each.record.source)


async def read_catalog(namespaces: Namespaces, name: str, known: Catalog | None = None) -> Catalog:
    """Return what a namespace has; with an older catalogue only what is newer is read.

    Raises:
        StoreUnavailable: the store does not answer.
        WireError: an entry can't be read.
    """
    log = await namespaces.entries(name, known.version if known else 0)
    if known is not None and log.version < known.version:
        return await read_catalog(namespaces, name)  # the store has lost some, or all
    sources = dict(known.sources) if known else {}
    for each in log.entries:
        sources.pop(each.key, None)
        if each.document:
            sources[each.key] = _source(each)
    return Catalog(log.version, sources)


def _source(entry: SourceEntry) -> KnownSource:
    record = record_from_bytes(entry.record)
    return KnownSource(entry.key, entry.document, record)


def below(sources: Iterable[KnownSource], tops: Sequence[str]) -> list[KnownSource]:
    """Return the sources whose files are, or lie in, one of some absolute paths."""
    folders = tuple(f"{top.rstrip('/')}/" for top in tops)
    named = set(tops)
    return [
        each
        for each in sources
        if each.record.path in named or each.record.path.startswith(folders)
    ]


async def adopt_collection(store: Store, namespaces: Namespaces) -> None:
    """Turn what an earlier version has learned into a namespace, once.

    Its documents stay as they are. Nothing is known of its files' sizes and times, so the next
    `learn` reads them, and embeds only what has changed. It may be done by several at once, or
    again: what the namespace has by then is not touched.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    [name] = await store.get_many([_OLD_NAME])
    if name is None:
        return
    key = f"knowledge/collection/{name.decode('ascii', 'replace')}"
    [data] = await store.get_many([key])
    try:
        old = collection_from_bytes(data or b"")
    except WireError:
        old = ()
    changes = []
    for each in old:
        record = SourceRecord(
            each.source, each.path, passages=each.passages, omission=each.omission
        )
        changes.append(
            SourceChange(source_key(each.path), 0, each.document, record_to_bytes(record))
        )
    await namespaces.apply(LEARNED, changes)
    await store.delete([_OLD_NAME, key])
