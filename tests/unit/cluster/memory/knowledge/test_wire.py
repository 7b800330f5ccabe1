"""Documents and sources survive the way through bytes; other bytes are refused in one error."""

from __future__ import annotations

import math
import struct
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
HALVES = struct.pack("<4e", 1.0, -0.5, 0.0, 65504.0)
DOCUMENT = StoredDocument(b"hash", "markdown", 1, "hashing", 2, CHUNKS, HALVES)
OLD = replace(DOCUMENT, vectors=b"\x01\x80\xff\x00", scales=(0.5, 1.0))
RECORD = SourceRecord(
    "b.md", "/docs/b.md", "markdown", 3, "hashing", 2, 900, 700, 1_700_000_000_000, "encrypted"
)


def test_a_document_survives_the_way_through_bytes() -> None:
    assert document_from_bytes(document_to_bytes(DOCUMENT)) == DOCUMENT


def test_a_document_of_earlier_versions_survives_the_way_through_bytes() -> None:
    assert document_from_bytes(document_to_bytes(OLD)) == OLD


def test_why_a_document_has_no_passages_survives_the_way_through_bytes() -> None:
    broken = replace(DOCUMENT, chunks=(), vectors=b"", omission="broken")

    assert document_from_bytes(document_to_bytes(broken)) == broken


def test_a_source_survives_the_way_through_bytes() -> None:
    assert record_from_bytes(record_to_bytes(RECORD)) == RECORD


@pytest.mark.parametrize(
    "broken",
    [
        replace(DOCUMENT, vectors=b"\x01"),
        replace(DOCUMENT, vectors=HALVES[:4]),
        replace(OLD, scales=(0.5,)),
        replace(OLD, vectors=HALVES),
        replace(DOCUMENT, vectors=b"", dimensions=0),
    ],
)
def test_a_document_with_other_vectors_than_passages_is_refused(broken: StoredDocument) -> None:
    with pytest.raises(WireError, match="other vectors than passages"):
        document_from_bytes(document_to_bytes(broken))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_document_with_a_vector_that_is_not_finite_is_refused(number: float) -> None:
    halves = struct.pack("<4e", 1.0, 0.0, number, 0.0)

    for broken in (replace(DOCUMENT, vectors=halves), replace(OLD, scales=(1.0, number))):
        with pytest.raises(WireError, match="not finite"):
            document_from_bytes(document_to_bytes(broken))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_wire_error(data: bytes) -> None:
    for read in (document_from_bytes, record_from_bytes, collection_from_bytes):
        with suppress(WireError):
            read(data)
