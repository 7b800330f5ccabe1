"""Both transports keep the contract of `cluster.transport.port`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from cluster.kernel.envelope import Batch, Envelope, Frame, Goodbye, Hello, Kind
from cluster.kernel.errors import PeerUnavailable, WireError
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.transport.in_memory import MemoryNetwork, MemoryTransport
from cluster.transport.port import Connection, Transport

HELLO = Hello(1, (), "")
MakeTransport = Callable[[], Transport]


@pytest.fixture(params=["memory", "grpc"])
async def make_transport(request: pytest.FixtureRequest) -> AsyncIterator[MakeTransport]:
    network = MemoryNetwork(time.monotonic)
    made: list[Transport] = []

    def make() -> Transport:
        transport: Transport = (
            MemoryTransport(network)
            if request.param == "memory"
            else GrpcTransport("token", "127.0.0.1", time.monotonic)
        )
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await transport.close()


async def echo(connection: Connection) -> None:
    while (frame := await connection.read()) is not None:
        await connection.write(frame)
        if isinstance(frame, Goodbye):
            return


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
    connection = await make_transport().dial(address, 5.0)
    sent = [HELLO, *(batch(number, 1000) for number in range(1, 50))]

    received = []
    for frame in sent:
        await connection.write(frame)
        received.append(await connection.read())

    assert received == sent


async def test_a_large_frame_arrives_whole(make_transport: MakeTransport) -> None:
    address = await make_transport().listen(echo)
    connection = await make_transport().dial(address, 5.0)

    await connection.write(batch(1, 7_000_000))

    assert await connection.read() == batch(1, 7_000_000)


async def test_the_end_of_the_other_side_is_seen(make_transport: MakeTransport) -> None:
    address = await make_transport().listen(echo)
    connection = await make_transport().dial(address, 5.0)
    await connection.write(Goodbye("enough"))
    assert await connection.read() == Goodbye("enough")

    async with asyncio.timeout(5):
        assert await connection.read() is None


async def test_a_listener_that_closes_ends_its_connections(make_transport: MakeTransport) -> None:
    listener = make_transport()
    address = await listener.listen(echo)
    connection = await make_transport().dial(address, 5.0)
    await connection.write(HELLO)
    await connection.read()

    await listener.close()

    async with asyncio.timeout(5):
        try:
            assert await connection.read() is None
        except PeerUnavailable:
            return


async def test_dialling_where_nobody_listens_fails_in_time(make_transport: MakeTransport) -> None:
    listener = make_transport()
    address = await listener.listen(echo)
    await listener.close()

    with pytest.raises(PeerUnavailable):
        await make_transport().dial(address, 0.3)


async def test_writing_to_a_closed_connection_is_refused(make_transport: MakeTransport) -> None:
    address = await make_transport().listen(echo)
    connection = await make_transport().dial(address, 5.0)

    await connection.close()

    with pytest.raises(PeerUnavailable):
        await connection.write(HELLO)


async def test_a_wrong_token_is_refused_with_a_clear_sentence() -> None:
    server = GrpcTransport("right", "127.0.0.1", time.monotonic)
    client = GrpcTransport("wrong", "127.0.0.1", time.monotonic)
    try:
        connection = await client.dial(await server.listen(echo), 5.0)

        with pytest.raises(PeerUnavailable, match="token"):
            await connection.read()
    finally:
        await client.close()
        await server.close()


async def test_bytes_that_are_not_a_frame_end_only_their_own_stream() -> None:
    server = GrpcTransport("token", "127.0.0.1", time.monotonic)
    client = GrpcTransport("token", "127.0.0.1", time.monotonic)
    seen: list[type[BaseException]] = []

    async def serve(connection: Connection) -> None:
        try:
            await echo(connection)
        except WireError as error:
            seen.append(type(error))
            raise

    try:
        address = await server.listen(serve)
        bad = await client.dial(address, 5.0)
        good = await client.dial(address, 5.0)
        await bad._call.write(b"\xff\xff\xff\xff")  # type: ignore[attr-defined]  # noqa: SLF001 - past the codec

        with pytest.raises(PeerUnavailable):
            await bad.read()
        await good.write(HELLO)
        assert await good.read() == HELLO
    finally:
        await client.close()
        await server.close()
    assert seen == [WireError]
