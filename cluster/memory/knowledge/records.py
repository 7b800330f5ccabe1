"""What is stored of knowledge: documents by their content, collections by what is in them.

Values only. `cluster.memory.knowledge.wire` turns them into bytes,
`cluster.memory.knowledge.stored` writes and reads them, `cluster.memory.knowledge.chunking.chunks`
makes the chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

CODE = "code"
TEXT = "text"
LEARNED = "default"
"""Name of the collection that `fleetmind learn` adds to."""


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
    """``dimensions`` signed bytes a vector."""
    scales: tuple[float, ...]
    """What each vector's bytes are to be multiplied by."""
    omission: str = ""
    """Why it has no passages, as `Omission` has it; empty where it has some."""


@dataclass(frozen=True, slots=True)
class CollectionSource:
    """A file's place in a collection."""

    source: str
    document: str
    path: str
    passages: int
    omission: str = ""
    """As its document has it."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What a task may know, in the order of the sources' names."""

    sources: tuple[CollectionSource, ...]

    @classmethod
    def of(cls, sources: Iterable[CollectionSource]) -> Collection:
        """Return the collection of these sources."""
        return cls(tuple(sorted(sources, key=lambda each: each.source)))

    @property
    def id(self) -> str:
        """A hash of the sources and their documents: equal knowledge has equal ids."""
        digest = hashlib.sha256()
        for each in self.sources:
            digest.update(f"{each.source}\0{each.document}\n".encode())
        return digest.hexdigest()[:32]


def document_key(document: str) -> str:
    """Return the key of a document in the store."""
    return f"knowledge/doc/{document}"


def collection_key(collection: str) -> str:
    """Return the key of a collection in the store."""
    return f"knowledge/collection/{collection}"


def name_key(name: str) -> str:
    """Return the key that holds the id of a named collection."""
    return f"knowledge/name/{name}"
