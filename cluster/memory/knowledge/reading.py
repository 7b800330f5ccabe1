"""Reads the files that were found, and tells in which encoding each is written.

Called by `cluster.memory.knowledge.learning`, in a worker thread: everything here blocks. A file of
a folder that can't be read is left out and counted, one that was named is refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import select
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.decoding import (
    SAMPLE_BYTES,
    Encoding,
    FileContent,
    encoding_of,
    fits,
)
from cluster.memory.knowledge.formats import (
    PACKED,
    format_of_content,
    kind_of_content,
    kind_of_format,
)
from cluster.memory.knowledge.omissions import NAMES_MAX, Omission, Omissions
from cluster.memory.knowledge.sources import (
    FILE_BYTES_MAX,
    NO_TEXT,
    SourceFile,
    find_files,
    refuse,
    refuse_named,
    stream_descriptor,
    too_large,
)

ATTEMPTS_MAX = 3
"""So often a file is read that changes meanwhile."""
MARK_CHARS = 6
"""Of the hash of what came from a pipe, in its name: the next command has the same path."""
STREAM_PART_BYTES = 65_536
"""So much a pipe holds."""
NEIGHBOURS_MAX = 32
"""Files of a folder that are asked for their encoding."""


class _ChangingError(OSError):
    """A file is not the same for as long as reading it takes."""


class FileReader:
    """Reads files, and remembers what can be read only once."""

    def __init__(self) -> None:
        self._streams: dict[Path, bytes] = {}
        self._common: dict[Path, tuple[str, ...]] = {}
        """Encodings that files of a folder surely have, the most frequent first."""
        self._guessed: dict[str, str] = {}
        self._neighbours: dict[Path, list[Path]] = {}
        """By folder: the files that are asked for their encoding."""

    def meet(self, files: Iterable[SourceFile]) -> None:
        """Take what was found: a text that is too short follows those of its folder, no others."""
        self._neighbours.clear()
        for file in files:
            neighbours = self._neighbours.setdefault(file.path.parent, [])
            if file.format not in PACKED and len(neighbours) < NEIGHBOURS_MAX:
                neighbours.append(file.path)

    def fingerprint(self, file: SourceFile) -> str:
        """Return what tells one stream from the next of that path; empty where none is needed."""
        if stream_descriptor(file.path) is None and file.path not in self._streams:
            return ""
        try:
            return hashlib.sha256(self._bytes(file)).hexdigest()
        except OSError:
            return ""  # reading it will say why it can't be read

    def read(self, file: SourceFile, omissions: Omissions) -> FileContent | None:
        """Return what a file holds; None where it is left out.

        Raises:
            UsageError: the user named this file, and it can't be read, is empty, or is no text.
        """
        try:
            data = self._bytes(file)
        except _ChangingError:
            _leave_out(file, omissions, Omission.CHANGING, "changes whenever it is read")
            return None
        except OSError as error:
            _leave_out(file, omissions, Omission.UNREADABLE, f"can't be read ({error.strerror})")
            return None
        if len(data) > FILE_BYTES_MAX:
            _leave_out(file, omissions, Omission.TOO_LARGE, too_large())
        elif not data.strip():
            _leave_out(file, omissions, Omission.EMPTY, "is empty")
        elif kind := kind_of_content(data):
            refuse_named(file, f"can't be read as text: {kind} are not")
            omissions.add(kind, Omission.KIND, file.shown_name)
        elif format_of_content(data, file.format) in PACKED:
            return FileContent(data, "")
        elif (encoding := encoding_of(data)) is None:
            why = "is binary, and of no format that knowledge is read from"
            _leave_out(file, omissions, Omission.BINARY, why)
        else:
            content = FileContent(data, self._settled(file, data, encoding))
            if content.text.strip():
                return content
            _leave_out(file, omissions, Omission.EMPTY, "is empty")
        return None

    def guesses(self) -> str:
        """Return a sentence on the encodings that were guessed from too little; may be empty."""
        named = [f"{source} as {name}" for source, name in self._guessed.items()]
        if not named:
            return ""
        more = ", ..." if len(named) > NAMES_MAX else ""
        files = "1 file" if len(named) == 1 else f"{len(named):,} files"
        return (
            f"too short to tell the encoding for certain, guessed: {files} "
            f"({', '.join(named[:NAMES_MAX])}{more})"
        )

    def _bytes(self, file: SourceFile) -> bytes:
        if stream_descriptor(file.path) is None and file.path not in self._streams:
            return read_bytes(file.path)
        if file.path not in self._streams:
            self._streams[file.path] = read_bytes(file.path)
        return self._streams[file.path]

    def _settled(self, file: SourceFile, data: bytes, told: Encoding) -> str:
        """Return the encoding; a text that is too short for a sure one follows its folder."""
        if told.is_sure:
            return told.name
        folder = file.path.parent
        if folder not in self._common:
            self._common[folder] = _encodings_of(self._neighbours.get(folder, ()))
        for name in self._common[folder]:
            if fits(data, name):
                return name
        self._guessed[file.shown_name] = told.name
        return told.name


def check_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Say early what is wrong with the paths; reads named files, and of a folder the first text.

    What can be read only once is left for whoever learns it.

    Raises:
        UsageError: as `find_files` and `FileReader.read`, or a path leads to no text at all.
    """
    unsaid = Omissions()
    reader = FileReader()
    for path in paths:
        files = find_files([path], unsaid)
        if stream_descriptor(path) is not None:
            continue
        if not any(reader.read(file, unsaid) is not None for file in files):
            refuse(os.fspath(path), NO_TEXT)
    if len(paths) > 1:
        find_files(paths, unsaid)  # together they may be too much


