"""The port to another host: connections that carry frames, and who makes and accepts them.

Frames are pushed: a connection calls its receiver from the event loop, and a write never waits.
So a frame costs no task and no wake-up beyond what its transport needs. Implementations pass
`tests/conformance/test_transport.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import ClusterError


class Receiver(Protocol):
    """Who takes what a connection brings. Called from the event loop; must not raise.

    Never called from inside a method of the connection, so a receiver may write, or close, from
    within any of these.
    """

    def on_frame(self, frame: Frame) -> None:
        """Take the next frame."""
        ...

    def on_writable(self) -> None:
        """The stream was congested and no longer is."""
        ...

    def on_end(self, error: ClusterError | None) -> None:
        """Nothing follows; called exactly once. None after an orderly end.

        A `WireError` says that the peer sent what can't be read, a `PeerUnavailable` that the
        stream broke.
        """
        ...


class Connection(Protocol):
    """One end of a bidirectional stream of frames. A new one is writable."""

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver; what came before is delivered first. To be called once."""
        ...

    @property
    def is_writable(self) -> bool:
        """Say whether the stream takes a frame now; False only while it is congested."""
        ...

    def write(self, frame: Frame) -> None:
        """Hand a frame to the stream, in order. On a stream that has ended it changes nothing.

        To be called only while `is_writable`, so that what the stream holds is bounded.

        Raises:
            TooLarge: the frame is over the limit; nothing was written.
        """
        ...

    def close(self) -> None:
        """Send what was written, then end the stream; no frame is delivered from now on.

        `on_end` follows within a few seconds. Closing twice changes nothing.
        """
        ...


Accept = Callable[[Connection], None]
"""Called once for each connection somebody else opened; it must `start` it, or `close` it."""


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
