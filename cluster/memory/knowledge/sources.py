"""Finds and reads the files that a user offers as knowledge.

Called by `cluster.memory.knowledge.learning`, in a worker thread: everything here blocks. A path
that was named must be good, or the user hears why not; what a folder holds besides knowledge is
left out and counted: `cluster.memory.knowledge.formats` decides on it. Nothing outside of a named
folder is read: links within it are not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.formats import (
    PACKED,
    EntryType,
    FolderEntry,
    choose,
    format_of_content,
    kind_of_format,
)
from cluster.memory.knowledge.omissions import Omission, Omissions

MEGABYTE = 1_000_000
FILE_BYTES_MAX = 20 * MEGABYTE
TOTAL_BYTES_MAX = 2_000 * MEGABYTE
"""Of text together: some three million passages, which take 4 GB of the central store. What holds
them in memory, here and at the agents, grows with them; above this it is a mistake more often than
a wish."""
PACKED_BYTES_MAX = 20_000 * MEGABYTE
"""Of packed files together: most of a PDF is pictures and fonts."""
FILES_MAX = 500_000
"""What is known of a file takes 2 KB while it is learned, for all files at once."""
ENTRIES_MAX = 1_000_000
"""Entries of folders that are looked at: ``/`` is no folder of knowledge."""
NO_TEXT = (
    "holds no text that can be read: name Markdown, reStructuredText, plain text, HTML, source, "
    "PDF, Word, EPUB, notebooks or mail"
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


def find_files(paths: Iterable[str | os.PathLike[str]], omissions: Omissions) -> list[SourceFile]:
    """Return the files to be read, each once, in the order of the paths and then of their names.

    Raises:
        UsageError: a path is no file or folder, can't be read, is too large, or there is too much.
    """
    found: dict[Path, SourceFile] = {}
    totals = {True: 0, False: 0}
    for path in paths:
        named = os.fspath(path)
        for file, size in _below(named, omissions):
            if file.path in found:
                continue
            is_packed = file.format in PACKED
            totals[is_packed] += size
            bytes_max = PACKED_BYTES_MAX if is_packed else TOTAL_BYTES_MAX
            if len(found) == FILES_MAX:
                _refuse(named, f"leads to more than {FILES_MAX:,} files: name smaller folders")
            if totals[is_packed] > bytes_max:
                limit = f"{bytes_max // MEGABYTE:,} MB"
                _refuse(named, f"leads to more than {limit} in all: name smaller folders")
            found[file.path] = file
    return list(found.values())


def check_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Say early what is wrong with the paths; reads named files, and of a folder the first text.

    Raises:
        UsageError: as `find_files` and `read_file`, or a path leads to no text at all.
    """
    unsaid = Omissions()
    for path in paths:
        files = find_files([path], unsaid)
        if not any(read_file(file, unsaid) is not None for file in files):
            _refuse(os.fspath(path), NO_TEXT)
    if len(paths) > 1:
        find_files(paths, unsaid)  # together they may be too much


def read_file(file: SourceFile, omissions: Omissions) -> bytes | None:
    """Return the bytes of a file; None where it is left out.

    Raises:
        UsageError: the user named this file, and it can't be read, is empty, or is no text.
    """
    try:
        data = _read(file.path)
    except OSError as error:
        _leave_out(file, omissions, Omission.UNREADABLE, f"can't be read ({error.strerror})")
        return None
    if len(data) > FILE_BYTES_MAX:
        _leave_out(file, omissions, Omission.TOO_LARGE, _too_large(len(data)))
    elif not data.strip():
        _leave_out(file, omissions, Omission.EMPTY, "is empty")
    elif format_of_content(data, file.format) in PACKED:
        return data
    elif (text := decoded(data)) is None:
        why = "is binary, and of no format that knowledge is read from"
        _leave_out(file, omissions, Omission.BINARY, why)
    elif not text.strip():
        _leave_out(file, omissions, Omission.EMPTY, "is empty")
    else:
        return data
    return None


def refuse_named(file: SourceFile, why: str) -> None:
    """Refuse a file that the user named.

    Raises:
        UsageError: always, unless it was only found in a folder.
    """
    if file.is_named:
        _refuse(file.named, why)


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


