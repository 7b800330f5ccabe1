"""Every transport keeps the contract of `cluster.transport.port`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from cluster.kernel.envelope import Batch, Envelope, Frame, Goodbye, Hello, Kind
from cluster.kernel.errors import ClusterError, PeerUnavailable, UsageError, WireError
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.transport.grpc_exchange import GrpcConnection, GrpcTransport
from cluster.transport.in_memory import MemoryConnection, MemoryNetwork, MemoryTransport
from cluster.transport.nearest import nearest_transport
from cluster.transport.port import Connection, Transport
from cluster.transport.unix_socket import UnixConnection, UnixTransport

HELLO = Hello(1, (), "")
MakeTransport = Callable[[], Transport]


class Ear:
    """Writes down what a connection brings."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []
        self.errors: list[ClusterError | None] = []
        self.writable_count = 0
        self._news = asyncio.Event()

    @classmethod
    def on(cls, connection: Connection) -> Ear:
        """Start a connection with a new one."""
        ear = cls(connection)
        connection.start(ear)
        return ear

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._news.set()

    def on_writable(self) -> None:
        self.writable_count += 1
        self._news.set()

    def on_end(self, error: ClusterError | None) -> None:
        self.errors.append(error)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():
                await self._news.wait()
                self._news.clear()

    async def next_frame(self) -> Frame:
        await self.until(lambda: bool(self.frames))
        return self.frames.pop(0)

    async def end(self) -> ClusterError | None:
        await self.until(lambda: bool(self.errors))
        return self.errors[0]

    async def write(self, frame: Frame) -> None:
        await self.until(lambda: self.connection.is_writable)
        self.connection.write(frame)


class Echo(Ear):
    """Writes back what comes in, in order and as the stream has room."""

    def on_frame(self, frame: Frame) -> None:
        super().on_frame(frame)
        self.on_writable()

    def on_writable(self) -> None:
        while self.frames and self.connection.is_writable:
            frame = self.frames.pop(0)
            self.connection.write(frame)
            if isinstance(frame, Goodbye):
                self.connection.close()


def echo(connection: Connection) -> None:
    Echo.on(connection)


def make_real(kind: str, token: str) -> Transport:
    """A transport of a kind that leaves the process."""
    match kind:
        case "grpc":
            return GrpcTransport(token, "127.0.0.1", time.monotonic)
        case "unix":
            return UnixTransport(token, time.monotonic)
        case _:
            return nearest_transport(token, "127.0.0.1", time.monotonic)


@pytest.fixture(params=["memory", "grpc", "unix", "nearest"])
async def make_transport(request: pytest.FixtureRequest) -> AsyncIterator[MakeTransport]:
    network = MemoryNetwork(time.monotonic)
    made: list[Transport] = []

    def make() -> Transport:
        kind = request.param
        made.append(MemoryTransport(network) if kind == "memory" else make_real(kind, "right"))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


def batch(number: int, size: int = 10) -> Frame:
    envelope = Envelope(
        EnvelopeId(number.to_bytes(16, "big")),
        AgentId("a-0"),
        AgentId("b-0"),
        Kind.TELL,
        "x",
        bytes(size),
        seq=number,
    )
    return Batch((envelope,))


async def test_frames_arrive_whole_and_in_order(make_transport: MakeTransport) -> None:
    address = await make_transport().listen(echo)
    ear = Ear.on(await make_transport().dial(address, 5.0))
    sent = [HELLO, *(batch(number, 1000) for number in range(1, 200))]

    for frame in sent:
        await ear.write(frame)
    await ear.until(lambda: len(ear.frames) == len(sent))

    assert ear.frames == sent


async def test_a_large_frame_arrives_whole(make_transport: MakeTransport) -> None:
    address = await make_transport().listen(echo)
    ear = Ear.on(await make_transport().dial(address, 5.0))

    ear.connection.write(batch(1, 3_000_000))

    assert await ear.next_frame() == batch(1, 3_000_000)


async def test_what_came_before_the_start_is_delivered_first(make_transport: MakeTransport) -> None:
    accepted: asyncio.Queue[Connection] = asyncio.Queue()
    address = await make_transport().listen(accepted.put_nowait)
    near = Ear.on(await make_transport().dial(address, 5.0))
    near.connection.write(HELLO)
    await near.write(batch(1))

    async with asyncio.timeout(5.0):
        far = Ear.on(await accepted.get())
    await far.until(lambda: len(far.frames) == 2)

    assert far.frames == [HELLO, batch(1)]


