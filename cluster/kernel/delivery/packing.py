"""What goes into the next frame of a link: lanes in order, and bodies too large for one in parts.

Each lane of a link is a queue. A body over `PART_BYTES` holds up its own lane and no other: it goes
as parts over several frames, and whatever is queued on a lane before its own goes in between. The
receiving end keeps at most one unfinished body a lane, and both ends forget them with the link:
what isn't done is then sent again, whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cluster.kernel.envelope import Ack, Batch, Envelope, Lane, Part
from cluster.kernel.errors import WireError

PART_BYTES = 1024 * 1024
"""Bytes of bodies in one frame, but for a single envelope that is no larger."""
HEAD_BYTES = 4096
"""What an envelope counts for beside its body, so that few enough go into a frame."""
ENVELOPES_PER_FRAME_MAX = PART_BYTES // HEAD_BYTES


class Packer:
    """The sending end."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[Envelope]] = {lane: deque() for lane in Lane}
        self._gone: dict[Lane, int] = {}
        """By lane: how much of the first body in its queue has gone."""
        self.size = 0
        """Bytes that are here, with `HEAD_BYTES` an envelope: `PART_BYTES` fill the next frame."""

    def add(self, envelopes: Iterable[Envelope]) -> None:
        """Queue envelopes, in order."""
        for envelope in envelopes:
            self._lanes[envelope.lane].append(envelope)
            self.size += len(envelope.body) + HEAD_BYTES

    def pack(self, acks: Sequence[Ack]) -> Batch | None:
        """Return the next frame, None where there is nothing to send."""
        if not self.size:
            return Batch((), tuple(acks)) if acks else None
        envelopes: list[Envelope] = []
        if self.size <= PART_BYTES and not self._gone:
            for queue in self._lanes.values():
                if queue:
                    envelopes += queue
                    queue.clear()
            self.size = 0
            return Batch(tuple(envelopes), tuple(acks))
        parts: list[Part] = []
        room = PART_BYTES
        for lane, queue in self._lanes.items():
            while queue and room > 0:
                size = len(queue[0].body) + HEAD_BYTES
                if lane in self._gone or size - HEAD_BYTES > PART_BYTES:
                    part = self._part(lane, queue, room)
                    parts.append(part)
                    room -= len(part.data)
                elif size <= room or room == PART_BYTES:
                    envelopes.append(queue.popleft())
                    self.size -= size
                    room -= size
                else:
                    room = 0
        return Batch(tuple(envelopes), tuple(acks), tuple(parts))

    def _part(self, lane: Lane, queue: deque[Envelope], room: int) -> Part:
        envelope = queue[0]
        begin = self._gone.get(lane, 0)
        data = envelope.body[begin : begin + room]
        self.size -= len(data)
        if begin + len(data) < len(envelope.body):
            self._gone[lane] = begin + len(data)
            return Part(lane, data)
        queue.popleft()
        self._gone.pop(lane, None)
        self.size -= HEAD_BYTES
        return Part(lane, data, replace(envelope, body=b""))


class Assembler:
    """The receiving end."""

    def __init__(self, body_bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._pieces: dict[Lane, list[bytes]] = {}
        self._sizes: dict[Lane, int] = {}

    def assemble(self, batch: Batch) -> Batch:
        """Keep the parts of a frame; return it with the envelopes that are whole by them.

        Raises:
            WireError: a body is over the limit.
        """
        whole: list[Envelope] = []
        for part in batch.parts:
            size = self._sizes.get(part.lane, 0) + len(part.data)
            if size > self._body_bytes_max:
                raise WireError(f"the peer sent a body of over {self._body_bytes_max} bytes")
            self._sizes[part.lane] = size
            self._pieces.setdefault(part.lane, []).append(part.data)
            if part.envelope is not None:
                del self._sizes[part.lane]
                part.envelope.body = b"".join(self._pieces.pop(part.lane))
                whole.append(part.envelope)
        return Batch((*whole, *batch.envelopes), batch.acks)
