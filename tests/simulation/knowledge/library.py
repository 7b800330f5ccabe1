"""What simulated knowledge is of: a few documents, made once for all runs, and their sources."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cluster.memory.knowledge.names import source_key
from cluster.memory.knowledge.records import Chunk, SourceRecord, StoredDocument
from cluster.memory.knowledge.vectors import Vector, Vectors, to_half, unit
from cluster.memory.knowledge.wire import document_to_bytes, record_to_bytes

NAMESPACES = ("left", "right")
SOURCES = 6
DOCUMENTS = 10
"""So few that the same content comes again, under other sources and after it was forgotten."""
DIMENSIONS = 8
EMBEDDER = "simulated-8"
COMMON = "alpha"
"""A word of every passage."""
QUESTIONS = (COMMON, f"{COMMON} beta", f"{COMMON} gamma")


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is stored."""

    id: str
    data: bytes
    passages: int
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Source:
    """A source as a namespace has it."""

    key: str
    path: str

    def record(self, document: Document) -> bytes:
        """Return what a namespace says of it."""
        return record_to_bytes(
            SourceRecord(
                self.path,
                self.path,
                format="text",
                chunker_version=1,
                embedder=EMBEDDER,
                passages=document.passages,
            )
        )


class SimEmbedder:
    """`cluster.memory.knowledge.embedder.Embedder` of questions: positive vectors by their words.

    No cosine is 0 or less, so that a look-up without a small limit finds all there is.
    """

    name = EMBEDDER
    dimensions = DIMENSIONS

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector a text."""
        return np.array([question_vector(text) for text in texts])


@cache
def question_vector(text: str) -> Vector:
    """Return the vector of a question."""
    rng = random.Random(text)
    row: Vector = unit(np.array([[rng.uniform(0.1, 1.0) for _ in range(DIMENSIONS)]]))[0]
    return row


@cache
def documents() -> tuple[Document, ...]:
    """Return all documents that are ever put."""
    return tuple(_document(number) for number in range(DOCUMENTS))


@cache
def by_id() -> dict[str, Document]:
    """Return the documents by their ids."""
    return {each.id: each for each in documents()}


@cache
def sources() -> tuple[Source, ...]:
    """Return all sources that are ever put."""
    return tuple(_source(number) for number in range(SOURCES))


def _document(number: int) -> Document:
    rng = random.Random(f"document {number}")
    texts = [
        f"{COMMON} {rng.choice(('beta', 'gamma'))} d{number}p{at}" for at in range(1 + number % 2)
    ]
    rows = [[rng.uniform(0.1, 1.0) for _ in range(DIMENSIONS)] for _ in texts]
    vectors = unit(np.array(rows))
    stored = StoredDocument(
        content_hash=f"{number}".encode(),
        format="text",
        chunker_version=1,
        embedder=EMBEDDER,
        dimensions=DIMENSIONS,
        chunks=tuple(Chunk(at, at, text) for at, text in enumerate(texts, 1)),
        vectors=to_half(vectors),
    )
    data = document_to_bytes(stored)
    halves = np.frombuffer(to_half(vectors), np.float16).reshape(vectors.shape)
    name = hashlib.blake2b(data, digest_size=16).hexdigest()
    return Document(name, data, len(texts), halves.astype(np.float32))


def _source(number: int) -> Source:
    path = f"/srv/docs/s{number}.md"
    return Source(source_key(path), path)
