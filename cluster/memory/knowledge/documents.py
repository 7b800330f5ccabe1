"""Makes sure that what files say is in the central store, each content once.

Called by `cluster.memory.knowledge.learning`. Documents are stored by a hash of their content and
of how they were split and embedded, so what is known already is never embedded again; then neither
numpy nor the embedder's model is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cluster.kernel.errors import UsageError, WireError
from cluster.memory.knowledge.chunking.chunks import CHUNKER_VERSION, chunks_of
from cluster.memory.knowledge.conversion.converted import Unconvertible
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.embedder import Embedder
from cluster.memory.knowledge.formats import PACKED, format_of_content
from cluster.memory.knowledge.omissions import Omission, Omissions
from cluster.memory.knowledge.records import Chunk, StoredDocument, document_key
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.sources import SourceFile, decoded, read_file
from cluster.memory.knowledge.wire import document_from_bytes, document_to_bytes
from cluster.memory.store.port import Store

TEXTS_PER_CALL = 512
"""Passages embedded at once, about 0.3 s: an interruption is heard in between."""
BYTES_PER_WRITE = 4_000_000


@dataclass(frozen=True, slots=True)
class FileReading:
    """A file that was read, and the document that its content makes."""

    file: SourceFile
    """Its format is the one that its content tells."""
    size: int
    """Bytes that were read; a log may have grown since."""
    content_hash: bytes
    document: str

    @classmethod
    def of(cls, file: SourceFile, data: bytes, embedder: str) -> FileReading:
        """Name the document that these bytes make, read in the file's format."""
        file = replace(file, format=format_of_content(data, file.format))
        content_hash = hashlib.sha256(data).digest()
        how = f"{CHUNKER_VERSION}\0{file.format}\0{embedder}\0".encode()
        document = hashlib.sha256(how + content_hash).hexdigest()[:32]
        return cls(file, len(data), content_hash, document)


class DocumentWriter:
    """Stores the documents of files where they are not stored yet."""

    def __init__(self, store: Store, embedder: Embedder, converter: Converter) -> None:
        self._store = store
        self._embedder = embedder
        self._converter = converter
        self.passages: dict[str, int] = {}
        """Number of passages of each document that was asked for and is in the store now."""
        self.omissions: dict[str, str] = {}
        """Why those without passages have none."""
        self.embedded = 0
        """How many with passages were not there before."""

    async def write(self, batch: Sequence[FileReading]) -> None:
        """Store the documents of a few files; an interruption loses at most these.

        Raises:
            UsageError: a file changed since it was read.
            StoreUnavailable: the store does not answer.
        """
        unseen = {each.document: each for each in batch if each.document not in self.passages}
        stored = await self._store.get_many([document_key(document) for document in unseen])
        known = await in_side_thread(_known, stored)
        missing = []
        for reading, facts in zip(unseen.values(), known, strict=True):
            if facts is None:
                missing.append(reading)
            else:
                self.passages[reading.document], self.omissions[reading.document] = facts
        if missing:
            await self._make(missing)

    async def _make(self, readings: Sequence[FileReading]) -> None:
        documents = {}
        for reading in readings:
            chunks, omission = await in_side_thread(_split, reading, self._converter)
            data, scales = await self._embedded(chunks)
            documents[reading.document] = StoredDocument(
                content_hash=reading.content_hash,
                format=reading.file.format,
                chunker_version=CHUNKER_VERSION,
                embedder=self._embedder.name,
                dimensions=self._embedder.dimensions,
                chunks=chunks,
                vectors=data,
                scales=scales,
                omission=omission,
            )
        for items in await in_side_thread(lambda: list(_writes(documents))):
            await self._store.put_many(items)
        self.embedded += sum(not made.omission for made in documents.values())
        for document, made in documents.items():
            self.passages[document] = len(made.chunks)
            self.omissions[document] = made.omission

    async def _embedded(self, chunks: Sequence[Chunk]) -> tuple[bytes, tuple[float, ...]]:
        from cluster.memory.knowledge.vectors import to_int8

        texts = [_embedded_text(chunk) for chunk in chunks]
        data = b""
        scales: tuple[float, ...] = ()
        for at in range(0, len(texts), TEXTS_PER_CALL):
            vectors = await self._embedder.embed(texts[at : at + TEXTS_PER_CALL])
            more, more_scales = to_int8(vectors)
            data, scales = data + more, scales + more_scales
        return data, scales


def _known(stored: Sequence[bytes | None]) -> list[tuple[int, str] | None]:
    """Return how many passages each document has, and why none; None where there is no document."""
    known: list[tuple[int, str] | None] = []
    for data in stored:
        try:
            document = None if data is None else document_from_bytes(data)
        except WireError:
            document = None
        known.append(None if document is None else (len(document.chunks), document.omission))
    return known


def _split(reading: FileReading, converter: Converter) -> tuple[tuple[Chunk, ...], str]:
    """Return the passages of a file, or why it has none."""
    data = (read_file(reading.file, Omissions()) or b"")[: reading.size]
    if hashlib.sha256(data).digest() != reading.content_hash:
        raise UsageError(f"{reading.file.source} changed while it was being read: try again")
    if reading.file.format not in PACKED:
        chunks = tuple(chunks_of(decoded(data) or "", reading.file.format))
        return chunks, "" if chunks else Omission.NO_TEXT
    try:
        return _unpacked(data, reading.file.format, converter)
    except Unconvertible as error:
        return (), error.omission


def _unpacked(data: bytes, file_format: str, converter: Converter) -> tuple[tuple[Chunk, ...], str]:
    """Split what a packed file holds; a passage never reaches over the end of a page."""
    converted = converter.convert(data, file_format)
    chunks = tuple(
        replace(chunk, page=number if converted.is_paged else 0)
        for number, part in enumerate(converted.parts, start=1)
        for chunk in chunks_of(part, converted.format)
    )
    return chunks, "" if chunks else Omission.NO_TEXT


def _embedded_text(chunk: Chunk) -> str:
    return "\n".join(part for part in (chunk.title, chunk.context, chunk.text) if part)


def _writes(documents: Mapping[str, StoredDocument]) -> Iterator[dict[str, bytes]]:
    """Serialise documents, in parts of a size that a store takes at once."""
    items: dict[str, bytes] = {}
    size = 0
    for document, made in documents.items():
        data = document_to_bytes(made)
        if items and size + len(data) > BYTES_PER_WRITE:
            yield items
            items, size = {}, 0
        items[document_key(document)] = data
        size += len(data)
    yield items
