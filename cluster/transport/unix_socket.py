"""Frames over a unix socket between hosts of one user on one machine.

A message is four bytes of length and a serialised `Frame`. A length of zero only says that the
sender is alive, one of all ones that it ends the stream of its own will. The first message each
way is the cluster's token and its acceptance; both ends ask the kernel whose process the other is
before a byte of the token is sent. Why this exists beside gRPC: docs/adr/0008.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import socket
import struct
from collections.abc import Callable
from typing import cast

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.transport.port import Accept, Connection, Receiver
from cluster.transport.socket_folder import make_socket_path, remove_socket_path
from cluster.wire.codec import FRAME_BYTES_MAX, frame_from_bytes, frame_to_bytes

HEADER = struct.Struct(">I")
TOKEN_BYTES_MAX = 4096
HANDSHAKE_S = 2.0
"""How long a connection may take to show the token."""
CLOSE_S = 1.0
"""How long the end of a connection may take: sending what was written, then the peer's end."""
ALIVE_S = 5.0
"""How often a connection that sends nothing else says that it is alive."""
SILENT_TICKS_MAX = 3
"""After so many times `ALIVE_S` without a byte the peer is taken for dead: a stopped process, say.
No thread answers for a busy event loop as grpc's does, so this is longer than a turn may block."""
BUFFERED_BYTES_MAX = 1024 * 1024
ACCEPTED = b"fleetmind 1"
_END_LENGTH = 0xFFFF_FFFF


class UnixConnection(asyncio.Protocol):
    """One end of a stream: first the handshake, then frames."""

    def __init__(
        self,
        now: Callable[[], float],
        on_shown: Callable[[UnixConnection, bytes], None],
        on_over: Callable[[UnixConnection], None],
        *,
        alive_s: float = ALIVE_S,
    ) -> None:
        self._now = now
        self._alive_s = alive_s
        self._on_shown: Callable[[UnixConnection, bytes], None] | None = on_shown
        """Takes the first message; None after it."""
        self._on_over = on_over
        self._transport: asyncio.Transport
        self._receiver: Receiver | None = None
        self._is_delivering = False
        self._chunks: list[bytes] = []
        """What was received and can't be delivered yet: less than one message."""
        self._chunks_size = 0
        self._message_size = HEADER.size
        """Bytes of the first message in the chunks, as far as that is known."""
        self.is_writable = True
        """The socket keeps up with what is written."""
        self._is_closing = False
        self._has_peer_ended = False
        self._has_written = False
        self._silent_ticks = 0
        self._timer: asyncio.TimerHandle
        self.error: ClusterError | None = None
        self.ended = asyncio.Event()

    # ---- the port --------------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver
        asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        assert self._receiver is not None
        self._is_delivering = True
        if not self._is_closing:
            self._deliver(b"".join(self._chunks))
        if self.ended.is_set():
            self._receiver.on_end(self.error)
        elif not self._is_closing:
            self._transport.resume_reading()

    def write(self, frame: Frame) -> None:
        """Write a frame."""
        self.write_bytes(frame_to_bytes(frame, self._now()))

    def write_bytes(self, data: bytes) -> None:
        """Write what should be the bytes of a frame."""
        if not self._is_closing:
            self._has_written = True
            self._transport.write(HEADER.pack(len(data)) + data)

    def close(self) -> None:
        """Half close and read on to the peer's end: unread bytes would reset the stream for it."""
        if self._is_closing:
            return
        self._is_closing = True
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(CLOSE_S, self._transport.abort)
        self._transport.resume_reading()
        self._transport.write(HEADER.pack(_END_LENGTH))
        self._transport.write_eof()

    # ---- called by the event loop ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the process of another user."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._transport = transport
        transport.set_write_buffer_limits(BUFFERED_BYTES_MAX)
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_S, transport.abort)
        if _user_of(transport) != os.getuid():
            self._fail(PeerUnavailable("the other end is another user's process"))

    def data_received(self, data: bytes) -> None:
        """Deliver each message once it is whole."""
        self._silent_ticks = 0
        if self._is_closing:
            return
        if self._chunks:
            self._chunks.append(data)
            self._chunks_size += len(data)
            if self._chunks_size < self._message_size:
                return
            data = b"".join(self._chunks)
        if self._on_shown is not None:
            self._take_first(self._on_shown, data)
        else:
            self._deliver(data)

    def _take_first(self, on_shown: Callable[[UnixConnection, bytes], None], data: bytes) -> None:
        end = HEADER.size + int.from_bytes(data[: HEADER.size])
        if len(data) < HEADER.size:
            self._keep(data, HEADER.size)
        elif end > HEADER.size + TOKEN_BYTES_MAX:
            self._fail(WireError("the first message is no token"))
        elif len(data) < end:
            self._keep(data, end)
        else:
            self._on_shown = None
            self._transport.pause_reading()
            self._keep(data[end:], HEADER.size)
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(self._alive_s, self._tick)
            on_shown(self, data[HEADER.size : end])

    def _deliver(self, data: bytes) -> None:
        """Hand over the messages in some bytes; a length over the limit is refused at once."""
        assert self._receiver is not None
        at, size, message_size = 0, len(data), HEADER.size
        while size - at >= HEADER.size:
            begin = at + HEADER.size
            length = int.from_bytes(data[at:begin])
            message_size = HEADER.size + length
            if length == _END_LENGTH:
                self._has_peer_ended = True
                return
            if length > FRAME_BYTES_MAX:
                self._fail(WireError(f"the peer announces a frame of {length} bytes"))
                return
            if at + message_size > size:
                break
            at += message_size
            if length:
                try:
                    frame = frame_from_bytes(data[begin:at], self._now())
                except WireError as error:
                    self._fail(error)
                    return
                self._receiver.on_frame(frame)
                if self._is_closing:
                    return
            message_size = HEADER.size
        self._keep(data[at:], message_size)

    def _keep(self, rest: bytes, message_size: int) -> None:
        self._chunks = [rest] if rest else []
        self._chunks_size = len(rest)
        self._message_size = message_size

    def _fail(self, error: ClusterError) -> None:
        self.error = error
        self._is_closing = True
        self._transport.abort()

    def _tick(self) -> None:
        """Say that we are alive, and doubt that the peer is."""
        self._silent_ticks += 1
        if self._silent_ticks > SILENT_TICKS_MAX:
            self._fail(PeerUnavailable("the peer has been silent for too long"))
            return
        if not self._has_written and self.is_writable:
            self._transport.write(HEADER.pack(0))
        self._has_written = False
        self._timer = asyncio.get_running_loop().call_later(self._alive_s, self._tick)

    def pause_writing(self) -> None:
        """The socket does not keep up."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self.is_writable = True
        if self._receiver is not None and not self._is_closing:
            self._receiver.on_writable()

    def eof_received(self) -> None:
        """Follow the peer: what is written is still sent, then the socket closes."""
        if not self._is_closing:
            self._is_closing = True
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(CLOSE_S, self._transport.abort)
            if not self._has_peer_ended:
                self.error = PeerUnavailable("the peer's stream broke off")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the receiver the end."""
        if exc is not None and not self._is_closing:
            self.error = PeerUnavailable(f"the peer's stream broke ({exc})")
        self._is_closing = True
        self.is_writable = True
        self._timer.cancel()
        self.ended.set()
        self._on_over(self)
        if self._receiver is not None and self._is_delivering:
            self._receiver.on_end(self.error)


