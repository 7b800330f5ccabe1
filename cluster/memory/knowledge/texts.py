"""Learns a text that is no file of this machine, as one source of a namespace, or forgets it.

The twin of `cluster.memory.knowledge.learning` for whoever has a text and a name for it, as the
HTTP ingress has: it looks at no folder, and removes nothing.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.catalog import read_catalog
from cluster.memory.knowledge.chunking.chunks import CHUNKER_VERSION
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.decoding import FileContent
from cluster.memory.knowledge.documents import DocumentWriter, FileReading
from cluster.memory.knowledge.embedder import Embedder, WordLlamaEmbedder
from cluster.memory.knowledge.formats import PACKED, format_of
from cluster.memory.knowledge.names import (
    OF_TEXTS,
    KnowledgeVersion,
    check_namespace,
    source_key,
)
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.sources import SourceFile
from cluster.memory.knowledge.wire import record_to_bytes
from cluster.memory.namespaces.port import Namespaces, SourceChange

ROUNDS_MAX = 8
"""So often somebody else may change the same source meanwhile; the latest text stays."""
SOURCE_CHARS_MAX = 1_000


async def learn_text(
    namespaces: Namespaces,
    name: str,
    source: str,
    text: str,
    *,
    embedder: Embedder | None = None,
) -> KnowledgeVersion:
    """Let a namespace have a text as a source, in the place of what it had of that name.

    Args:
        namespaces: of the central store.
        name: of the namespace; it is made where there is none.
        source: what citations call it; its ending tells the format, as a file's does.
        text: its lines are what citations count.
        embedder: makes the vectors.

    Returns:
        The version that the namespace has with it.

    Raises:
        UsageError: the namespace or the source can't be called that, or the text holds nothing.
        StoreUnavailable: the store does not answer, or others change the source all the time.
    """
    check_namespace(name)
    file = SourceFile(_path_of(source), source, _format_of(source), named=source)
    own = embedder or WordLlamaEmbedder()
    reading = FileReading.of(file, FileContent(text.encode()), own.name)
    if reading.file.format in PACKED:
        raise UsageError(f"the document {source!r} is to be text, and begins as a PDF does")
    with closing(Converter()) as converter:
        writer = DocumentWriter(namespaces, own, converter, {})
        for _ in range(ROUNDS_MAX):
            version = await _put(namespaces, name, reading, writer, own.name)
            if version:
                return KnowledgeVersion(name, version)
    raise StoreUnavailable(f"others change {source!r} of the namespace {name} all the time")


async def forget_text(namespaces: Namespaces, name: str, source: str) -> bool:
    """Take a text out of a namespace; say whether it was there.

    Raises:
        UsageError: the namespace or the source can't be called that.
        StoreUnavailable: the store does not answer, or others change the source all the time.
    """
    check_namespace(name)
    key = source_key(str(_path_of(source)))
    for _ in range(ROUNDS_MAX):
        catalog = await read_catalog(namespaces, name)
        if key not in catalog.sources:
            return False
        applied = await namespaces.apply(name, [SourceChange(key, catalog.version)])
        if not applied.refused:
            return True
    raise StoreUnavailable(f"others change {source!r} of the namespace {name} all the time")


async def _put(
    namespaces: Namespaces, name: str, reading: FileReading, writer: DocumentWriter, embedder: str
) -> int:
    """Store the document with what names it; return the version, 0 where somebody came between."""
    base = (await namespaces.heads([name]))[name].version
    written = await writer.write([reading])
    size = written.sizes[reading.document]
    if size.omission:
        raise UsageError(f"the document {reading.file.source!r} holds no text: {size.omission}")
    path = str(reading.file.path)
    record = SourceRecord(
        source=reading.file.source,
        path=path,
        format=reading.file.format,
        chunker_version=CHUNKER_VERSION,
        embedder=embedder,
        passages=size.passages,
        stored_bytes=size.stored_bytes,
        size=len(reading.content.data),
    )
    change = SourceChange(source_key(path), base, reading.document, record_to_bytes(record))
    applied = await namespaces.apply(name, [change], documents=written.unstored)
    writer.forget(applied.missing)
    return 0 if applied.missing or applied.refused else applied.version


def _path_of(source: str) -> Path:
    if not source.strip() or len(source) > SOURCE_CHARS_MAX or not source.isprintable():
        raise UsageError(
            f"a document's source is what citations call it: 1 to {SOURCE_CHARS_MAX} characters "
            "on one line"
        )
    return Path(f"{OF_TEXTS}{source}")


def _format_of(source: str) -> str:
    found = format_of(source.rpartition("/")[2])
    return "text" if not found or found in PACKED else found
