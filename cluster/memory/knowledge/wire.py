"""Stored knowledge <-> protobuf: the only place that converts it.

Called by what reads and writes it; nothing of protobuf goes further inward.
"""

from __future__ import annotations

import math

from google.protobuf.message import DecodeError

from cluster.kernel.errors import WireError
from cluster.kernel.vocabulary import Passage
from cluster.memory.knowledge.records import (
    CODE,
    TEXT,
    Chunk,
    OldSource,
    SourceRecord,
    StoredDocument,
)
from protos.v1 import memory_pb2

_HALF_BYTES = 2
_EXPONENT = 0x7C
"""The bits of a half float's exponent in its upper byte: all set where it is no finite number."""
_FINITE_UPPER_BYTES = bytes(byte for byte in range(256) if byte & _EXPONENT != _EXPONENT)

_KIND_TO_PROTO = {
    TEXT: memory_pb2.PASSAGE_KIND_TEXT,
    CODE: memory_pb2.PASSAGE_KIND_CODE,
}
_KIND_FROM_PROTO = {number: kind for kind, number in _KIND_TO_PROTO.items()}


def document_to_bytes(document: StoredDocument) -> bytes:
    """Serialise a document."""
    made = memory_pb2.StoredDocument(
        content_hash=document.content_hash,
        format=document.format,
        chunker_version=document.chunker_version,
        embedder=document.embedder,
        dimensions=document.dimensions,
        vectors=document.vectors,
        scales=document.scales,
        omission=document.omission,
    )
    made.passages.extend(map(_stored_passage, document.chunks))
    return made.SerializeToString()


def document_from_bytes(data: bytes) -> StoredDocument:
    """Parse a document.

    Raises:
        WireError: the bytes are none, or its vectors are not as many as its passages, or a number
            in them is infinite or none.
    """
    read = memory_pb2.StoredDocument()
    try:
        read.ParseFromString(data)
        chunks = tuple(_chunk(each) for each in read.passages)
    except (DecodeError, KeyError) as error:
        raise WireError("a document in the central store can't be read as one") from error
    _check_vectors(read)
    return StoredDocument(
        content_hash=read.content_hash,
        format=read.format,
        chunker_version=read.chunker_version,
        embedder=read.embedder,
        dimensions=read.dimensions,
        chunks=chunks,
        vectors=read.vectors,
        scales=tuple(read.scales),
        omission=read.omission,
    )


def chunk_to_bytes(chunk: Chunk) -> bytes:
    """Serialise a passage by itself."""
    return _stored_passage(chunk).SerializeToString()


def passage_from_bytes(data: bytes, source: str, document: str, score: float) -> Passage:
    """Parse a passage of a source, as agents cite it.

    Raises:
        WireError: the bytes are none.
    """
    try:
        read = memory_pb2.StoredPassage.FromString(data)
        return Passage(
            source,
            read.start_line,
            read.end_line,
            read.text,
            score,
            _KIND_FROM_PROTO[read.kind],
            read.title,
            tuple(read.breaks),
            read.page,
            document,
        )
    except (DecodeError, KeyError) as error:
        raise WireError("a passage can't be read as one") from error


def passage_of(chunk: Chunk, source: str, document: str, score: float) -> Passage:
    """Return a passage of a source, as agents cite it."""
    return Passage(
        source,
        chunk.start_line,
        chunk.end_line,
        chunk.text,
        score,
        chunk.kind,
        chunk.title,
        chunk.breaks,
        chunk.page,
        document,
    )


def _stored_passage(chunk: Chunk) -> memory_pb2.StoredPassage:
    return memory_pb2.StoredPassage(
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        kind=_KIND_TO_PROTO[chunk.kind],
        title=chunk.title,
        context=chunk.context,
        breaks=chunk.breaks,
        page=chunk.page,
    )


def _check_vectors(read: memory_pb2.StoredDocument) -> None:
    count = len(read.passages)
    number_bytes = 1 if read.scales else _HALF_BYTES
    has_others = (
        len(read.scales) not in {0, count}
        or len(read.vectors) != count * read.dimensions * number_bytes
        or (count > 0 and read.dimensions == 0)
    )
    if has_others:
        raise WireError("a document in the central store has other vectors than passages")
    is_finite = (
        all(map(math.isfinite, read.scales))
        if read.scales
        # Without numpy, which a learner that has nothing to embed doesn't load: the upper bytes.
        else not read.vectors[1::_HALF_BYTES].translate(None, _FINITE_UPPER_BYTES)
    )
    if not is_finite:
        raise WireError("a document in the central store has a vector that is not finite")


def _chunk(read: memory_pb2.StoredPassage) -> Chunk:
    return Chunk(
        start_line=read.start_line,
        end_line=read.end_line,
        text=read.text,
        kind=_KIND_FROM_PROTO[read.kind],
        title=read.title,
        context=read.context,
        breaks=tuple(read.breaks),
        page=read.page,
    )


def record_to_bytes(record: SourceRecord) -> bytes:
    """Serialise what a namespace says of a source."""
    return memory_pb2.NamespaceSource(
        source=record.source,
        path=record.path,
        format=record.format,
        chunker_version=record.chunker_version,
        embedder=record.embedder,
        passages=record.passages,
        stored_bytes=record.stored_bytes,
        size=record.size,
        modified_ns=record.modified_ns,
        omission=record.omission,
    ).SerializeToString(deterministic=True)


def record_from_bytes(data: bytes) -> SourceRecord:
    """Parse what a namespace says of a source.

    Raises:
        WireError: the bytes are none.
    """
    read = memory_pb2.NamespaceSource()
    try:
        read.ParseFromString(data)
    except DecodeError as error:
        raise WireError("a source in the central store can't be read as one") from error
    return SourceRecord(
        source=read.source,
        path=read.path,
        format=read.format,
        chunker_version=read.chunker_version,
        embedder=read.embedder,
        passages=read.passages,
        stored_bytes=read.stored_bytes,
        size=read.size,
        modified_ns=read.modified_ns,
        omission=read.omission,
    )


def collection_from_bytes(data: bytes) -> tuple[OldSource, ...]:
    """Parse a collection of earlier versions.

    Raises:
        WireError: the bytes are none.
    """
    read = memory_pb2.StoredCollection()
    try:
        read.ParseFromString(data)
    except DecodeError as error:
        raise WireError("a collection in the central store can't be read as one") from error
    return tuple(
        OldSource(each.source, each.document, each.path, each.passages, each.omission)
        for each in read.sources
    )
