"""What a segment says that it is of, and how that is known to be true.

Written by `cluster.memory.cache.building`, read by whoever opens a segment or looks for one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self
from zlib import crc32

_READ_BYTES = 1 << 24

FORMAT: Final = 1
RECORDS: Final = "records.bin"
"""The file with the texts."""
UNFINISHED: Final = "unfinished-"
"""What a folder's name begins with until it is a segment as a whole."""
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
    blanked: tuple[int, ...] = ()
    """Versions of puts whose texts were taken out, since they are dead."""

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
            read["blanked"] = tuple(read.get("blanked", ()))
            return cls(**read)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BrokenSegment("an index segment doesn't say what it is") from error


def checked(path: Path) -> tuple[int, int]:
    """Return size and CRC-32 of a file."""
    size = crc = 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            size += len(block)
            crc = crc32(block, crc)
    return size, crc


def sync(paths: Iterable[Path]) -> None:
    """Have the disk keep files and folders."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
