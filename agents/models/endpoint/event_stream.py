"""Server-sent events in the bytes of a response: what stands in their data. Pure.

Used by `agents.models.endpoint.stream_reading` alone.
"""

from __future__ import annotations

from collections.abc import Iterator

_END = b"\n\n"
_FIELD = b"data:"


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

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the data of each event that has ended; those without any are passed over."""
        held, block = self._held, self._with_plain_ends(block)
        looked_at = max(0, len(held) - 1)
        held += block
        end = held.rfind(_END, looked_at)
        if end < 0:
            return
        whole = bytes(held[:end])
        del held[: end + len(_END)]
        for event in whole.split(_END):
            if data := _data(event):
                yield data

    def _with_plain_ends(self, block: bytes) -> bytes:
        """Return a block whose lines end in a line feed, whichever end they have."""
        if self._ended_in_return and block:
            block = block.removeprefix(b"\n")
            self._ended_in_return = False
        if b"\r" not in block:
            return block
        self._ended_in_return = block.endswith(b"\r")
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(event: bytes) -> bytes:
    """Return the data of an event, its lines as one text; comments and other fields are not."""
    lines = (event,) if b"\n" not in event else event.split(b"\n")
    return b"\n".join(
        line[len(_FIELD) :].removeprefix(b" ") for line in lines if line.startswith(_FIELD)
    )
