"""Makes sure that what files say is in the central store, each content once.

Called by `cluster.memory.knowledge.learning`. Documents are stored by a hash of their content and
of how they were split and embedded, so what is known already is never embedded again; then neither
numpy nor the embedder's model is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cluster.kernel.errors import ClusterError, WireError
from cluster.memory.knowledge.chunking.chunks import CHUNKER_VERSION, chunks_of
from cluster.memory.knowledge.conversion.converted import Unconvertible
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.decoding import FileContent
from cluster.memory.knowledge.embedder import Embedder
from cluster.memory.knowledge.formats import PACKED, format_of_content
from cluster.memory.knowledge.omissions import Omission
from cluster.memory.knowledge.records import Chunk, StoredDocument
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.sources import SourceFile
from cluster.memory.knowledge.wire import document_from_bytes, document_to_bytes
from cluster.memory.namespaces.port import DOCUMENT_CHARS, Namespaces

if TYPE_CHECKING:
    from cluster.memory.knowledge.vectors import Vectors

TEXTS_PER_CALL = 512
"""Passages embedded at once, about 0.3 s: an interruption is heard in between."""
BYTES_PER_WRITE = 4_000_000


@dataclass(frozen=True, slots=True)
class FileReading:
    """A file that was read, and the document that its content makes."""

    file: SourceFile
    """Its format is the one that its content tells."""
    content: FileContent
    content_hash: bytes
    document: str

    @classmethod
    def of(cls, file: SourceFile, content: FileContent, embedder: str) -> FileReading:
        """Name the document that a content makes, read in the file's format."""
        file = replace(file, format=format_of_content(content.data, file.format))
        content_hash = hashlib.sha256(content.data).digest()
        how = f"{CHUNKER_VERSION}\0{file.format}\0{embedder}\0{content.encoding}\0".encode()
        document = hashlib.sha256(how + content_hash).hexdigest()[:DOCUMENT_CHARS]
        return cls(file, content, content_hash, document)


@dataclass(frozen=True, slots=True)
class DocumentSize:
    """How much a stored document is."""

    passages: int
    stored_bytes: int
    omission: str = ""
    """Why it has no passages, as `Omission` has it; empty where it has some."""

    @classmethod
    def of(cls, document: StoredDocument, stored_bytes: int) -> DocumentSize:
        """Measure a document; earlier versions did not say why it has no passages."""
        omission = document.omission or ("" if document.chunks else Omission.NO_TEXT)
        return cls(len(document.chunks), stored_bytes, omission)


@dataclass(frozen=True, slots=True)
class Written:
    """Documents of some files."""

    sizes: Mapping[str, DocumentSize]
    unstored: Mapping[str, bytes]
    """Those that are to be stored with what names them, at most about `BYTES_PER_WRITE`."""


class DocumentWriter:
    """Stores the documents of files where they are not stored yet.

    Args:
        namespaces: where to.
        embedder: makes the vectors.
        converter: takes the text out of packed files.
        known: documents that are in the store for certain.
    """

    def __init__(
        self,
        namespaces: Namespaces,
        embedder: Embedder,
        converter: Converter,
        known: Mapping[str, DocumentSize],
    ) -> None:
        self._namespaces = namespaces
        self._embedder = embedder
        self._converter = converter
        self._known = dict(known)
        self.embedded = 0
        """How many documents with passages were not there before."""

    async def write(self, batch: Sequence[FileReading]) -> Written:
        """Make the documents of a few files; an interruption loses at most these.

        Those that are too many for one write are stored, and the rest is the caller's to store.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        unseen = {each.document: each for each in batch if each.document not in self._known}
        if unseen:
            stored = await self._namespaces.documents(list(unseen))
            sizes = await in_side_thread(_sizes, stored)
            pairs = zip(unseen, sizes, strict=True)
            self._known.update((document, size) for document, size in pairs if size is not None)
        missing = [each for document, each in unseen.items() if document not in self._known]
        unstored = await self._make(missing) if missing else {}
        return Written({each.document: self._known[each.document] for each in batch}, unstored)

    def forget(self, documents: frozenset[str]) -> None:
        """Look for documents again that have gone from the store."""
        for document in documents:
            self._known.pop(document, None)

    async def _make(self, readings: Sequence[FileReading]) -> Mapping[str, bytes]:
        """Make documents, and return those that aren't stored yet."""
        split = await in_side_thread(_split, readings, self._converter)
        texts = [_embedded_text(chunk) for chunks, _ in split for chunk in chunks]
        rows = await self._embedded(texts)
        made = {}
        at = 0
        for reading, (chunks, omission) in zip(readings, split, strict=True):
            end = at + len(chunks)
            made[reading.document] = StoredDocument(
                content_hash=reading.content_hash,
                format=reading.file.format,
                chunker_version=CHUNKER_VERSION,
                embedder=self._embedder.name,
                dimensions=self._embedder.dimensions,
                chunks=chunks,
                vectors=b"".join(rows[at:end]),
                omission=omission,
            )
            at = end
        *writes, last = await in_side_thread(lambda: list(_writes(made)))
        for items in writes:
            await self._namespaces.store_documents(items)
        for document, stored in (each for items in (*writes, last) for each in items.items()):
            self._known[document] = DocumentSize.of(made[document], len(stored))
        self.embedded += sum(not each.omission for each in made.values())
        return last

    async def _embedded(self, texts: Sequence[str]) -> list[bytes]:
        """Return the vectors of texts as they are stored.

        Raises:
            ClusterError: the embedder doesn't do what it promises.
        """
        from cluster.memory.knowledge.vectors import to_half

        rows: list[bytes] = []
        for at in range(0, len(texts), TEXTS_PER_CALL):
            some = texts[at : at + TEXTS_PER_CALL]
            vectors = await self._embedder.embed(some)
            _check(vectors, len(some), self._embedder)
            rows += [to_half(row) for row in vectors]
        return rows


def _check(vectors: Vectors, texts: int, embedder: Embedder) -> None:
    import numpy as np

    if vectors.shape != (texts, embedder.dimensions):
        raise ClusterError(f"the embedder {embedder.name} gave vectors of the wrong dimensions")
    if not np.isfinite(vectors).all():
        raise ClusterError(f"the embedder {embedder.name} gave a vector that is not finite")


def _sizes(stored: Sequence[bytes | None]) -> list[DocumentSize | None]:
    """Return the sizes of documents, None where there is none to be read."""
    sizes: list[DocumentSize | None] = []
    for data in stored:
        try:
            size = None if data is None else DocumentSize.of(document_from_bytes(data), len(data))
        except WireError:
            size = None
        sizes.append(size)
    return sizes


def _split(
    readings: Sequence[FileReading], converter: Converter
) -> list[tuple[tuple[Chunk, ...], str]]:
    """Return the passages of files, or why each has none."""
    return [_passages(each, converter) for each in readings]


def _passages(reading: FileReading, converter: Converter) -> tuple[tuple[Chunk, ...], str]:
    if reading.file.format not in PACKED:
        chunks = tuple(chunks_of(reading.content.text, reading.file.format))
        return chunks, "" if chunks else Omission.NO_TEXT
    try:
        return _unpacked(reading.content.data, reading.file.format, converter)
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
        items[document] = data
        size += len(data)
    yield items