def _leave_out(file: SourceFile, omissions: Omissions, omission: Omission, why: str) -> None:
    refuse_named(file, why)
    omissions.add(kind_of_format(file.format), omission, file.source)


def _below(named: str, omissions: Omissions) -> Iterator[tuple[SourceFile, int]]:
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
        yield from _folder(root, named, source, omissions)
        return
    if not stat.S_ISREG(status.st_mode):
        _refuse(named, "is neither a file nor a folder")
    entry = FolderEntry(root.name, status.st_size)
    (choice,) = choose([entry], FILE_BYTES_MAX, is_named=True)
    if not choice.is_read:
        _refuse(named, _too_large(status.st_size))
    yield SourceFile(root, shown(source), choice.format, named, is_named=True), status.st_size


def _folder(
    root: Path, named: str, source: str, omissions: Omissions
) -> Iterator[tuple[SourceFile, int]]:
    """Choose from all that is below a folder."""
    found = list(_walk(root, named, source, omissions))
    choices = choose([entry for _, entry in found], FILE_BYTES_MAX, is_named=False)
    for (path, entry), choice in zip(found, choices, strict=True):
        name = _source(source, root, path)
        if choice.omission is None:
            yield SourceFile(path, name, choice.format, named), entry.size
        else:
            omissions.add(choice.kind, choice.omission, name)


def _walk(
    root: Path, named: str, source: str, omissions: Omissions
) -> Iterator[tuple[Path, FolderEntry]]:
    """List all entries below a folder, but for the folders that are looked into."""
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
            omissions.add("folders", Omission.UNREADABLE, _source(source, root, folder))
            continue
        seen += len(listed)
        if seen > ENTRIES_MAX:
            _refuse(named, f"holds more than {ENTRIES_MAX:,} entries: name smaller folders")
        folders = []
        for each in listed:
            if each.is_dir(follow_symlinks=False) and not _is_foreign(each):
                folders.append(Path(each.path))
            elif (entry := _entry(each)) is not None:
                yield Path(each.path), entry
            else:
                name = _source(source, root, Path(each.path))
                omissions.add("files", Omission.UNREADABLE, name)
        todo.extend(reversed(folders))


def is_foreign_name(name: str) -> bool:
    """Say whether a folder of that name is hidden, made by a tool, or somebody else's code."""
    return name.startswith(".") or name in _FOREIGN_FOLDERS


def _is_foreign(entry: os.DirEntry[str]) -> bool:
    if is_foreign_name(entry.name):
        return True
    try:
        return Path(entry.path, "pyvenv.cfg").exists()
    except OSError:
        return False  # looking into it will say why it can't be read


def _entry(entry: os.DirEntry[str]) -> FolderEntry | None:
    """Return what is known of an entry; None where nothing can be."""
    try:
        if entry.is_symlink():
            return FolderEntry(entry.name, type=EntryType.LINK)
        if entry.is_dir(follow_symlinks=False):
            return FolderEntry(entry.name, type=EntryType.FOLDER)
        if not entry.is_file(follow_symlinks=False):
            return FolderEntry(entry.name, type=EntryType.OTHER)
        return FolderEntry(entry.name, entry.stat(follow_symlinks=False).st_size)
    except OSError:
        return None


def _read(path: Path) -> bytes:
    """Read a regular file, at most one byte over the limit; a pipe or a link raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no longer a file")
        return file.read(FILE_BYTES_MAX + 1)


def _source(source: str, root: Path, path: Path) -> str:
    # Text, not paths: of 100,000 files it is a third of the time of finding them.
    below = os.fspath(path).removeprefix(os.fspath(root)).lstrip(os.sep)
    return shown(below if source == os.curdir else f"{source.rstrip(os.sep)}{os.sep}{below}")


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as text that can be printed and stored, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "replace").replace(os.sep, "/")


def _too_large(size: int) -> str:
    limit = FILE_BYTES_MAX // MEGABYTE
    return f"has {size / MEGABYTE:,.1f} MB, more than the {limit} MB a file of knowledge may have"


def _refuse(named: str, why: str) -> NoReturn:
    raise UsageError(f"the knowledge path {shown(named)!r} {why}")
