"""The Exchange stream of `protos/v1/exchange.proto` over grpc.aio.

The only file that imports grpc. Frames are (de)serialised by `cluster.wire.codec` on plain bytes,
so that size limits are checked before parsing and a bad frame ends the link with a clear error
instead of a failure inside grpc. What is done here about bugs of grpc.aio that are open or come
back:

- grpc#43360 leaks at each cancelled RPC: one long stream a pair of hosts, which is ended by half
  closing it; cancelled only where the peer doesn't follow.
- grpc#38499 leaks where streams are asked for on a broken connection: the channel is ready first.
- grpc#25449 leaks with interceptors on streams: the token goes as plain metadata.
- grpc#36950 starves other tasks where one loop reads and writes: a task for each.
- grpc#25364: one event loop and one stack a process, no loop in a thread.
- grpc#37239: `server.stop` waits for open streams, so we end ours first, and it has a time limit.
- grpc#36066, #31570: a write that races with the peer's end fails as INTERNAL or leaves the stack
  in an odd state: whatever a write raises only means "gone"; the reader says why.
- grpc#25327, #28989: generators in handlers hang clients: reads and writes are explicit.
- grpc#21348: a finished write may not be on the wire: credit and receipts are ours (kernel).
- grpc#16210: keepalive is set on both ends together, otherwise GOAWAY too_many_pings.
- GOAWAY of any other reason ends the stream; the next link sends again what wasn't done.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import grpc

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import ClusterError, PeerUnavailable, UsageError, WireError
from cluster.kernel.loopback import is_loopback
from cluster.transport.port import Accept, Connection, Receiver
from cluster.wire.codec import FRAME_BYTES_MAX, frame_from_bytes, frame_to_bytes

METHOD = "/fleetmind.v1.Exchange/Open"
STOP_GRACE_S = 0.5
CLOSE_S = 1.0
"""How long the end of a stream may take: sending what was written, then the peer's end."""

_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    # A link that is cut without a word is noticed within a lease of 5 s.
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
_SERVER_OPTIONS: list[tuple[str, int]] = [
    *_OPTIONS,
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
]
_CLIENT_OPTIONS: list[tuple[str, int]] = [
    *_OPTIONS,
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]
_NO_PROXY = (("grpc.enable_http_proxy", 0),)
_WELCOME = ("fleetmind", "1")
"""Initial metadata of an accepted stream, which the dialling side waits for."""
_BROKEN = (grpc.RpcError, grpc.aio.UsageError, asyncio.InvalidStateError)


class _Stream(Protocol):
    """What the two ends of a grpc.aio stream have in common."""

    async def read(self) -> Any: ...

    async def write(self, message: bytes) -> None: ...


