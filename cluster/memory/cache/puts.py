"""A source as a namespace has it since a version, with all that searches need of its document.

What segments are made of, and what a delta takes. Used by `cluster.memory.cache` alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from cluster.kernel.errors import WireError
from cluster.memory.knowledge.records import Chunk, StoredDocument
from cluster.memory.knowledge.vectors import Vectors, rows_of
from cluster.memory.knowledge.wire import document_from_bytes, record_from_bytes
from cluster.memory.namespaces.port import SourceEntry

_SEPARATORS = re.compile(r"[/._-]+")


@dataclass(frozen=True, slots=True)
class Put:
    """A source since a version of its namespace; no other put has that version."""

    version: int
    key: str
    document: str
    source: str
    """Its name, which citations have as `cited_name` does, unless a later one has it too."""
    path: str
    embedder: str
    chunks: Sequence[Chunk] = field(repr=False)
    vectors: Vectors = field(repr=False)
    """float32[chunks, dimensions], unit L2 norm."""

    @classmethod
    def of(cls, entry: SourceEntry, stored: bytes) -> Self:
        """Join what the log says of a source and what its document has.

        Raises:
            WireError: either can't be read.
        """
        record = record_from_bytes(entry.record)
        document = document_from_bytes(stored)
        return cls(
            entry.version,
            entry.key,
            entry.document,
            record.source,
            record.path,
            document.embedder,
            document.chunks,
            _rows(document),
        )

    def fits(self, embedder: str, dimensions: int) -> bool:
        """Say whether its vectors are of an embedder."""
        return not self.chunks or (self.embedder, self.vectors.shape[1]) == (embedder, dimensions)

    def searchable(self, chunk: Chunk) -> str:
        """Return the words a passage is found by: its own, those above it, its file's name."""
        name = _SEPARATORS.sub(" ", self.source)
        return html.unescape(f"{name}\n{chunk.title}\n{chunk.context}\n{chunk.text}")


def _rows(document: StoredDocument) -> Vectors:
    rows = rows_of(document.vectors, document.scales, document.dimensions)
    if len(rows) != len(document.chunks):
        raise WireError("a document in the central store has other vectors than passages")
    return rows
