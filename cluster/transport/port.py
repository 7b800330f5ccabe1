"""The port to another host: connections that carry frames, and who makes and accepts them.

Implementations: `grpc_exchange` (real) and `in_memory` (its twin, which passes every frame through
the same codec). Both pass `tests/conformance/transport_contract.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from cluster.kernel.envelope import Frame


class Connection(Protocol):
    """One end of a bidirectional stream of frames. One reader task and one writer task at most."""

    async def read(self) -> Frame | None:
        """Return the next frame, or None after the peer's orderly end.

        Raises:
            PeerUnavailable: the stream broke.
            WireError: the peer sent what can't be read.
        """
        ...

    async def write(self, frame: Frame) -> None:
        """Hand a frame to the stream; waits while the stream is congested.

        Raises:
            PeerUnavailable: the stream is broken or closed.
        """
        ...

    async def close(self) -> None:
        """End the stream; a reader on either side gets None or PeerUnavailable."""
        ...


Accept = Callable[[Connection], Awaitable[None]]
"""Called once for each connection somebody else opened; the connection ends when it returns."""


class Transport(Protocol):
    """Opens and accepts connections, all with the cluster's token."""

    async def listen(self, accept: Accept) -> str:
        """Start accepting; return the address that others dial."""
        ...

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a connection.

        Raises:
            PeerUnavailable: nobody answers there in time, or the token was refused.
        """
        ...

    async def close(self) -> None:
        """Stop accepting and end every connection, within a few seconds."""
        ...
