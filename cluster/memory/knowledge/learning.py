"""Reads files and folders into a namespace of the central store.

Called by who submits a task, and by `fleetmind learn`; the agents find it all again with
`cluster.memory.cache.knowledge_cache`. Whatever ends it, what was put until then stays, and the
next time goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.catalog import Catalog, KnownSource, read_catalog
from cluster.memory.knowledge.chunking.chunks import CHUNKER_VERSION
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.documents import DocumentSize, DocumentWriter, FileReading
from cluster.memory.knowledge.embedder import Embedder, WordLlamaEmbedder
from cluster.memory.knowledge.formats import kind_of_format
from cluster.memory.knowledge.names import (
    KnowledgeVersion,
    check_namespace,
    namespace_of,
    source_key,
)
from cluster.memory.knowledge.omissions import LeftOut, Omission, Omissions, left_out_line
from cluster.memory.knowledge.path_names import PathName, known_names, shown, stored_name
from cluster.memory.knowledge.reading import MARK_CHARS, FileReader
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.knowledge.sources import (
    NO_TEXT,
    SourceFile,
    find_files,
    refuse_named,
    stream_descriptor,
)
from cluster.memory.knowledge.upkeep import FoundFile, Method, Upkeep, batches, gone, settled_ns
from cluster.memory.knowledge.wire import record_to_bytes
from cluster.memory.namespaces.port import NO_DOCUMENTS, Applied, Namespaces, SourceChange

ROUNDS_MAX = 8
"""So often others may change the same sources meanwhile; then the files are looked at again."""
REMOVALS_PER_WRITE = 1_000
PROGRESS_S = 3.0
"""How far the reading is, is told so often: where no line replaces the one before, it stays."""


@dataclass(frozen=True, slots=True)
class LearningProgress:
    """How far the reading is, of what has to be read at all."""

    files: int
    of_files: int
    size: int
    of_size: int


OnLearning = Callable[[LearningProgress], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """What `learn` did."""

    collection: str
    """The namespace and its version, as `Submission.collection` wants it."""
    files: int
    """Sources in the namespace that have passages."""
    passages: int
    embedded: int
    """Documents with text that were new to the store."""
    reused: int
    """Files whose content was known already."""
    removed: int
    """Sources whose files are no longer there."""
    left_out: tuple[LeftOut, ...] = ()
    """What the paths lead to besides, by kind and reason; `left_out_line` says it."""
    changed: int = 0
    """Sources that have another content than the namespace had of them, new ones too."""
    news: tuple[str, ...] = ()
    """Sentences on what took its time for a reason that isn't the files."""


async def learn(
    namespaces: Namespaces,
    paths: Sequence[PathName],
    *,
    embedder: Embedder | None = None,
    name: str = "",
    progress: OnLearning | None = None,
    clock: Clock | None = None,
) -> Learned:
    """Read files and folders into a namespace, in the place of what it had from the same paths.

    Without a name it is one of the paths' own, which has nothing else. Files that haven't changed
    are not read. Others may write to it at the same time: nothing of theirs is lost, and where two
    learn one file, what the file says in the end stays.

    Raises:
        UsageError: a path doesn't exist or leads to no text, or a file that it names is unreadable,
            empty, binary, too large, encrypted or broken.
        StoreUnavailable: the store does not answer, or others change the same files all the time.
    """
    # A cancellation ends the process that reads files, whatever it is doing.
    with closing(Converter()) as converter:
        learning = _Learning(
            namespaces,
            check_namespace(name) if name else namespace_of(paths),
            embedder or WordLlamaEmbedder(),
            converter,
            progress=progress or _say_nothing,
            clock=clock or SystemClock(),
        )
        return await learning.learn(paths, _tops(paths) if name else None)


def _say_nothing(_progress: LearningProgress) -> None:
    """Take progress that nobody wants."""


def _tops(paths: Sequence[PathName]) -> list[str]:
    return [name for path in paths for name in known_names(Path(path).resolve())]


@dataclass(slots=True)
class _Round:
    """One look at the files, and what came of it."""

    catalog: Catalog
    omissions: Omissions
    sources: dict[str, KnownSource]
    """What the namespace has, as far as is known, by now."""
    version: int
    writer: DocumentWriter
    kept: set[str] = field(default_factory=set)
    """Keys of the files that are there; those without passages too, lest they be read each time."""
    texts: set[Path] = field(default_factory=set)
    """Those that have passages."""
    fruitful: set[str] = field(default_factory=set)
    """Paths as they were named that have led to one."""
    is_refused: bool = False
    """Somebody else has changed a source that this changes."""

    def keep(self, found: FoundFile, file: SourceFile, omission: str) -> None:
        """Count a file that the namespace has, or is to have."""
        self.kept.add(found.key)
        if omission:
            self.omissions.add(kind_of_format(file.format), Omission(omission), file.shown_name)
        else:
            self.texts.add(file.path)
            self.fruitful.add(file.named)


