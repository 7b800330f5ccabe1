"""Reads files and folders into the central store: their contents, and a list of what there is.

Called by who submits a task; the agents find it all again with `cluster.memory.knowledge.stored`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.collections import named_collection, stored_collection
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.documents import DocumentWriter, FileReading
from cluster.memory.knowledge.embedder import Embedder, WordLlamaEmbedder
from cluster.memory.knowledge.formats import kind_of_format
from cluster.memory.knowledge.omissions import LeftOut, Omission, Omissions, left_out_line
from cluster.memory.knowledge.records import Collection, CollectionSource, collection_key, name_key
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.sources import (
    NO_TEXT,
    SourceFile,
    find_files,
    read_file,
    refuse_named,
    shown,
)
from cluster.memory.knowledge.wire import collection_to_bytes
from cluster.memory.store.port import Store

BATCH_FILES = 16
"""Files that are read, split, embedded and stored together."""

PathName = str | os.PathLike[str]
FilesDone = Callable[[int, int], None]
"""Hears how many of how many files are done."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What `learn` did."""

    collection: str
    """Id of the collection, as `Submission.collection` wants it."""
    files: int
    """Sources in the collection that have text."""
    passages: int
    embedded: int
    """Documents with text that were new to the store."""
    reused: int
    """Files whose content was known already."""
    left_out: tuple[LeftOut, ...] = ()
    """What the paths lead to besides, by kind and reason; `left_out_line` says it."""


async def learn(
    store: Store,
    paths: Sequence[PathName],
    *,
    embedder: Embedder | None = None,
    name: str = "",
    progress: FilesDone | None = None,
) -> Learned:
    """Read files and folders into the store and return the collection of what they hold.

    With a name, they are added to the collection of that name, in the place of what it had from
    the same paths. Two that add to one name at the same time: the later one wins.

    Raises:
        UsageError: a path doesn't exist, or a file that it names is unreadable, empty, binary, too
            large, encrypted or broken.
        StoreUnavailable: the store does not answer.
    """
    embedder = embedder or WordLlamaEmbedder()
    omissions = Omissions()
    readings = await _read_all(paths, embedder, omissions)
    sources = [
        CollectionSource(each.file.source, each.document, shown(each.file.path), 0)
        for each in readings
    ]
    old = await _named(store, name)
    collection = _merged(old, sources, paths if name else ())
    known = await stored_collection(store, collection.id)
    embedded = 0
    if known is None:
        # A cancellation ends the process that reads files, whatever it is doing.
        with closing(Converter()) as converter:
            writer = DocumentWriter(store, embedder, converter)
            await _write(writer, readings, progress)
        embedded = writer.embedded
        known = _counted(collection, writer)
        without_text = _say_left_out(known, readings, omissions)
        if not any(each.passages for each in known.sources):
            raise UsageError(f"the knowledge {NO_TEXT}. {left_out_line(omissions.left_out())}")
        await store.put_many({collection_key(known.id): collection_to_bytes(known)})
    else:
        without_text = _say_left_out(known, readings, omissions)
    if name:
        await store.put_many({name_key(name): collection.id.encode()})
    return Learned(
        collection=collection.id,
        files=sum(not each.omission for each in known.sources),
        passages=sum(each.passages for each in known.sources),
        embedded=embedded,
        reused=len(readings) - without_text - embedded,
        left_out=omissions.left_out(),
    )


async def _write(
    writer: DocumentWriter, readings: Sequence[FileReading], progress: FilesDone | None
) -> None:
    for at in range(0, len(readings), BATCH_FILES):
        await writer.write(readings[at : at + BATCH_FILES])
        if progress is not None:
            progress(min(at + BATCH_FILES, len(readings)), len(readings))


def _say_left_out(known: Collection, readings: Sequence[FileReading], omissions: Omissions) -> int:
    """Count the files that were read just now and have no text, and return how many there are.

    Raises:
        UsageError: the user named one of them.
    """
    count = omissions.count
    omitted = {each.document: each.omission for each in known.sources if each.omission}
    for reading in readings:
        if name := omitted.get(reading.document):
            omission, kind = Omission(name), kind_of_format(reading.file.format)
            left_out = LeftOut(kind, omission, 1)
            refuse_named(reading.file, f"holds no text that can be read ({left_out})")
            omissions.add(kind, omission, reading.file.source)
    return omissions.count - count


async def _named(store: Store, name: str) -> Collection | None:
    collection = await named_collection(store, name) if name else ""
    return await stored_collection(store, collection) if collection else None


def _counted(collection: Collection, writer: DocumentWriter) -> Collection:
    return Collection(
        tuple(
            replace(
                each,
                passages=writer.passages.get(each.document, each.passages),
                omission=writer.omissions.get(each.document, each.omission),
            )
            for each in collection.sources
        )
    )


async def _read_all(
    paths: Sequence[PathName], embedder: Embedder, omissions: Omissions
) -> list[FileReading]:
    """Read what the paths lead to.

    Raises:
        UsageError: a path can't be used, or leads to no text at all.
    """
    files = await in_side_thread(find_files, paths, omissions)
    readings: list[FileReading] = []
    for at in range(0, len(files), BATCH_FILES):
        batch = files[at : at + BATCH_FILES]
        readings += await in_side_thread(_read_batch, batch, embedder.name, omissions)
    fruitful = {reading.file.named for reading in readings}
    known = {reading.file.path for reading in readings}
    for path in [os.fspath(path) for path in paths]:
        if path not in fruitful and not _covers(path, known):
            line = left_out_line(omissions.left_out())
            raise UsageError(f"the knowledge path {shown(path)!r} {NO_TEXT}. {line}".rstrip(". "))
    return readings


def _covers(path: str, known: set[Path]) -> bool:
    """Say whether files below a path were read by way of another one."""
    root = Path(path).resolve()
    return any(file.is_relative_to(root) for file in known)


def _read_batch(
    batch: Sequence[SourceFile], embedder: str, omissions: Omissions
) -> list[FileReading]:
    read = [(file, read_file(file, omissions)) for file in batch]
    return [FileReading.of(file, data, embedder) for file, data in read if data is not None]


def _merged(
    old: Collection | None, new: Sequence[CollectionSource], roots: Sequence[PathName]
) -> Collection:
    """Put new sources in the place of what lay below the same paths, and keep all others.

    An old source that has the name of a new one and is another file gets its full path for a name.
    """
    tops = [Path(root).resolve() for root in roots]
    names = {each.source for each in new}
    kept = [
        replace(each, source=each.path) if each.source in names else each
        for each in (old.sources if old else ())
        if not any(Path(each.path).is_relative_to(top) for top in tops)
    ]
    return Collection.of([*kept, *new])
