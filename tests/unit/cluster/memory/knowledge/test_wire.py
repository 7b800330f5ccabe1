"""Documents and sources survive the way through bytes; other bytes are refused in one error."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.errors import WireError
from cluster.memory.knowledge.records import (
    CODE,
    Chunk,
    SourceRecord,
    StoredDocument,
)
from cluster.memory.knowledge.wire import (
    collection_from_bytes,
    document_from_bytes,
    document_to_bytes,
    record_from_bytes,
    record_to_bytes,
)

CHUNKS = (
    Chunk(1, 3, "Caf\u00e9 <open>\n", title="A > B", breaks=(1, 4)),
    Chunk(2, 2, "print(1)\n", kind=CODE, context="prints", page=7),
)
DOCUMENT = StoredDocument(
    b"hash", "markdown", 1, "hashing", 2, CHUNKS, b"\x01\x80\xff\x00", (0.5, 1.0)
)
RECORD = SourceRecord(
    "b.md", "/docs/b.md", "markdown", 3, "hashing", 2, 900, 700, 1_700_000_000_000, "encrypted"
)


def test_a_document_survives_the_way_through_bytes() -> None:
    assert document_from_bytes(document_to_bytes(DOCUMENT)) == DOCUMENT


def test_why_a_document_has_no_passages_survives_the_way_through_bytes() -> None:
    broken = replace(DOCUMENT, chunks=(), vectors=b"", scales=(), omission="broken")

    assert document_from_bytes(document_to_bytes(broken)) == broken


def test_a_source_survives_the_way_through_bytes() -> None:
    assert record_from_bytes(record_to_bytes(RECORD)) == RECORD


def test_a_document_with_other_vectors_than_passages_is_refused() -> None:
    data = document_to_bytes(replace(DOCUMENT, vectors=b"\x01"))

    with pytest.raises(WireError, match="other vectors than passages"):
        document_from_bytes(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_wire_error(data: bytes) -> None:
    for read in (document_from_bytes, record_from_bytes, collection_from_bytes):
        with suppress(WireError):
            read(data)
