"""Transport within one process: the twin of the real ones, for tests and in-process clusters.

Frames pass through the real codec as bytes, so that what works here is what the wire carries.
There are no tasks: everything is a callback of the event loop.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.transport.port import Accept, Connection, Receiver
from cluster.wire.codec import frame_from_bytes, frame_to_bytes

FRAMES_QUEUED_MAX = 64


class MemoryConnection:
    """One end of a pair; what its peer writes waits here for the loop to deliver it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.peer = self
        """The other end, once it is paired."""
        self._receiver: Receiver | None = None
        self._inbox: deque[bytes] = deque()
        self._is_delivery_due = False
        self._is_congested = False
        """The peer's inbox was full when we last wrote."""
        self._is_ended = False
        """Nothing more goes into our inbox; what is in it is still delivered."""
        self.is_over = False
        """The receiver has been told the end."""
        self._end_error: ClusterError | None = None

    @classmethod
    def pair(cls, now: Callable[[], float]) -> tuple[MemoryConnection, MemoryConnection]:
        """Return the two ends of a new connection."""
        one, other = cls(now), cls(now)
        one.peer, other.peer = other, one
        return one, other

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver
        self._deliver_soon()

    @property
    def is_writable(self) -> bool:
        """Say whether the peer's inbox has room."""
        return not self._is_congested

    def write(self, frame: Frame) -> None:
        """Queue a frame at the peer."""
        self.write_bytes(frame_to_bytes(frame, self._now()))

    def write_bytes(self, data: bytes) -> None:
        """Queue what should be the bytes of a frame at the peer."""
        if not self._is_ended:
            self._is_congested = self.peer.put(data)

    def close(self) -> None:
        """End both directions; what is under way to the peer still arrives."""
        self._inbox.clear()
        self.end(None)
        self.peer.end(None)

    def put(self, data: bytes) -> bool:
        """Take what the peer writes; return whether the inbox is full now."""
        self._inbox.append(data)
        self._deliver_soon()
        return len(self._inbox) >= FRAMES_QUEUED_MAX

    def relieve(self) -> None:
        """Learn that the peer's inbox has room again."""
        if self._is_congested:
            self._is_congested = False
            if self._receiver is not None:
                self._receiver.on_writable()

    def end(self, error: ClusterError | None) -> None:
        """Take no more; the receiver is told once all that is here has been delivered."""
        if not self._is_ended:
            self._is_ended = True
            self._is_congested = False
            self._end_error = error
            self._deliver_soon()

    def _deliver_soon(self) -> None:
        if not self._is_delivery_due and self._receiver is not None:
            self._is_delivery_due = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        """Hand over what was here when the loop came to it."""
        self._is_delivery_due = False
        assert self._receiver is not None
        for _ in range(len(self._inbox)):
            if not self._inbox:
                break  # the receiver has closed
            try:
                frame = frame_from_bytes(self._inbox.popleft(), self._now())
            except WireError as error:
                self._inbox.clear()
                self.end(error)
                self.peer.end(PeerUnavailable(f"the peer refused a frame: {error}"))
                break
            self._receiver.on_frame(frame)
        self.peer.relieve()
        if self._inbox:
            self._deliver_soon()
        elif self._is_ended and not self.is_over:
            self.is_over = True
            self._receiver.on_end(self._end_error)


class MemoryNetwork:
    """The addresses of one process, and what listens there."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.listeners: dict[str, MemoryTransport] = {}
        self.numbers = itertools.count(1)


class MemoryTransport:
    """Opens and accepts connections on a `MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self._address = ""
        self._accept: Accept | None = None
        self._connections: list[MemoryConnection] = []

    async def listen(self, accept: Accept) -> str:
        """Start accepting under a new address."""
        self._address = f"memory:{next(self._network.numbers)}"
        self._accept = accept
        self._network.listeners[self._address] = self
        return self._address

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a connection; fails at once where nobody listens."""
        listener = self._network.listeners.get(address)
        if listener is None:
            raise PeerUnavailable(f"nobody listens at {address} (waited {timeout_s:g} s)")
        near, far = MemoryConnection.pair(self._network.now)
        self._keep(near)
        listener.serve(far)
        return near

    def serve(self, connection: MemoryConnection) -> None:
        """Accept the far end of a connection that somebody dialled."""
        assert self._accept is not None
        self._keep(connection)
        self._accept(connection)

    def _keep(self, connection: MemoryConnection) -> None:
        self._connections = [c for c in self._connections if not c.is_over]
        self._connections.append(connection)

    async def close(self) -> None:
        """Stop accepting and end every connection."""
        self._network.listeners.pop(self._address, None)
        for connection in self._connections:
            connection.close()
