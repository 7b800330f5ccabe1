"""Finds the files that a user offers as knowledge.

Called by `cluster.memory.knowledge.learning`, in a worker thread: everything here blocks. A path
that was named must be good, or the user hears why not; what a folder holds besides knowledge is
left out and counted: `cluster.memory.knowledge.formats` decides on it. Whatever lies below a named
folder is either found or counted, once, however many paths lead to it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.folders import FolderEntry, Listed, walk
from cluster.memory.knowledge.formats import PACKED, REPEATED_LINKS, choose
from cluster.memory.knowledge.omissions import Omission, Omissions
from cluster.memory.knowledge.path_names import shown, shown_name, stored_name

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

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(?P<number>[0-9]{1,6})")
_STANDARD_INPUT = "/dev/stdin"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that may be knowledge."""

    path: Path
    """Absolute and free of links, but for what can be read only once."""
    source: str
    """The path as it was given, from there downwards, as `stored_name` has it."""
    format: str
    named: str
    """The path that the user named and that led to it."""
    is_named: bool = False
    """Whether that is this very file, not a folder above it."""
    below: str = ""
    """Where it lies below the named folder, by way of the links that lead to it."""

    @property
    def shown_name(self) -> str:
        """What it is called, as it is shown."""
        return shown_name(self.source)


def find_files(paths: Iterable[str | os.PathLike[str]], omissions: Omissions) -> list[SourceFile]:
    """Return the files to be read, each once, in the order of the paths and then of their names.

    Raises:
        UsageError: a path is no file or folder, can't be read, is too large, or there is too much.
    """
    finding = _Finding()
    for path in paths:
        finding.add(os.fspath(path))
    finding.count(omissions)
    return list(finding.files.values())