class GrpcConnection:
    """One end of a stream: a reading task, a writing task, and one frame that waits for grpc."""

    def __init__(
        self,
        stream: _Stream,
        now: Callable[[], float],
        half_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._stream = stream
        self._now = now
        self._half_close = half_close
        self._receiver: Receiver | None = None
        self._started = asyncio.Event()
        self._waiting: bytes | None = None
        """The frame grpc has not taken yet."""
        self._wake = asyncio.Event()
        self._is_closing = False
        self._is_over = False
        self._running: list[asyncio.Task[None]] = []
        self._closing_timer: asyncio.TimerHandle | None = None
        self.error: ClusterError | None = None

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver
        self._started.set()

    @property
    def is_writable(self) -> bool:
        """Say whether grpc has taken the last frame."""
        return self._waiting is None

    def write(self, frame: Frame) -> None:
        """Leave a frame for the writing task."""
        self.write_bytes(frame_to_bytes(frame, self._now()))

    def write_bytes(self, data: bytes) -> None:
        """Leave what should be the bytes of a frame for the writing task."""
        if not self._is_closing and not self._is_over:
            self._waiting = data
            self._wake.set()

    def close(self) -> None:
        """Let the writing task end the stream."""
        if self._is_closing or self._is_over:
            return
        self._is_closing = True
        self._started.set()
        self._wake.set()
        self._closing_timer = asyncio.get_running_loop().call_later(CLOSE_S, self._cut)

    def _cut(self) -> None:
        for running in self._running:
            running.cancel()

    async def run(self) -> None:
        """Serve the stream until either side ends it or it breaks; then tell the receiver."""
        reading = asyncio.ensure_future(self._read())
        writing = asyncio.ensure_future(self._write())
        self._running = [reading, writing]
        try:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() and (self._half_close is not None or not self._is_closing):
                await asyncio.wait((reading,), timeout=CLOSE_S)
        finally:
            self._is_over = True
            self._waiting = None
            self._cut()
            if self._closing_timer is not None:
                self._closing_timer.cancel()
            try:
                await asyncio.gather(*self._running, return_exceptions=True)
            finally:  # grpc cancels a handler whose stream has gone, at any moment
                if self._receiver is not None:
                    self._receiver.on_end(None if self._is_closing else self.error)

    async def _read(self) -> None:
        self.error = PeerUnavailable("the stream was cut")
        await self._started.wait()
        try:
            while (data := await self._stream.read()) is not grpc.aio.EOF:
                if not self._is_closing:
                    assert self._receiver is not None
                    self._receiver.on_frame(frame_from_bytes(data, self._now()))
        except WireError as error:
            self.error = error
        except _BROKEN as error:
            self.error = PeerUnavailable(_reason(error))
        else:
            self.error = None

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._write_waiting()
                if self._is_closing:
                    break
            if self._half_close is not None:
                await self._half_close()
        except _BROKEN:
            return  # the reading task learns why

    async def _write_waiting(self) -> None:
        while (data := self._waiting) is not None:
            await self._stream.write(data)
            self._waiting = None
            if self._receiver is not None and not self._is_closing:
                self._receiver.on_writable()


def _reason(error: BaseException) -> str:
    code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
    return f"the peer's stream broke ({code.name if code else type(error).__name__})"


class GrpcTransport:
    """Opens and accepts Exchange streams; every stream carries the cluster's token.

    ``server_options`` are added to ours, such as a limit on the age of connections.
    """

    def __init__(
        self,
        token: str,
        listen_host: str,
        now: Callable[[], float],
        *,
        server_options: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._server_options = (*_SERVER_OPTIONS, *server_options)
        self._token = token
        self._listen_host = listen_host
        self._now = now
        self._server: grpc.aio.Server | None = None
        self._accept: Accept | None = None
        self._open: dict[GrpcConnection, asyncio.Event] = {}
        """Every connection until it has ended, and the event that says that it has."""
        self._running: set[asyncio.Task[None]] = set()

    async def listen(self, accept: Accept) -> str:
        """Start the server on a free port; return host:port.

        Raises:
            UsageError: the host is no address of this machine.
        """
        self._accept = accept
        server = grpc.aio.server(options=self._server_options)
        handler: Any = grpc.stream_stream_rpc_method_handler(self._serve)
        service, _, method = METHOD[1:].partition("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        try:
            port = server.add_insecure_port(f"{self._listen_host}:0")
        except RuntimeError as error:
            raise UsageError(
                f"the host {self._listen_host!r} can't be listened on here: --host, or "
                "network.host, has to be an address of each machine that agents are placed on"
            ) from error
        await server.start()
        self._server = server
        return f"{self._listen_host}:{port}"

    async def _serve(self, _: AsyncIterator[bytes], context: Any) -> None:
        """Serve one stream until either side ends it."""
        sent = dict(context.invocation_metadata() or ()).get("authorization", "")
        if not hmac.compare_digest(str(sent).encode(), f"Bearer {self._token}".encode()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong cluster token")
        await context.send_initial_metadata((_WELCOME,))
        assert self._accept is not None
        connection = GrpcConnection(context, self._now)
        ended = self._open[connection] = asyncio.Event()
        try:
            self._accept(connection)
            await connection.run()
        finally:
            del self._open[connection]
            ended.set()
        if isinstance(connection.error, WireError):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(connection.error))

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a stream; fails at once where the port is closed."""
        is_near = is_loopback(address.rpartition(":")[0])
        options = (*_CLIENT_OPTIONS, *(_NO_PROXY if is_near else ()))
        channel = grpc.aio.insecure_channel(address, options=options)
        try:
            async with asyncio.timeout(timeout_s):
                await _ready(channel, address)
                call: Any = channel.stream_stream(METHOD)(
                    metadata=(("authorization", f"Bearer {self._token}"),)
                )
                if _WELCOME not in tuple(await call.initial_metadata() or ()):
                    raise PeerUnavailable(await _refusal(call, address))
        except TimeoutError as error:
            await channel.close()
            raise PeerUnavailable(f"nobody answers at {address}") from error
        except BaseException:
            await channel.close()
            raise
        connection = GrpcConnection(call, self._now, call.done_writing)
        self._open[connection] = asyncio.Event()
        running = asyncio.ensure_future(self._run_dialled(connection, channel))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return connection

    async def _run_dialled(self, connection: GrpcConnection, channel: grpc.aio.Channel) -> None:
        try:
            await connection.run()
        finally:
            self._open.pop(connection).set()
            await channel.close()

    async def close(self) -> None:
        """End every stream of ours first: `server.stop` waits for open ones."""
        for connection in list(self._open):
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * CLOSE_S):
                for ended in list(self._open.values()):
                    await ended.wait()
        if self._server is not None:
            await self._server.stop(STOP_GRACE_S)
            await self._server.wait_for_termination(STOP_GRACE_S)
        await asyncio.gather(*self._running, return_exceptions=True)


async def _ready(channel: grpc.aio.Channel, address: str) -> None:
    """Wait until a channel is connected; a refusal is an answer, not worth another try here."""
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            raise PeerUnavailable(f"nobody answers at {address}")
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)


async def _refusal(call: Any, address: str) -> str:
    code = await call.code()
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return f"the peer at {address} refused the cluster's token"
    return f"the peer at {address} did not open a stream ({code.name})"