class _Learning:
    """One call of `learn`."""

    def __init__(
        self,
        namespaces: Namespaces,
        name: str,
        embedder: Embedder,
        converter: Converter,
        *,
        progress: OnLearning,
        clock: Clock,
    ) -> None:
        self._namespaces = namespaces
        self._name = name
        self._embedder = embedder
        self._converter = converter
        self._progress = progress
        self._clock = clock
        self._method = Method(CHUNKER_VERSION, embedder.name)
        self._embedded = 0
        self._removed = 0
        self._changed = 0
        self._news: dict[str, None] = {}
        self._reader = FileReader()
        self._told_at: float | None = None

    async def learn(self, paths: Sequence[PathName], tops: Sequence[str] | None) -> Learned:
        """Look at the files until nobody else has changed what this changes."""
        for _ in range(ROUNDS_MAX):
            omissions = Omissions()
            files = await in_side_thread(_find, paths, omissions, self._reader)
            self._reader.meet(each.file for each in files)
            done = await self._round(files, omissions, tops)
            if not done.is_refused:
                _check_fruitful(paths, done)
                return self._learned(done)
        raise StoreUnavailable(
            f"others change the same files of the namespace {self._name} all the time: try again"
        )

    async def _round(
        self, files: Sequence[FoundFile], omissions: Omissions, tops: Sequence[str] | None
    ) -> _Round:
        catalog = await read_catalog(self._namespaces, self._name)
        named = {each.document: _size(each) for each in catalog.sources.values()}
        lost = await self._namespaces.missing(list(named))
        upkeep = await in_side_thread(Upkeep.of, files, catalog, self._method, lost)
        self._tell_reembedded(upkeep.reembedded)
        present = {document: size for document, size in named.items() if document not in lost}
        writer = DocumentWriter(self._namespaces, self._embedder, self._converter, present)
        done = _Round(catalog, omissions, dict(catalog.sources), catalog.version, writer)
        for each in upkeep.unchanged:
            omission = _size(catalog.sources[each.key]).omission
            _refuse_omitted(each.file, omission)
            done.keep(each, each.file, omission)
        await self._read(upkeep.to_read, done)
        await self._remove(gone(catalog, frozenset(done.kept), tops), done)
        if done.version == catalog.version:
            await self._namespaces.apply(self._name, [])  # it is used, though nothing has changed
        self._embedded += writer.embedded
        return done

    def _tell_reembedded(self, embedders: Sequence[str]) -> None:
        for embedder in dict.fromkeys(embedders):
            count = embedders.count(embedder)
            self._news[
                f"{count} files were embedded by {embedder}: they are embedded anew by "
                f"{self._embedder.name}"
            ] = None

    async def _read(self, files: Sequence[FoundFile], done: _Round) -> None:
        files_done = size_done = 0
        of_size = sum(each.size for each in files)
        for batch in batches(files):
            readings = await in_side_thread(self._read_batch, batch, done.omissions)
            await self._put(readings, done)
            files_done += len(batch)
            size_done += sum(each.size for each in batch)
            self._tell(LearningProgress(files_done, len(files), size_done, of_size))

    def _tell(self, progress: LearningProgress) -> None:
        """Tell of the first batch, and then every few seconds."""
        now = self._clock.now()
        if self._told_at is None or now - self._told_at >= PROGRESS_S:
            self._told_at = now
            self._progress(progress)

    def _read_batch(
        self, batch: Sequence[FoundFile], omissions: Omissions
    ) -> list[tuple[FoundFile, int, FileReading]]:
        """Read files; each with its time of modification, where that tells it from a later one."""
        read = []
        for each in batch:
            now_ns = round(self._clock.wall() * 1e9)
            content = self._reader.read(each.file, omissions)
            if content is not None:
                reading = FileReading.of(each.file, content, self._embedder.name)
                read.append((each, settled_ns(each.modified_ns, now_ns), reading))
        return read

    async def _put(
        self, readings: Sequence[tuple[FoundFile, int, FileReading]], done: _Round
    ) -> None:
        """Store documents and name them; those that vanish in between are stored again."""
        for _ in range(ROUNDS_MAX):
            written = await done.writer.write([reading for _, _, reading in readings])
            sizes = written.sizes
            for _, _, reading in readings:
                _refuse_omitted(reading.file, sizes[reading.document].omission)
            puts = [
                KnownSource(
                    found.key,
                    reading.document,
                    self._record(found, modified_ns, sizes[reading.document]),
                )
                for found, modified_ns, reading in readings
            ]
            base = done.catalog.version
            changes = [_put_of(each, base) for each in puts]
            applied = await self._apply(changes, done, written.unstored)
            if not applied.missing:
                self._changed += sum(
                    each.key not in applied.refused and _is_other(done.sources.get(each.key), each)
                    for each in puts
                )
                done.sources.update({each.key: each for each in puts})
                for found, _, reading in readings:
                    done.keep(found, reading.file, sizes[reading.document].omission)
                return
            done.writer.forget(applied.missing)
        raise StoreUnavailable("the store loses documents as they are written: has it memory left?")

    def _record(self, found: FoundFile, modified_ns: int, size: DocumentSize) -> SourceRecord:
        return SourceRecord(
            source=found.file.source,
            path=stored_name(found.file.path),
            format=found.file.format,
            chunker_version=self._method.chunker_version,
            embedder=self._method.embedder,
            passages=size.passages,
            stored_bytes=size.stored_bytes,
            size=found.size,
            modified_ns=modified_ns,
            omission=size.omission,
        )

    async def _remove(self, sources: Sequence[KnownSource], done: _Round) -> None:
        changes = [SourceChange(each.key, done.catalog.version) for each in sources]
        for at in range(0, len(changes), REMOVALS_PER_WRITE):
            await self._apply(changes[at : at + REMOVALS_PER_WRITE], done)
        for each in sources:
            done.sources.pop(each.key, None)
        self._removed += len(sources)

    async def _apply(
        self,
        changes: Sequence[SourceChange],
        done: _Round,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
    ) -> Applied:
        if not changes:
            return Applied(done.version)
        applied = await self._namespaces.apply(self._name, changes, documents=documents)
        done.version = applied.version
        done.is_refused |= bool(applied.refused)
        return applied

    def _learned(self, done: _Round) -> Learned:
        passages = [each.record.passages for each in done.sources.values()]
        return Learned(
            collection=str(KnowledgeVersion(self._name, done.version)),
            files=sum(1 for each in passages if each),
            passages=sum(passages),
            embedded=self._embedded,
            reused=max(0, len(done.texts) - self._embedded),
            removed=self._removed,
            left_out=done.omissions.left_out(),
            changed=self._changed,
            news=(*self._news, *filter(None, [self._reader.guesses()])),
        )