def _user_of(transport: asyncio.Transport) -> int:
    """Return the user whose process is at the other end, as the kernel knows it."""
    found = transport.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    return int(struct.unpack("3i", found)[1])


class UnixTransport:
    """Opens and accepts connections over a socket in a private folder."""

    def __init__(self, token: str, now: Callable[[], float]) -> None:
        self._token = token.encode()
        self._now = now
        self._accept: Accept | None = None
        self._server: asyncio.Server | None = None
        self._path = ""
        self._open: dict[UnixConnection, None] = {}

    async def listen(self, accept: Accept) -> str:
        """Start accepting; return the socket's path.

        Raises:
            OSError: no socket can be made here.
        """
        self._accept = accept
        self._path = make_socket_path()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._new_accepted, self._path)
        return self._path

    def _new_accepted(self) -> UnixConnection:
        connection = UnixConnection(self._now, self._welcome, self._forget)
        self._open[connection] = None
        return connection

    def _forget(self, connection: UnixConnection) -> None:
        self._open.pop(connection, None)

    def _welcome(self, connection: UnixConnection, shown: bytes) -> None:
        assert self._accept is not None
        if hmac.compare_digest(shown, self._token):
            connection.write_bytes(ACCEPTED)
            self._accept(connection)
        else:
            connection.write_bytes(b"wrong cluster token")
            connection.close()

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Connect to a path and show the token."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        def over(connection: UnixConnection) -> None:
            self._forget(connection)
            if not answer.done():
                answer.set_result(b"")

        connection = UnixConnection(self._now, lambda _, shown: answer.set_result(shown), over)
        try:
            async with asyncio.timeout(timeout_s):
                await loop.create_unix_connection(lambda: connection, address)
        except (OSError, TimeoutError) as error:
            raise PeerUnavailable(f"nobody answers at {address}") from error
        self._open[connection] = None
        connection.write_bytes(self._token)
        try:
            async with asyncio.timeout(timeout_s):
                is_welcome = await answer == ACCEPTED
        except TimeoutError as error:
            connection.close()
            raise PeerUnavailable(f"nobody answers at {address}") from error
        except asyncio.CancelledError:
            connection.close()
            raise
        if not is_welcome:
            connection.close()
            raise connection.error or PeerUnavailable(
                f"the peer at {address} refused the cluster's token"
            )
        return connection

    async def close(self) -> None:
        """Stop accepting, end every connection, remove the socket."""
        if self._server is not None:
            self._server.close()
        connections = list(self._open)
        for connection in connections:
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * CLOSE_S):
                for connection in connections:
                    await connection.ended.wait()
        if self._path:
            remove_socket_path(self._path)