def refuse(named: str, why: str) -> NoReturn:
    """Refuse a path that the user named.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"the knowledge path '{shown(named)}' {why}")


def refuse_named(file: SourceFile, why: str) -> None:
    """Refuse a file that the user named.

    Raises:
        UsageError: always, unless it was only found in a folder.
    """
    if file.is_named:
        refuse(file.named, why)


def stream_descriptor(path: str | os.PathLike[str]) -> int | None:
    """Return the descriptor of this process that a path stands for, where it can be read only once.

    That is what ``/dev/stdin`` is behind a pipe, and what a shell's ``<(command)`` becomes.
    """
    named = os.path.abspath(path)  # noqa: PTH100 - resolving it would lead to no path
    match = _DESCRIPTOR.fullmatch(named)
    if match is None and named != _STANDARD_INPUT:
        return None
    number = int(match["number"]) if match else 0
    try:
        mode = os.fstat(number).st_mode
        is_stream = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        # A shell's here-document may be a file that has no name any more.
        is_nameless = stat.S_ISREG(mode) and not Path(named).resolve().exists()
    except OSError:
        return None
    return number if is_stream or is_nameless else None


class _Finding:
    """All that some paths lead to."""

    def __init__(self) -> None:
        self.files: dict[Path, SourceFile] = {}
        self.left_out: dict[str, tuple[Path, str, Omission, str]] = {}
        """By where it lies: the file or folder itself, its kind, why, and its name."""
        self._linked: dict[Path, str] = {}
        """Where the links lie that files are read by."""
        self._roots: set[Path] = set()
        """Folders that were named."""
        self._bytes = {True: 0, False: 0}
        """Of packed files, and of others."""

    def add(self, named: str) -> None:
        """Find what one path leads to."""
        if not named:
            raise UsageError("the knowledge path is empty: name a file or a folder")
        source = os.path.normpath(named)
        if stream_descriptor(named) is not None:
            (choice,) = choose([FolderEntry(Path(source).name)], FILE_BYTES_MAX, is_named=True)
            path = Path(source).absolute()
            file = SourceFile(path, stored_name(source), choice.format, named, is_named=True)
            self._take(file, 0)
            return
        try:
            root = Path(named).resolve()
            status = root.stat()
        except FileNotFoundError:
            refuse(named, "doesn't exist")
        except (OSError, ValueError, RuntimeError) as error:
            refuse(named, f"can't be read ({getattr(error, 'strerror', None) or error})")
        if stat.S_ISDIR(status.st_mode):
            self._roots.add(root)
            self._add_folder(root, named, source)
            return
        if not stat.S_ISREG(status.st_mode):
            refuse(named, "is neither a file nor a folder")
        entry = FolderEntry(root.name, status.st_size)
        (choice,) = choose([entry], FILE_BYTES_MAX, is_named=True)
        if not choice.is_read:
            refuse(named, too_large(status.st_size))
        file = SourceFile(root, stored_name(source), choice.format, named, is_named=True)
        self._take(file, status.st_size)

    def count(self, omissions: Omissions) -> None:
        """Count what was left out: each entry of a folder that is neither read nor looked into.

        Of a file that is left out by one name and read by another, it is the name.
        """
        for place, (found, kind, omission, source) in self.left_out.items():
            if found in self._roots:
                continue
            if found not in self.files:
                omissions.add(kind, omission, shown_name(source))
            elif self._linked.get(found, place) != place:
                omissions.add(REPEATED_LINKS, Omission.KIND, shown_name(source))

    def _add_folder(self, root: Path, named: str, source: str) -> None:
        """Choose from all that is below a folder."""
        listed: list[Listed] = []
        try:
            for each in walk(os.fspath(root)):
                listed.append(each)
                if len(listed) > ENTRIES_MAX:
                    refuse(named, f"holds more than {ENTRIES_MAX:,} entries: name smaller folders")
        except OSError as error:
            refuse(named, f"can't be read ({error.strerror})")
        choices = choose([each.entry for each in listed], FILE_BYTES_MAX, is_named=False)
        read: set[str] = set()
        for each, choice in zip(listed, choices, strict=True):
            # Text, not paths: of 100,000 files it is a third of the time of finding them.
            text = each.below if source == os.curdir else os.path.join(source, each.below)  # noqa: PTH118
            name = stored_name(text)
            place = os.path.join(root, each.below)  # noqa: PTH118 - as above
            if each.path in read:
                self.left_out[place] = Path(place), REPEATED_LINKS, Omission.KIND, name
            elif choice.omission is not None:
                path = Path(each.path)
                self.left_out[place] = path, choice.kind, choice.omission, name
            else:
                read.add(each.path)
                path = Path(each.path)
                file = SourceFile(path, name, choice.format, named, below=each.below)
                if each.entry.target and path not in self.files:
                    self._linked[path] = place
                elif each.entry.target and self._linked.get(path) != place:
                    self.left_out[place] = Path(place), REPEATED_LINKS, Omission.KIND, name
                self._take(file, each.entry.size)

    def _take(self, file: SourceFile, size: int) -> None:
        if file.path in self.files:
            return
        is_packed = file.format in PACKED
        self._bytes[is_packed] += size
        bytes_max = PACKED_BYTES_MAX if is_packed else TOTAL_BYTES_MAX
        if len(self.files) == FILES_MAX:
            refuse(file.named, f"leads to more than {FILES_MAX:,} files: name smaller folders")
        if self._bytes[is_packed] > bytes_max:
            limit = f"{bytes_max // MEGABYTE:,} MB"
            refuse(file.named, f"leads to more than {limit} in all: name smaller folders")
        self.files[file.path] = file


def too_large(size: int = 0) -> str:
    """Return what is wrong with a file of so many bytes; 0 where it wasn't read to its end."""
    limit = FILE_BYTES_MAX // MEGABYTE
    told = f"{size / MEGABYTE:,.1f} MB, " if size else ""
    return f"has {told}more than the {limit} MB a file of knowledge may have"
