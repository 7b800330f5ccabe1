"""What is stored of knowledge: documents by their content, and what namespaces say of sources.

Values only. `cluster.memory.knowledge.wire` turns them into bytes,
`cluster.memory.knowledge.documents` and `cluster.memory.knowledge.catalog` write and read them,
`cluster.memory.knowledge.chunking.chunks` makes the chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

CODE = "code"
TEXT = "text"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a file, before anybody said what the file is called.

    ``text`` of kind ``text`` is a verbatim run of the file's lines ``start_line`` to ``end_line``
    (from 1); of kind ``code`` it is the source of a runnable program that was found there.
    """

    start_line: int
    end_line: int
    text: str
    kind: str = TEXT
    title: str = ""
    context: str = ""
    """Words from around it that help to find it; not part of it."""
    breaks: tuple[int, ...] = ()
    """Offsets in ``text`` where the file has tags."""
    page: int = 0
    """From 1, where the file has pages: then the lines are counted on it."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A file, split and embedded: as many vectors as chunks, in their order."""

    content_hash: bytes
    format: str
    chunker_version: int
    embedder: str
    dimensions: int
    chunks: tuple[Chunk, ...]
    vectors: bytes
    """``dimensions`` half floats a vector, little-endian; signed bytes where there are scales."""
    scales: tuple[float, ...] = ()
    """What each vector's signed bytes are to be multiplied by, as earlier versions stored them."""
    omission: str = ""
    """Why it has no passages, as `Omission` has it; empty where it has some."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A file that a namespace has: where it is, and what is known of it without reading it."""

    source: str
    """Its name, as the store has it: `cited_name` makes what citations call it."""
    path: str
    """Absolute, as the store has it; of a text that is no file, its name behind ``text:``."""
    format: str = ""
    chunker_version: int = 0
    embedder: str = ""
    passages: int = 0
    stored_bytes: int = 0
    """Size of its document."""
    size: int = 0
    modified_ns: int = 0
    """Unix time; 0 where it was too short before the reading to tell a later change."""
    omission: str = ""
    """As its document has it."""


@dataclass(frozen=True, slots=True)
class OldSource:
    """A file's place in a collection, which is what there was before namespaces."""

    source: str
    document: str
    path: str
    passages: int
    omission: str = ""
    """As its document has it."""
