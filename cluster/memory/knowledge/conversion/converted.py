"""What the formats' modules give and raise; both ends of the child process know it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cluster.memory.knowledge.omissions import Omission

UNPACKED_BYTES_MAX = 50_000_000
"""Of all that is unpacked from one file."""
TEXT_CHARS_MAX = 10_000_000
"""Of the text of one file."""


@dataclass(frozen=True, slots=True)
class Converted:
    """The text of a file, in a format that `cluster.memory.knowledge.chunking` splits."""

    format: str
    parts: tuple[str, ...]
    """One a page, where it has pages; else one."""
    is_paged: bool = False


class Unconvertible(Exception):
    """A file from which no text can be had."""

    def __init__(self, omission: Omission) -> None:
        super().__init__(omission)
        self.omission = omission


def to_line(outcome: Converted | Omission) -> bytes:
    """Serialise an outcome as one line."""
    if isinstance(outcome, Omission):
        return json.dumps({"omission": outcome.value}).encode() + b"\n"
    made = {"format": outcome.format, "parts": outcome.parts, "is_paged": outcome.is_paged}
    return json.dumps(made, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def from_line(line: bytes) -> Converted:
    """Parse an outcome.

    Raises:
        Unconvertible: the line says so.
        ValueError: it is none.
        KeyError: it is none.
    """
    read = json.loads(line)
    if "omission" in read:
        raise Unconvertible(Omission(read["omission"]))
    parts = tuple(part.replace("\0", "") for part in read["parts"])
    return Converted(read["format"], parts, bool(read["is_paged"]))