def _find(paths: Sequence[PathName], omissions: Omissions, reader: FileReader) -> list[FoundFile]:
    found = []
    for file in find_files(paths, omissions):
        if stream_descriptor(file.path) is not None:
            mark = reader.fingerprint(file)
            stream = replace(file, source=f"{file.source}#{mark[:MARK_CHARS]}")
            found.append(FoundFile(stream, source_key(f"{stored_name(file.path)}#{mark}"), 0, 0))
            continue
        try:
            status = os.stat(file.path, follow_symlinks=False)  # noqa: PTH116 - of 10,000 files
        except OSError:
            omissions.add(kind_of_format(file.format), Omission.UNREADABLE, file.shown_name)
        else:
            key = source_key(stored_name(file.path))
            found.append(FoundFile(file, key, status.st_size, status.st_mtime_ns))
    return found


def _check_fruitful(paths: Sequence[PathName], done: _Round) -> None:
    """Say which of the paths leads to no text at all, not by way of another one either.

    Raises:
        UsageError: one does.
    """
    for path in paths:
        named = os.fspath(path)
        if named in done.fruitful:
            continue
        root = Path(named).resolve()
        if not any(file.is_relative_to(root) for file in done.texts):
            line = left_out_line(done.omissions.left_out())
            raise UsageError(f"the knowledge path '{shown(named)}' {NO_TEXT}. {line}".rstrip(". "))


def _refuse_omitted(file: SourceFile, omission: str) -> None:
    """Refuse a file without text.

    Raises:
        UsageError: the user named it.
    """
    if omission:
        left_out = LeftOut(kind_of_format(file.format), Omission(omission), 1)
        refuse_named(file, f"holds no text that can be read ({left_out})")


def _is_other(known: KnownSource | None, put: KnownSource) -> bool:
    return known is None or known.document != put.document


def _size(known: KnownSource) -> DocumentSize:
    record = known.record
    omission = record.omission or ("" if record.passages else Omission.NO_TEXT)
    return DocumentSize(record.passages, record.stored_bytes, omission)


def _put_of(source: KnownSource, base: int) -> SourceChange:
    return SourceChange(source.key, base, source.document, record_to_bytes(source.record))
