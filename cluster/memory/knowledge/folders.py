"""Lists what lies below a folder: each folder is looked into once, links within it are followed.

Called by `cluster.memory.knowledge.sources`. A link is followed where it leads to a file that is
found without it too; so nothing outside is read, nothing hidden, and no loop is walked twice.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_FOREIGN_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "CVS"})


class EntryType(StrEnum):
    """What an entry of a folder is; a link that is followed is what it leads to."""

    FILE = "file"
    LINK = "link"
    """One whose name is hidden, so that it is not followed."""
    HIDDEN_LINK = "hidden link"
    """It leads to what isn't found without it: something hidden, or in a folder that is."""
    OUTSIDE_LINK = "outside link"
    """It leads out of the folder that was named."""
    BROKEN_LINK = "broken link"
    REPEATED_LINK = "repeated link"
    """It leads to a folder that is found without it, or by another one."""
    FOLDER = "folder"
    """One that is not looked into: hidden, made by a tool, or somebody else's code."""
    OTHER = "other"
    CLOSED_FILE = "closed file"
    """Not even what it is can be told."""
    CLOSED_FOLDER = "closed folder"


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """What is known of a file before it is opened."""

    name: str
    """Without its folders."""
    size: int = 0
    """In bytes."""
    type: EntryType = EntryType.FILE
    target: str = ""
    """What the file is called that a link leads to: `latest` may be a link to `v2.md`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry, and where it lies."""

    path: str
    """Absolute, and free of links but for one that isn't followed."""
    below: str
    """Its path from the folder that was named, by way of the links that lead to it."""
    entry: FolderEntry


def is_foreign_name(name: str) -> bool:
    """Say whether a folder of that name is hidden, made by a tool, or somebody else's code."""
    return name.startswith(".") or name in _FOREIGN_FOLDERS


def is_of_mount(name: str) -> bool:
    """Say whether a folder or link of that name has what Kubernetes mounts, by other names."""
    return name.startswith("..")


def walk(root: str) -> Iterator[Listed]:
    """Yield what lies below a folder, but for the folders that are looked into.

    What a link leads to has the link's name. A file may come twice, and first by its own name.

    Args:
        root: absolute and free of links.

    Raises:
        OSError: the folder itself can't be listed.
    """
    walking = _Walk(root)
    yield from walking.tree(root, "")
    while walking.links:
        yield from walking.follow(*walking.links.popleft())


class _Walk:
    def __init__(self, root: str) -> None:
        self._root = root
        self._looked_into: set[str] = set()
        self.links: deque[tuple[str, str]] = deque()
        """Links that are to be followed, with their names; last, so that real names come first."""

    def tree(self, top: str, below: str) -> Iterator[Listed]:
        todo = [(top, below)]
        while todo:
            folder, name = todo.pop()
            if folder in self._looked_into:
                continue
            try:
                with os.scandir(folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError:
                if folder == self._root:
                    raise
                base = os.path.basename(name)  # noqa: PTH119 - text, as all names here
                yield Listed(folder, name, FolderEntry(base, type=EntryType.CLOSED_FOLDER))
                continue
            self._looked_into.add(folder)
            folders = []
            for each in listed:
                place = os.path.join(name, each.name)  # noqa: PTH118 - of 100,000 files a second
                entry = _entry(each)
                if entry.type is EntryType.LINK and not each.name.startswith("."):
                    self.links.append((each.path, place))
                elif entry.type is EntryType.FOLDER and not _is_foreign(each.path, each.name):
                    folders.append((each.path, place))
                else:
                    yield Listed(each.path, place, entry)
            todo.extend(reversed(folders))

    def follow(self, link: str, below: str) -> Iterator[Listed]:
        name = os.path.basename(below)  # noqa: PTH119 - text, as all names here
        target, entry = self._target(link, name)
        if entry.type is EntryType.FOLDER and not _is_foreign(target, name):
            yield from self.tree(target, below)
            return
        yield Listed(target, below, entry)

    def _target(self, link: str, name: str) -> tuple[str, FolderEntry]:
        """Return what a link leads to; the link itself where that isn't to be read."""
        try:
            target = os.path.realpath(link, strict=True)
            status = os.stat(target)  # noqa: PTH116 - text, as all names here
        except OSError as error:
            is_closed = isinstance(error, PermissionError)
            why = EntryType.CLOSED_FILE if is_closed else EntryType.BROKEN_LINK
            return link, FolderEntry(name, type=why)
        kind = self._type_of(target, status.st_mode)
        if kind is EntryType.FOLDER:
            return target, FolderEntry(name, type=kind)
        if kind is not EntryType.FILE:
            return link, FolderEntry(name, type=kind)
        called = os.path.basename(target)  # noqa: PTH119 - text, as all names here
        return target, FolderEntry(name, status.st_size, target=called)

    def _type_of(self, target: str, mode: int) -> EntryType:
        """Return what the target of a link is."""
        if target in self._looked_into:
            return EntryType.REPEATED_LINK
        if not target.startswith(f"{self._root.rstrip(os.sep)}{os.sep}"):
            return EntryType.OUTSIDE_LINK
        is_folder = stat.S_ISDIR(mode)
        if not (is_folder or stat.S_ISREG(mode)):
            return EntryType.OTHER
        if self._is_hidden(target, is_folder=is_folder):
            return EntryType.HIDDEN_LINK
        return EntryType.FOLDER if is_folder else EntryType.FILE

    def _is_hidden(self, target: str, *, is_folder: bool) -> bool:
        """Say whether something below the root isn't found but for a link to it.

        What Kubernetes mounts (a ConfigMap, a Secret) is found so only, and is none the less shown.
        """
        folder, name = os.path.split(target)
        if not is_folder and name.startswith("."):
            return True
        passed_over = [name] if is_folder else []
        while folder not in self._looked_into:
            folder, name = os.path.split(folder)
            passed_over.append(name)
        if not passed_over:
            return False
        *inner, top = passed_over
        return not is_of_mount(top) or any(map(is_foreign_name, inner))


def _entry(entry: os.DirEntry[str]) -> FolderEntry:
    try:
        if entry.is_symlink():
            return FolderEntry(entry.name, type=EntryType.LINK)
        if entry.is_dir(follow_symlinks=False):
            return FolderEntry(entry.name, type=EntryType.FOLDER)
        if not entry.is_file(follow_symlinks=False):
            return FolderEntry(entry.name, type=EntryType.OTHER)
        return FolderEntry(entry.name, entry.stat(follow_symlinks=False).st_size)
    except OSError:
        return FolderEntry(entry.name, type=EntryType.CLOSED_FILE)


def _is_foreign(folder: str, name: str) -> bool:
    if is_foreign_name(name):
        return True
    try:
        return Path(folder, "pyvenv.cfg").exists()
    except OSError:
        return False  # looking into it will say why it can't be read
