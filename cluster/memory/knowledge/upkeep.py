"""What learning has to do: which files are read again, in which portions, and which are gone.

Decisions only; `cluster.memory.knowledge.learning` carries them out. Like `make` and git, it takes
a file of the same size and time of modification for the same, unless it was modified so shortly
before it was read that a later change could have the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cluster.memory.knowledge.catalog import Catalog, KnownSource, below
from cluster.memory.knowledge.sources import SourceFile

SETTLED_NS = 2_000_000_000
"""Times of modification are at worst two seconds apart (FAT)."""
BATCH_FILES = 256
BATCH_BYTES = 2_000_000
"""Read, split, embedded and stored together: what is held in memory, and lost by an interruption.
One file may have more."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may have to be read."""

    file: SourceFile
    key: str
    """Its key in a namespace."""
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Method:
    """How documents are made at present; those that were made otherwise are made again."""

    chunker_version: int
    embedder: str


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What is to be done about some files."""

    to_read: tuple[FoundFile, ...]
    unchanged: tuple[FoundFile, ...]
    reembedded: tuple[str, ...]
    """Embedders of the files that are to be read only since the embedder is another now."""

    @classmethod
    def of(
        cls,
        files: Iterable[FoundFile],
        catalog: Catalog,
        method: Method,
        lost: frozenset[str] = frozenset(),
    ) -> Upkeep:
        """Compare files with what a namespace has of them; ``lost`` documents are made again."""
        to_read, unchanged, embedders = [], [], []
        for each in files:
            known = catalog.sources.get(each.key)
            is_same = known is not None and is_unchanged(each, known, method)
            if known is not None and is_same and known.document not in lost:
                unchanged.append(each)
                continue
            to_read.append(each)
            if known is not None and known.record.embedder not in {"", method.embedder}:
                embedders.append(known.record.embedder)
        return cls(tuple(to_read), tuple(unchanged), tuple(embedders))


def is_unchanged(found: FoundFile, known: KnownSource, method: Method) -> bool:
    """Say whether a file is what a namespace has of it, as far as can be told without reading."""
    record = known.record
    return (
        record.modified_ns > 0
        and (record.size, record.modified_ns) == (found.size, found.modified_ns)
        and (record.source, record.format) == (found.file.source, found.file.format)
        and Method(record.chunker_version, record.embedder) == method
    )


def settled_ns(modified_ns: int, now_ns: int) -> int:
    """Return the time of a modification, 0 where a later one could have the same."""
    return modified_ns if now_ns - modified_ns >= SETTLED_NS else 0


def gone(catalog: Catalog, kept: frozenset[str], tops: Sequence[str] | None) -> list[KnownSource]:
    """Return the sources below some paths, or anywhere, whose files are no longer there.

    Args:
        catalog: what the namespace has.
        kept: keys of the files that are there.
        tops: absolute paths that were looked at; None where it was everything.
    """
    sources = list(catalog.sources.values())
    looked_at = sources if tops is None else below(sources, tops)
    return [each for each in looked_at if each.key not in kept]


def batches(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    """Yield files in portions of at most `BATCH_FILES` and, but for one, `BATCH_BYTES`."""
    batch: list[FoundFile] = []
    size = 0
    for each in files:
        if batch and (len(batch) == BATCH_FILES or size + each.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch
