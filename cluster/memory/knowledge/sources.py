"""Finds and reads the files that a user offers as knowledge.

Called by `cluster.memory.knowledge.learning`, in a worker thread: everything here blocks. A path
that was named must be good, or the user hears why not; what a folder holds besides text is passed
over and counted. Nothing outside of a named folder is read: links within it are not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.formats import format_of

MEGABYTE = 1_000_000
FILE_BYTES_MAX = 20 * MEGABYTE
TOTAL_BYTES_MAX = 100 * MEGABYTE
FILES_MAX = 10_000
ENTRIES_MAX = 200_000
"""Entries of folders that are looked at: ``/`` is no folder of knowledge."""
NOTES_MAX = 20
NO_TEXT = (
    "holds no text that can be read: name Markdown, reStructuredText, plain text, HTML or source"
)

_FOREIGN_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "CVS"})
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))
_CONTROLS_SHARE_MAX = 0.02
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that may be knowledge."""

    path: Path
    """Absolute; links above it are resolved."""
    source: str
    """What citations call it: the path as it was given, from there downwards."""
    format: str
    named: str
    """The path that the user named and that led to it."""
    is_named: bool = False
    """Whether that is this very file, not a folder above it."""


@dataclass(slots=True)
class Passed:
    """What was passed over inside folders."""

    count: int = 0
    notes: list[str] = field(default_factory=list)
    """Sentences on what the user would expect to be read, at most `NOTES_MAX`."""

    def add(self, note: str = "") -> None:
        """Count one entry."""
        self.count += 1
        if note and len(self.notes) < NOTES_MAX:
            self.notes.append(note)


def find_files(paths: Iterable[str | os.PathLike[str]], passed: Passed) -> list[SourceFile]:
    """Return the files to be read, each once, in the order of the paths and then of their names.

    Raises:
        UsageError: a path is no file or folder, can't be read, is too large, or there is too much.
    """
    found: dict[Path, SourceFile] = {}
    total = 0
    for path in paths:
        named = os.fspath(path)
        for file, size in _below(named, passed):
            if file.path in found:
                continue
            total += size
            if len(found) == FILES_MAX:
                _refuse(named, f"leads to more than {FILES_MAX:,} files: name smaller folders")
            if total > TOTAL_BYTES_MAX:
                limit = TOTAL_BYTES_MAX // MEGABYTE
                _refuse(named, f"leads to more than {limit} MB in all: name smaller folders")
            found[file.path] = file
    return list(found.values())


def check_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Say early what is wrong with the paths; reads named files, and of a folder the first text.

    Raises:
        UsageError: as `find_files` and `read_file`, or a path leads to no text at all.
    """
    passed = Passed()
    for path in paths:
        files = find_files([path], passed)
        if not any(read_file(file, passed) is not None for file in files):
            _refuse(os.fspath(path), NO_TEXT)
    if len(paths) > 1:
        find_files(paths, passed)  # together they may be too much


def read_file(file: SourceFile, passed: Passed) -> bytes | None:
    """Return the bytes of a file; None where it is passed over.

    Raises:
        UsageError: the user named this file, and it can't be read, is empty, or is no text.
    """
    try:
        data = _read(file.path)
    except OSError as error:
        _pass_over(file, passed, f"can't be read ({error.strerror})")
        return None
    if len(data) > FILE_BYTES_MAX:
        _pass_over(file, passed, _too_large(len(data)))
    elif (text := decoded(data)) is None:
        _pass_over(file, passed, "is binary: knowledge is text, HTML or source", is_silent=True)
    elif not text.strip():
        _pass_over(file, passed, "is empty", is_silent=True)
    else:
        return data
    return None


def decoded(data: bytes) -> str | None:
    """Return the text of a file: UTF-8, UTF-16 with its mark, else Latin-1; None if it is none."""
    try:
        if data.startswith(_UTF_16):
            text = data.decode("utf-16")
        elif b"\0" in data:
            return None
        else:
            text = data.removeprefix(_UTF_8_BOM).decode("utf-8")
    except UnicodeDecodeError:
        controls = len(data) - len(data.translate(None, _CONTROLS))
        if data.startswith(_UTF_16) or controls > len(data) * _CONTROLS_SHARE_MAX:
            return None
        return data.decode("latin-1")
    return None if "\0" in text else text


def _pass_over(file: SourceFile, passed: Passed, why: str, *, is_silent: bool = False) -> None:
    if file.is_named:
        _refuse(file.named, why)
    passed.add("" if is_silent else f"{file.source} {why}")


def _below(named: str, passed: Passed) -> Iterator[tuple[SourceFile, int]]:
    """Find the files that a named path leads to, and their sizes in bytes."""
    if not named:
        raise UsageError("the knowledge path is empty: name a file or a folder")
    try:
        root = Path(named).resolve()
        status = root.stat()
    except FileNotFoundError:
        _refuse(named, "doesn't exist")
    except (OSError, ValueError, RuntimeError) as error:
        _refuse(named, f"can't be read ({getattr(error, 'strerror', None) or error})")
    source = os.path.normpath(named)
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(root, named, source, passed)
        return
    if not stat.S_ISREG(status.st_mode):
        _refuse(named, "is neither a file nor a folder")
    if status.st_size > FILE_BYTES_MAX:
        _refuse(named, _too_large(status.st_size))
    file_format = format_of(root.name) or "text"
    yield SourceFile(root, shown(source), file_format, named, is_named=True), status.st_size


def _folder(
    root: Path, named: str, source: str, passed: Passed
) -> Iterator[tuple[SourceFile, int]]:
    todo = [root]
    seen = 0
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                _refuse(named, f"can't be read ({error.strerror})")
            passed.add(f"{_source(source, root, folder)} can't be read ({error.strerror})")
            continue
        seen += len(listed)
        if seen > ENTRIES_MAX:
            _refuse(named, f"holds more than {ENTRIES_MAX:,} entries: name smaller folders")
        folders = []
        for entry in listed:
            if entry.is_dir(follow_symlinks=False) and not _is_foreign(entry):
                folders.append(Path(entry.path))
                continue
            file = SourceFile(
                Path(entry.path),
                _source(source, root, Path(entry.path)),
                format_of(entry.name),
                named,
            )
            size = _size(entry, file, passed)
            if size is not None:
                yield file, size
        todo.extend(reversed(folders))


def _is_foreign(entry: os.DirEntry[str]) -> bool:
    """Say whether a folder is hidden, made by a tool, or somebody else's code."""
    if entry.name.startswith(".") or entry.name in _FOREIGN_FOLDERS:
        return True
    try:
        return Path(entry.path, "pyvenv.cfg").exists()
    except OSError:
        return False  # looking into it will say why it can't be read


def _size(entry: os.DirEntry[str], file: SourceFile, passed: Passed) -> int | None:
    """Return the size of a file that is to be read, None for all else."""
    try:
        is_file = entry.is_file(follow_symlinks=False)
        if entry.name.startswith(".") or not file.format or not is_file:
            passed.add()
            return None
        size = entry.stat(follow_symlinks=False).st_size
    except OSError as error:
        passed.add(f"{file.source} can't be read ({error.strerror})")
        return None
    if size > FILE_BYTES_MAX:
        passed.add(f"{file.source} {_too_large(size)}")
        return None
    return size


def _read(path: Path) -> bytes:
    """Read a regular file, at most one byte over the limit; a pipe or a link raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no longer a file")
        return file.read(FILE_BYTES_MAX + 1)


def _source(source: str, root: Path, path: Path) -> str:
    return shown(os.path.normpath(Path(source) / path.relative_to(root)))


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as text that can be printed and stored, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "replace").replace(os.sep, "/")


def _too_large(size: int) -> str:
    limit = FILE_BYTES_MAX // MEGABYTE
    return f"has {size / MEGABYTE:,.1f} MB, more than the {limit} MB a file of knowledge may have"


def _refuse(named: str, why: str) -> NoReturn:
    raise UsageError(f"the knowledge path {shown(named)!r} {why}")
