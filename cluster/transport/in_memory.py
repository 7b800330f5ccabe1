"""Transport within one process: the twin of the gRPC one, for tests and in-process clusters.

Frames pass through the real codec as bytes, so that what works here is what the wire carries.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import PeerUnavailable
from cluster.transport.port import Accept, Connection
from cluster.wire.codec import frame_from_bytes, frame_to_bytes

FRAMES_QUEUED_MAX = 64


class MemoryConnection:
    """One end of a pair of bounded queues."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue(FRAMES_QUEUED_MAX)
        self._peer: MemoryConnection | None = None
        self.ended = asyncio.Event()

    @classmethod
    def pair(cls, now: Callable[[], float]) -> tuple[MemoryConnection, MemoryConnection]:
        """Return the two ends of a new connection."""
        one, other = cls(now), cls(now)
        one._peer, other._peer = other, one
        return one, other

    async def read(self) -> Frame | None:
        """Return the next frame; None once either side has closed."""
        if self.inbox.empty():
            if self.ended.is_set():
                return None
            getting = asyncio.ensure_future(self.inbox.get())
            ended = asyncio.ensure_future(self.ended.wait())
            try:
                await asyncio.wait({getting, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    return None
                data = getting.result()
            finally:
                getting.cancel()
                ended.cancel()
        else:
            data = self.inbox.get_nowait()
        return None if data is None else frame_from_bytes(data, self._now())

    async def write(self, frame: Frame) -> None:
        """Queue a frame at the peer; waits while its queue is full."""
        if self.ended.is_set() or self._peer is None:
            raise PeerUnavailable("the connection is closed")
        await self._peer.inbox.put(frame_to_bytes(frame, self._now()))

    async def close(self) -> None:
        """End both directions."""
        self.ended.set()
        if self._peer is not None:
            self._peer.ended.set()


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
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, accept: Accept) -> str:
        """Start accepting under a new address."""
        self._address = f"memory:{next(self._network.numbers)}"
        self._accept = accept
        self._network.listeners[self._address] = self
        return self._address

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a connection; fails at once where nobody listens."""
        listener = self._network.listeners.get(address)
        if listener is None or not listener.is_listening:
            raise PeerUnavailable(f"nobody listens at {address} (waited {timeout_s:g} s)")
        near, far = MemoryConnection.pair(self._network.now)
        self._connections.append(near)
        listener.serve(far)
        return near

    @property
    def is_listening(self) -> bool:
        """Say whether it accepts connections."""
        return self._accept is not None

    def serve(self, connection: MemoryConnection) -> None:
        """Accept the far end of a connection that somebody dialled."""
        assert self._accept is not None
        self._connections.append(connection)
        task = asyncio.ensure_future(self._run(self._accept, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, accept: Accept, connection: MemoryConnection) -> None:
        try:
            await accept(connection)
        finally:
            await connection.close()

    async def close(self) -> None:
        """Stop accepting and end every connection."""
        self._network.listeners.pop(self._address, None)
        for connection in self._connections:
            await connection.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
