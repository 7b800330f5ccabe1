"""The folder of a namespace's index segments on a node, and when there has to be another one.

Used by `cluster.memory.cache.shelf`. All processes of the node share the folder; who builds holds
its lock, the others find what was built.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

SEGMENT_PASSAGES_MIN = 4_000
"""Up to here everything is searched exactly from memory, in 2 ms."""
DELTA_SHARE_MAX = 0.05
REST_S = 60.0
"""Between two builds for what has come; what has died is not to wait for it."""
FORGOTTEN_S = 5.0
"""So long what has died may stay in a segment before it is built anew."""
FORMAT: Final = 1
PREFIX = "segment-"
META = "segment.json"
"""The file in which a segment says what it is of."""


class BrokenSegment(Exception):
    """A segment's files aren't what was written: it has to be built anew."""


@dataclass(frozen=True, slots=True)
class SegmentMeta:
    """What a segment is of."""

    namespace: str
    version: int
    digest: int
    embedder: str
    dimensions: int
    passages: int
    sources: int
    checks: Mapping[str, tuple[int, int]]
    """Size and CRC-32 of each file."""
    format: int = FORMAT

    def to_json(self) -> str:
        """Return it as its file has it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has written.

        Raises:
            BrokenSegment: it is something else, or of another version.
        """
        try:
            read = json.loads(text)
            if read["format"] != FORMAT:
                raise BrokenSegment("an index segment is of another version of its format")
            read["checks"] = {name: (size, crc) for name, (size, crc) in read["checks"].items()}
            return cls(**read)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BrokenSegment("an index segment doesn't say what it is") from error


@dataclass(frozen=True, slots=True)
class SegmentNeed:
    """What is known of a namespace when it is asked whether it needs a segment."""

    segment_passages: int
    """0 where there is no segment."""
    delta_passages: int
    """Those that are alive."""
    built_at: float
    """When the last build ended, by the clock that ``now`` is of; -inf for never."""
    died_at: float
    """When the first put of the segment died; inf where none has."""
    is_failing: bool = False
    """Whether the last build failed."""

    def is_due(self, now: float) -> bool:
        """Say whether a segment is to be built."""
        has_rested = now - self.built_at >= REST_S
        if now - self.died_at >= FORGOTTEN_S:
            return has_rested or not self.is_failing
        least = max(SEGMENT_PASSAGES_MIN, DELTA_SHARE_MAX * self.segment_passages)
        return self.delta_passages >= least and has_rested


def segments_folder(cache: str, store_url: str) -> Path:
    """Return the folder of a node's segments of one store; nothing is made.

    Args:
        cache: an absolute path; empty for ``${XDG_CACHE_HOME:-~/.cache}/fleetmind``.
        store_url: where the central store is; other stores have other folders.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one is to be ignored, says the XDG base directory specification.
    usual = (named if named.is_absolute() else Path.home() / ".cache") / "fleetmind"
    store = hashlib.blake2b(store_url.encode(), digest_size=8).hexdigest()
    return (Path(cache) if cache else usual) / f"knowledge-{store}"


def newest_segment(root: Path) -> Path | None:
    """Return the segment of the highest version in a namespace's folder."""
    return max(root.glob(f"{PREFIX}*"), default=None, key=lambda path: path.name)


def remove_segments(root: Path, kept: Path | None = None) -> None:
    """Remove segments but one; who has mapped one keeps it until they let it go."""
    for old in root.glob(f"{PREFIX}*"):
        if old != kept:
            shutil.rmtree(old, ignore_errors=True)


def left_segments(folder: Path) -> dict[str, tuple[Path, int]]:
    """Return by namespace the segments on a node: the namespace's folder, and their version."""
    left: dict[str, tuple[Path, int]] = {}
    for root in folder.glob("*"):
        path = newest_segment(root)
        with suppress(OSError, ValueError, KeyError, TypeError):
            meta = json.loads((path / META).read_text(encoding="utf-8")) if path else {}
            left[str(meta["namespace"])] = (root, int(meta["version"]))
    return left


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
