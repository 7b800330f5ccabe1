"""One link: a connection with a reader and a writer task of its own.

The writer sends all that is queued as one frame and waits for nothing; the reader never waits for
the writer (grpc#36950: one loop that does both starves).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cluster.kernel.envelope import PROTOCOL_VERSION, Ack, Batch, Envelope, Goodbye, Hello
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.kernel.ids import AgentId
from cluster.kernel.peer import Peer
from cluster.transport.port import Connection
from cluster.wire.codec import ENVELOPES_PER_FRAME_MAX

HELLO_TIMEOUT_S = 5.0
ACK_DELAY_S = 0.01
"""How long an ack may wait for envelopes to travel with; a frame of its own costs a round trip's
CPU at both ends, and nothing but memory depends on it."""
FRAME_BODY_BYTES_SOFT_MAX = 4 * 1024 * 1024


async def exchange_hellos(connection: Connection, ours: Hello) -> Hello:
    """Send our hello and return the peer's.

    Raises:
        PeerUnavailable: none came in time, or the stream broke.
        WireError: something else came first, or a version we don't speak.
    """
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            await connection.write(ours)
            theirs = await connection.read()
    except TimeoutError as error:
        raise PeerUnavailable("the peer did not say hello in time") from error
    if theirs is None:
        raise PeerUnavailable("the peer ended the stream before its hello")
    if not isinstance(theirs, Hello):
        raise WireError("the peer's first frame was not a hello")
    if theirs.version != PROTOCOL_VERSION:
        raise WireError(
            f"the peer speaks version {theirs.version} of the protocol, we speak {PROTOCOL_VERSION}"
        )
    return theirs


class Link:
    """A connection after both hellos, and the peers reached over it."""

    def __init__(self, connection: Connection, on_batch: Callable[[Link, Batch], None]) -> None:
        self._connection = connection
        self._on_batch = on_batch
        self._wake = asyncio.Event()
        self._ack_timer: asyncio.TimerHandle | None = None
        self._is_ending = False
        self.peers: dict[AgentId, Peer] = {}
        """Agents that live at the other end."""
        self.sends_to: dict[AgentId, Peer] = {}
        """Those of them for whom this is the link we send on."""
        self.end_reason = ""
        self.is_peer_leaving = False
        """The other side has said goodbye: its host is stopping."""

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def wake_soon(self) -> None:
        """There is an ack: send it with the next envelopes, or alone in a little while."""
        if self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(ACK_DELAY_S, self._ack_due)

    def _ack_due(self) -> None:
        self._ack_timer = None
        self._wake.set()

    async def run(self) -> None:
        """Read and write until either end closes the link. Raises nothing but CancelledError."""
        writer = asyncio.ensure_future(self._write())
        reader = asyncio.ensure_future(self._read())
        try:
            done, _ = await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is not None and not isinstance(error, ClusterError):
                    raise error
                self.end_reason = str(error) if error else self.end_reason
        finally:
            if self._ack_timer is not None:
                self._ack_timer.cancel()
            for task in (writer, reader):
                task.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
            await self._connection.close()

    async def _read(self) -> None:
        while (frame := await self._connection.read()) is not None:
            match frame:
                case Batch():
                    self._on_batch(self, frame)
                case Goodbye(reason):
                    self.end_reason = reason
                    self.is_peer_leaving = True
                    return
                case Hello():
                    raise WireError("the peer said hello twice")

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._gather():
                await self._connection.write(batch)
            if self._is_ending:
                await self._connection.write(Goodbye(self.end_reason))
                return

    def _gather(self) -> Batch | None:
        """Return what is queued for the peers of this link, in one frame within its limits."""
        envelopes: list[Envelope] = []
        acks: list[Ack] = []
        size = 0
        for peer in list(self.sends_to.values()):
            while len(envelopes) < ENVELOPES_PER_FRAME_MAX and size < FRAME_BODY_BYTES_SOFT_MAX:
                taken = peer.take(min(64, ENVELOPES_PER_FRAME_MAX - len(envelopes)))
                if not taken:
                    break
                envelopes += taken
                size += sum(len(envelope.body) for envelope in taken)
            acks += peer.take_acks()
        return Batch(tuple(envelopes), tuple(acks)) if envelopes or acks else None

    def end(self, reason: str) -> None:
        """Send what is queued, say goodbye, and let `run` return."""
        self.end_reason = reason
        self._is_ending = True
        self._wake.set()