async def test_a_stream_that_nobody_reads_becomes_congested_and_recovers(
    make_transport: MakeTransport,
) -> None:
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    address = await make_transport().listen(accepted.set_result)
    near = Ear.on(await make_transport().dial(address, 5.0))
    written = 0
    deadline = asyncio.get_running_loop().time() + 0.5
    while asyncio.get_running_loop().time() < deadline and written < 1000:
        if near.connection.is_writable:
            written += 1
            near.connection.write(batch(written, 500_000))
        await asyncio.sleep(0)
    assert not near.connection.is_writable
    assert written < 1000

    far = Ear.on(await accepted)
    await far.until(lambda: len(far.frames) == written)
    await near.until(lambda: near.connection.is_writable)

    assert near.writable_count > 0


async def test_what_was_written_before_the_close_arrives(make_transport: MakeTransport) -> None:
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    address = await make_transport().listen(accepted.set_result)
    near = Ear.on(await make_transport().dial(address, 5.0))
    near.connection.write(batch(1, 100_000))
    near.connection.close()
    far = Ear.on(await accepted)

    assert await far.end() is None
    assert far.frames == [batch(1, 100_000)]
    assert await near.end() is None


async def test_what_the_accepting_side_wrote_before_its_close_arrives(
    make_transport: MakeTransport,
) -> None:
    address = await make_transport().listen(echo)
    ear = Ear.on(await make_transport().dial(address, 5.0))

    ear.connection.write(Goodbye("enough"))

    assert await ear.end() is None
    assert ear.frames == [Goodbye("enough")]


async def test_the_end_is_told_once(make_transport: MakeTransport) -> None:
    address = await make_transport().listen(echo)
    ear = Ear.on(await make_transport().dial(address, 5.0))

    ear.connection.close()
    ear.connection.close()
    await ear.end()
    ear.connection.write(HELLO)
    ear.connection.close()
    await asyncio.sleep(0.01)

    assert ear.errors == [None]


async def test_a_listener_that_closes_ends_its_connections(make_transport: MakeTransport) -> None:
    listener = make_transport()
    address = await listener.listen(echo)
    ear = Ear.on(await make_transport().dial(address, 5.0))
    ear.connection.write(HELLO)
    await ear.next_frame()

    await listener.close()

    assert isinstance(await ear.end(), PeerUnavailable | None)


async def test_dialling_where_nobody_listens_fails_at_once(make_transport: MakeTransport) -> None:
    listener = make_transport()
    address = await listener.listen(echo)
    await listener.close()

    async with asyncio.timeout(5):
        with pytest.raises(PeerUnavailable):
            await make_transport().dial(address, 60.0)


async def test_bytes_that_are_not_a_frame_end_only_their_own_stream(
    make_transport: MakeTransport,
) -> None:
    ears: list[Ear] = []
    address = await make_transport().listen(lambda connection: ears.append(Echo.on(connection)))
    client = make_transport()
    bad = Ear.on(await client.dial(address, 5.0))
    good = Ear.on(await client.dial(address, 5.0))

    assert isinstance(bad.connection, GrpcConnection | MemoryConnection | UnixConnection)
    bad.connection.write_bytes(b"\xff\xff\xff\xff")
    assert isinstance(await bad.end(), PeerUnavailable)
    assert isinstance(await ears[0].end(), WireError)

    good.connection.write(HELLO)
    assert await good.next_frame() == HELLO


@pytest.mark.parametrize("kind", ["grpc", "unix", "nearest"])
async def test_a_wrong_token_is_refused_with_a_clear_sentence(kind: str) -> None:
    server, client = make_real(kind, "right"), make_real(kind, "wrong")
    accepted: list[Connection] = []
    try:
        address = await server.listen(accepted.append)
        with pytest.raises(PeerUnavailable, match="token"):
            await client.dial(address, 5.0)
        assert not accepted
    finally:
        await client.close()
        await server.close()


async def test_a_host_that_cannot_be_listened_on_is_named_in_our_words() -> None:
    server = GrpcTransport("token", "192.0.2.7", time.monotonic)

    with pytest.raises(UsageError, match=r"the host '192\.0\.2\.7' can't be listened on here"):
        await server.listen(lambda connection: None)
    await server.close()
