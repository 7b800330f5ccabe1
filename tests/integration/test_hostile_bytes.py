"""Whoever sends what is no frame ends his own stream and nobody else's."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import time
from typing import Any

import grpc
import pytest

from cluster.kernel.envelope import Batch, Envelope, Frame, Kind
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.transport.grpc_exchange import METHOD, GrpcConnection, GrpcTransport
from cluster.transport.port import Connection, Transport
from cluster.transport.unix_socket import UnixConnection, UnixTransport
from cluster.wire.codec import FRAME_BYTES_MAX, frame_to_bytes

TOKEN = "token"
GOOD = Batch(
    (Envelope(EnvelopeId(bytes(16)), AgentId("a-0"), AgentId("b-0"), Kind.TELL, "x", b"y", seq=1),)
)


class Echo:
    """Writes back what comes in."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.ended: asyncio.Future[ClusterError | None] = asyncio.get_running_loop().create_future()
        connection.start(self)

    def on_frame(self, frame: Frame) -> None:
        self.frames.put_nowait(frame)
        self.connection.write(frame)

    def on_writable(self) -> None:
        pass

    def on_end(self, error: ClusterError | None) -> None:
        self.ended.set_result(error)


def echo(connection: Connection) -> None:
    Echo(connection)


class Ear(Echo):
    """Only listens."""

    def on_frame(self, frame: Frame) -> None:
        self.frames.put_nowait(frame)


def malformed(rng: random.Random) -> bytes:
    """A frame with some of its bytes changed, or cut, or nothing but noise; never an empty one."""
    data = bytearray(frame_to_bytes(GOOD, 0.0))
    match rng.randrange(3):
        case 0:
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[rng.randrange(1, len(data)) :]
        case _:
            data[:] = rng.randbytes(rng.randint(1, 300))
    return bytes(data)


@pytest.mark.parametrize(
    ("server", "client", "frames_left"),
    [
        (UnixTransport(TOKEN, time.monotonic), UnixTransport(TOKEN, time.monotonic), 10_000),
        (
            GrpcTransport(TOKEN, "127.0.0.1", time.monotonic),
            GrpcTransport(TOKEN, "127.0.0.1", time.monotonic),
            1000,
        ),
    ],
    ids=["unix", "grpc"],
)
async def test_a_malformed_frame_ends_its_own_stream_alone(
    server: Transport, client: Transport, frames_left: int
) -> None:
    """What a change of a few bits leaves readable is echoed; the rest ends a stream each."""
    rng = random.Random(8)
    streams_ended = 0
    address = await server.listen(echo)
    good = Ear(await client.dial(address, 60.0))
    while frames_left:
        bad = Ear(await client.dial(address, 60.0))
        assert isinstance(bad.connection, UnixConnection | GrpcConnection)
        while frames_left and not bad.ended.done():
            if bad.connection.is_writable:
                bad.connection.write_bytes(malformed(rng))
                frames_left -= 1
            await asyncio.sleep(0)
            if frames_left % 100 == 0:
                bad.connection.close()
                await bad.ended
        streams_ended += 1
        if streams_ended % 50 == 0:
            good.connection.write(GOOD)
            async with asyncio.timeout(60):
                assert await good.frames.get() == GOOD

    is_good_open = not good.ended.done()
    await client.close()
    await server.close()
    assert is_good_open
    assert streams_ended >= 50  # the more frames are under way when one ends a stream, the fewer


async def test_a_length_of_two_gigabytes_is_refused_at_once() -> None:
    server = UnixTransport(TOKEN, time.monotonic)
    address = await server.listen(echo)
    reader, writer = await asyncio.open_unix_connection(address)
    try:
        writer.write(struct.pack(">I", len(TOKEN)) + TOKEN.encode())
        await reader.readexactly(15)
        writer.write(struct.pack(">I", 2**31) + bytes(1000))

        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):  # what followed was not even read
                assert await reader.read() == b""
    finally:
        writer.close()
        await server.close()


async def test_a_message_over_grpcs_limit_is_refused_by_grpc() -> None:
    server = GrpcTransport(TOKEN, "127.0.0.1", time.monotonic)
    address = await server.listen(echo)
    try:
        async with grpc.aio.insecure_channel(address) as channel, asyncio.timeout(60):
            metadata = (("authorization", f"Bearer {TOKEN}"),)
            call: Any = channel.stream_stream(METHOD)(metadata=metadata)
            await call.initial_metadata()
            await call.write(bytes(FRAME_BYTES_MAX + 1))

            assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        await server.close()
