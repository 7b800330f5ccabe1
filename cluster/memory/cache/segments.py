"""The folder of a namespace's index segments on a node, and when there has to be another one.

Used by `cluster.memory.cache.shelf`. All processes of the node share the folder; who builds holds
its lock, the others find what was built.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.memory.cache.segment_meta import META, BrokenSegment, SegmentMeta
from cluster.user_folders import user_folder

PREFIX = "segment-"


def segments_folder(cache: str, store: str) -> Path:
    """Return the folder of a node's segments of one store; nothing is made.

    Args:
        cache: an absolute path; empty for ``${XDG_CACHE_HOME:-~/.cache}/fleetmind``.
        store: id of the central store; others have other folders.
    """
    folder = Path(cache) if cache else user_folder("XDG_CACHE_HOME", ".cache")
    return folder / f"knowledge-{store}"


def namespace_folder(folder: Path, namespace: str, embedder: str) -> Path:
    """Return the folder of a namespace's segments, as one embedder sees it."""
    name = hashlib.blake2b(f"{namespace}\0{embedder}".encode(), digest_size=12).hexdigest()
    return folder / name


def newest_segment(root: Path) -> Path | None:
    """Return the segment of the highest version in a namespace's folder."""
    return max(root.glob(f"{PREFIX}*"), default=None, key=lambda path: path.name)


def remove_segments(root: Path, kept: Path | None = None) -> None:
    """Remove segments but one; who has mapped one keeps it until they let it go."""
    for old in root.glob(f"{PREFIX}*"):
        if old != kept:
            shutil.rmtree(old, ignore_errors=True)


def left_segments(folder: Path) -> list[tuple[Path, str, int]]:
    """Return the segments on a node: each with its namespace and its version."""
    left = []
    for root in folder.glob("*"):
        path = newest_segment(root)
        if path is None:
            continue
        with suppress(OSError, BrokenSegment):
            meta = SegmentMeta.from_json((path / META).read_text(encoding="utf-8"))
            left.append((path, meta.namespace, meta.version))
    return left


def remove_unused(path: Path) -> None:
    """Remove a segment, unless a process of the node has it open."""
    with suppress(OSError), (path / META).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def build_lock(root: Path) -> Iterator[bool]:
    """Hold the namespace's lock on this node; False where another process holds it.

    Raises:
        OSError: the folder can't be made or written to.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
