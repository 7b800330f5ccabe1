"""Server-sent events in the bytes of a response: what stands in their data. Pure.

Used by `agents.models.endpoint.stream_reading` alone. As the standard says (HTML, section 9.2.6),
and beyond it what is safe to read: an event that ends with the stream, a bare JSON object where a
field should stand, and the field ``error`` of older llama.cpp servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_END = b"\n\n"
_FIELD = b"data:"
_ERROR = b"error"


class StreamEvent(NamedTuple):
    """What an event says."""

    data: bytes
    """Its lines of data, joined by line feeds; never blank."""
    is_error: bool = False
    """Whether it is named as one."""


class EventStream:
    """Takes a body block by block; takes time of the block, however much has come before."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._ended_in_return = False
        """A line feed that comes next belongs to the line's end before it."""

    @property
    def held(self) -> int:
        """Bytes of the event whose end has not come."""
        return len(self._held)

    def feed(self, block: bytes) -> Iterator[StreamEvent]:
        """Yield each event that has ended; those without any data are passed over."""
        held, block = self._held, self._with_plain_ends(block)
        looked_at = max(0, len(held) - 1)
        held += block
        end = held.rfind(_END, looked_at)
        if end < 0:
            return
        whole = bytes(held[:end])
        del held[: end + len(_END)]
        for lines in whole.split(_END):
            if event := _event(lines):
                yield event

    def close(self) -> StreamEvent | None:
        """Return the event that ends with the stream, without the blank line it should have."""
        rest = bytes(self._held)
        self._held.clear()
        return _event(rest)

    def _with_plain_ends(self, block: bytes) -> bytes:
        """Return a block whose lines end in a line feed, whichever end they have."""
        if self._ended_in_return and block:
            block = block.removeprefix(b"\n")
            self._ended_in_return = False
        if b"\r" not in block:
            return block
        self._ended_in_return = block.endswith(b"\r")
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _event(lines: bytes) -> StreamEvent | None:
    """Return what an event says; None where it has no data, as one that only keeps alive."""
    data: list[bytes] = []
    is_error = False
    for line in lines.split(b"\n"):
        if line.startswith(_FIELD):
            data.append(line[len(_FIELD) :].removeprefix(b" "))
        elif line.startswith(b"{"):
            data.append(line)
        elif line.startswith(_ERROR + b":"):
            data.append(line[len(_ERROR) + 1 :].removeprefix(b" "))
            is_error = True
        elif line.startswith(b"event:"):
            is_error |= line[len(b"event:") :].strip() == _ERROR
    joined = b"\n".join(data) if len(data) > 1 else b"".join(data)
    return StreamEvent(joined, is_error) if joined.strip() else None