def check_watchable(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse to watch what can be read only once.

    Raises:
        UsageError: a path is such.
    """
    for path in paths:
        if stream_descriptor(path) is not None:
            raise UsageError(
                f"the knowledge path {os.fspath(path)!r} can be read only once: name files and "
                "folders with --watch"
            )


def read_bytes(path: Path) -> bytes:
    """Read what was found to its end, at most one byte over the limit of a file.

    Raises:
        OSError: it can't be read: it is gone, or not what was found.
    """
    descriptor = stream_descriptor(path)
    return _read(path) if descriptor is None else _read_stream(descriptor)


def _read_stream(descriptor: int) -> bytes:
    """Read what can be read only once, however long whoever writes it takes.

    A pipe that another process has made non-blocking, as it may, is waited for as any other is.
    """
    data = bytearray()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while (rest := FILE_BYTES_MAX + 1 - len(data)) > 0:
        poll.poll()
        try:
            part = os.read(descriptor, min(rest, STREAM_PART_BYTES))
        except BlockingIOError:
            continue  # another process has read it first
        if not part:
            break
        data += part
    return bytes(data)


def _read(path: Path) -> bytes:
    """Read a regular file, at most one byte over the limit; a pipe or a link raises OSError.

    Of one that is appended to meanwhile, as a log is, it is what was there before.
    """
    with _regular(path) as file:
        before = os.fstat(file.fileno())
        for _ in range(ATTEMPTS_MAX):
            file.seek(0)
            data = _whole(file.read(FILE_BYTES_MAX + 1))
            after = os.fstat(file.fileno())
            if _is_same(before, after) or not before.st_size:
                return data  # what the kernel makes up as it is read has no size
            if before.st_size < after.st_size and len(data) >= before.st_size:
                data = data[: before.st_size]
                file.seek(0)
                if _whole(file.read(len(data))) == data:
                    return data
            before = os.fstat(file.fileno())
    raise _ChangingError(errno.EAGAIN, "it changes whenever it is read")


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, without ever waiting for it.

    Raises:
        OSError: it is a pipe, a link or the like, or can't be opened.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no longer a file")
        if os.path.realpath(path) != os.fspath(path):
            raise OSError(errno.EINVAL, "a link has taken the place of its folder")
        yield file


def _whole(data: bytes | None) -> bytes:
    """Return what was read; nothing comes where reading would have to wait, as of ``/proc/kmsg``.

    Raises:
        OSError: it was nothing.
    """
    if data is None:
        raise OSError(errno.EAGAIN, "it has nothing to be read at present")
    return data


def _is_same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _encodings_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the encodings other than UTF-8 that files surely have, the most frequent first."""
    votes: Counter[str] = Counter()
    for path in paths:
        try:
            with _regular(path) as file:
                told = encoding_of(_whole(file.read(SAMPLE_BYTES)))
        except OSError:
            continue
        if told is not None and told.is_sure and not told.name.startswith("utf"):
            votes[told.name] += 1
    return tuple(name for name, _ in votes.most_common())


def _leave_out(file: SourceFile, omissions: Omissions, omission: Omission, why: str) -> None:
    refuse_named(file, why)
    omissions.add(kind_of_format(file.format), omission, file.shown_name)
