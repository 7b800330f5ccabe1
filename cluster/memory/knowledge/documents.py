"""Makes sure that what files say is in the central store, each content once.

Called by `cluster.memory.knowledge.learning`. Documents are stored by a hash of their content and
of how they were split and embedded, so what is known already is never embedded again; then neither
numpy nor the embedder's model is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cluster.kernel.errors import UsageError, WireError
from cluster.memory.knowledge.chunking.chunks import CHUNKER_VERSION, chunks_of
from cluster.memory.knowledge.embedder import Embedder
from cluster.memory.knowledge.records import Chunk, StoredDocument, document_key
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.sources import Passed, SourceFile, decoded, read_file
from cluster.memory.knowledge.wire import document_from_bytes, document_to_bytes
from cluster.memory.store.port import Store

TEXTS_PER_CALL = 512
"""Passages embedded at once, about 0.3 s: an interruption is heard in between."""
BYTES_PER_WRITE = 4_000_000


@dataclass(frozen=True, slots=True)
class FileReading:
    """A file that was read, and the document that its content makes."""

    file: SourceFile
    content_hash: bytes
    document: str

    @classmethod
    def of(cls, file: SourceFile, data: bytes, embedder: str) -> FileReading:
        """Name the document that these bytes make, read in the file's format."""
        content_hash = hashlib.sha256(data).digest()
        how = f"{CHUNKER_VERSION}\0{file.format}\0{embedder}\0".encode()
        return cls(file, content_hash, hashlib.sha256(how + content_hash).hexdigest()[:32])


class DocumentWriter:
    """Stores the documents of files where they are not stored yet."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self.passages: dict[str, int] = {}
        """Number of passages of each document that was asked for and is in the store now."""
        self.embedded = 0
        """How many of them were not there before."""

    async def write(self, batch: Sequence[FileReading]) -> None:
        """Store the documents of a few files; an interruption loses at most these.

        Raises:
            UsageError: a file changed since it was read.
            StoreUnavailable: the store does not answer.
        """
        unseen = {each.document: each for each in batch if each.document not in self.passages}
        stored = await self._store.get_many([document_key(document) for document in unseen])
        counts = await in_side_thread(_passage_counts, stored)
        missing = []
        for reading, count in zip(unseen.values(), counts, strict=True):
            if count is None:
                missing.append(reading)
            else:
                self.passages[reading.document] = count
        if missing:
            await self._make(missing)

    async def _make(self, readings: Sequence[FileReading]) -> None:
        documents = {}
        for reading in readings:
            chunks = await in_side_thread(_split, reading)
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
            )
        for items in await in_side_thread(lambda: list(_writes(documents))):
            await self._store.put_many(items)
        self.embedded += len(documents)
        for document, made in documents.items():
            self.passages[document] = len(made.chunks)

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


def _passage_counts(stored: Sequence[bytes | None]) -> list[int | None]:
    """Return the number of passages of each document, None where there is none to be read."""
    counts: list[int | None] = []
    for data in stored:
        try:
            counts.append(None if data is None else len(document_from_bytes(data).chunks))
        except WireError:
            counts.append(None)
    return counts


def _split(reading: FileReading) -> tuple[Chunk, ...]:
    data = read_file(reading.file, Passed())
    if data is None or hashlib.sha256(data).digest() != reading.content_hash:
        raise UsageError(f"{reading.file.source} changed while it was being read: try again")
    return tuple(chunks_of(decoded(data) or "", reading.file.format))


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
