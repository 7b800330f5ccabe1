"""The Exchange stream of `protos/v1/exchange.proto` over grpc.aio.

The only file that imports grpc. Frames are (de)serialised by `cluster.wire.codec` on plain bytes,
so that size limits are checked before parsing and a bad frame ends the link with a clear error
instead of a failure inside grpc. No client interceptors (grpc#25449 leaks on streams); keepalive is
set on both ends together (grpc#16210: otherwise GOAWAY too_many_pings); one event loop, one stack
per process (grpc#25364). A write that races with the peer's end may fail as INTERNAL (grpc#36066):
every RPC error on an open link just means that the link is gone.
"""

from __future__ import annotations

import asyncio
import hmac
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import PeerUnavailable, WireError
from cluster.transport.port import Accept, Connection
from cluster.wire.codec import FRAME_BYTES_MAX, frame_from_bytes, frame_to_bytes

METHOD = "/fleetmind.v1.Exchange/Open"
STOP_GRACE_S = 0.5

_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
_SERVER_OPTIONS: list[tuple[str, int]] = [
    *_OPTIONS,
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
]
_CLIENT_OPTIONS: list[tuple[str, int]] = [
    *_OPTIONS,
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


class ServerConnection:
    """The accepting end of a stream."""

    def __init__(self, context: Any, now: Callable[[], float]) -> None:
        self._context = context
        self._now = now
        self._is_closed = False

    async def read(self) -> Frame | None:
        """Return the next frame, None at the end."""
        try:
            data = await self._context.read()
        except (grpc.RpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise PeerUnavailable("the peer's stream broke") from error
        return None if data is grpc.aio.EOF else frame_from_bytes(data, self._now())

    async def write(self, frame: Frame) -> None:
        """Send a frame."""
        if self._is_closed:
            raise PeerUnavailable("the connection is closed")
        try:
            await self._context.write(frame_to_bytes(frame, self._now()))
        except (grpc.RpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise PeerUnavailable("the peer's stream broke") from error

    async def close(self) -> None:
        """Refuse further writes; the stream ends when its handler returns."""
        self._is_closed = True


class ClientConnection:
    """The dialling end of a stream, with the channel it owns."""

    def __init__(self, channel: grpc.aio.Channel, call: Any, now: Callable[[], float]) -> None:
        self._channel = channel
        self._call = call
        self._now = now
        self._is_closed = False

    async def read(self) -> Frame | None:
        """Return the next frame, None at the end."""
        try:
            data = await self._call.read()
        except grpc.RpcError as error:
            raise PeerUnavailable(_reason(error)) from error
        except asyncio.CancelledError:
            if self._is_closed:
                return None
            raise
        return None if data is grpc.aio.EOF else frame_from_bytes(data, self._now())

    async def write(self, frame: Frame) -> None:
        """Send a frame."""
        if self._is_closed:
            raise PeerUnavailable("the connection is closed")
        try:
            await self._call.write(frame_to_bytes(frame, self._now()))
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            raise PeerUnavailable(_reason(error)) from error

    async def close(self) -> None:
        """End the stream and give the channel back."""
        if self._is_closed:
            return
        self._is_closed = True
        self._call.cancel()
        await self._channel.close()


def _reason(error: BaseException) -> str:
    code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return "the peer refused the cluster's token"
    return f"the peer's stream broke ({code.name if code else type(error).__name__})"


class GrpcTransport:
    """Opens and accepts Exchange streams; every stream carries the cluster's token."""

    def __init__(self, token: str, listen_host: str, now: Callable[[], float]) -> None:
        self._token = token
        self._listen_host = listen_host
        self._now = now
        self._server: grpc.aio.Server | None = None
        self._accept: Accept | None = None
        self._dialled: weakref.WeakSet[ClientConnection] = weakref.WeakSet()

    async def listen(self, accept: Accept) -> str:
        """Start the server on a free port; return host:port."""
        self._accept = accept
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        handler: Any = grpc.stream_stream_rpc_method_handler(self._open)
        service, _, method = METHOD[1:].partition("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        port = server.add_insecure_port(f"{self._listen_host}:0")
        await server.start()
        self._server = server
        return f"{self._listen_host}:{port}"

    async def _open(self, _: AsyncIterator[bytes], context: Any) -> None:
        """Serve one stream until either side ends it."""
        sent = dict(context.invocation_metadata() or ()).get("authorization", "")
        if not hmac.compare_digest(str(sent).encode(), f"Bearer {self._token}".encode()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong cluster token")
        assert self._accept is not None
        try:
            await self._accept(ServerConnection(context, self._now))
        except WireError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a stream; waits for the channel first, so that no call piles up (grpc#38499)."""
        channel = grpc.aio.insecure_channel(address, options=_CLIENT_OPTIONS)
        try:
            async with asyncio.timeout(timeout_s):
                await channel.channel_ready()
        except TimeoutError as error:
            await channel.close()
            raise PeerUnavailable(f"nobody answers at {address}") from error
        except asyncio.CancelledError:
            await channel.close()
            raise
        call: Any = channel.stream_stream(METHOD)(
            metadata=(("authorization", f"Bearer {self._token}"),)
        )
        connection = ClientConnection(channel, call, self._now)
        self._dialled.add(connection)
        return connection

    async def close(self) -> None:
        """End every stream of ours first: `server.stop` waits for open ones (grpc#37239)."""
        for connection in list(self._dialled):
            await connection.close()
        if self._server is not None:
            await self._server.stop(STOP_GRACE_S)
            await self._server.wait_for_termination(STOP_GRACE_S)
