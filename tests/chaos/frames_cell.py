"""Malformed frames against a listening host, while an asker and a teller use it.

Each goes over a stream of its own that has shown the token, on every transport there is; half of
them carry a right checksum, so that what is behind it is reached as well. The host must live, and
the links of the others must not notice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cluster.kernel.clock import SystemClock
from cluster.kernel.envelope import (
    PROTOCOL_VERSION,
    Ack,
    Batch,
    Envelope,
    Frame,
    Goodbye,
    Hello,
    Kind,
    Lane,
    Resident,
)
from cluster.kernel.errors import ClusterError, PeerUnavailable
from cluster.kernel.ids import AgentId, EnvelopeId
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.transport.port import Receiver, Transport
from cluster.transport.unix_socket import UnixTransport
from cluster.wire.codec import FRAME_BYTES_MAX, frame_to_bytes, with_checksum
from tests.chaos.figures import Figures
from tests.chaos.host_process import TOKEN
from tests.chaos.message_cell import ASKS_PER_S, TELLS_PER_S, drain, take_over
from tests.chaos.message_format import SINK
from tests.chaos.message_judge import judge_messages
from tests.chaos.supervisor import ChaosCluster
from tests.chaos.zygote import Zygote

STRANGER = AgentId("stranger-0")
END_S = 3.0
CLOSED_S = 60.0
"""For the end of a stream that was closed, which only a host that hangs does not come to."""
DIAL_S = 5.0
DIALS_MAX = 5
AT_ONCE = 4
_OVERSIZE_SHARE = 0.002
_CHECKSUM_BYTES = 5


class Stream(Protocol):
    """A connection that can be made to carry any bytes."""

    def start(self, receiver: Receiver) -> None: ...

    def write_bytes(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Ended:
    """Waits for the end of a stream."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def on_frame(self, frame: Frame) -> None:
        """Take what the host says; it does not matter."""

    def on_writable(self) -> None:
        """Everything is written at once."""

    def on_end(self, error: ClusterError | None) -> None:
        """The host has ended the stream."""
        self.event.set()


def frames() -> list[bytes]:
    """Return well-formed frames, without their checksums."""
    me = (Resident(STRANGER, 1),)
    envelope = Envelope(EnvelopeId(bytes(16)), STRANGER, SINK, Kind.ASK, "chaos.Message", b"x" * 64)
    envelope.seq, envelope.sender_epoch, envelope.deadline_at = 1, 1, 1.0
    ack = Ack(SINK, 1, STRANGER, 1, Lane.WORK, 7, 300, (3, 5))
    made: list[Frame] = [
        Hello(PROTOCOL_VERSION, me, "127.0.0.1:1", (Resident(SINK, 1),)),
        Batch((envelope, envelope), (ack,)),
        Goodbye("chaos"),
    ]
    return [frame_to_bytes(frame, 0.0)[:-_CHECKSUM_BYTES] for frame in made]


def _noise(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 400))


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 9)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _splice(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + rng.randbytes(rng.randrange(1, 32)) + data[place:]


def _lie_about_length(data: bytes, rng: random.Random) -> bytes:
    return b"\x12" + b"\xff" * rng.randrange(3, 9) + b"\x7f" + data


def _nest(data: bytes, rng: random.Random) -> bytes:
    nested = data
    for _ in range(rng.randrange(2, 150)):
        if len(nested) > 120:
            break
        nested = b"\x0a" + bytes([len(nested)]) + nested
    return nested


def _leave(data: bytes, rng: random.Random) -> bytes:
    return data


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _noise,
    _cut,
    _flip,
    _splice,
    _lie_about_length,
    _nest,
    _leave,
)


def malformed(rng: random.Random) -> bytes:
    """Return a frame that is wrong in itself, or at its place."""
    if rng.random() < _OVERSIZE_SHARE:
        return bytes(FRAME_BYTES_MAX + 1)
    changed = rng.choice(MUTATIONS)(rng.choice(frames()), rng)
    return with_checksum(changed) if rng.random() < 0.5 else changed


async def run_frames_cell(zygote: Zygote, runs: int, seed: int, folder: Path) -> Figures:
    """Send that many malformed frames; the folder is made for the cell."""
    rng = random.Random(seed)
    figures = Figures("malformed frames", seed)
    cluster = ChaosCluster(zygote, folder, rng, lease_s=1.0, has_proxies=False)
    async with cluster:
        await cluster.add(SINK, "sink")
        await cluster.add("asker-0", "asker", rate=ASKS_PER_S // 4)
        await cluster.add("teller-0", "teller", rate=TELLS_PER_S // 4)
        pid = cluster.members[SINK].pid
        far, _, near = (await cluster.ready(SINK))["address"].partition(";")
        targets: list[tuple[Transport, str]] = [
            (GrpcTransport(TOKEN, "127.0.0.1", SystemClock().now), far)
        ]
        if near:
            path = near.partition(";")[2]
            targets.append((UnixTransport(TOKEN, SystemClock().now), path))
        left = iter(range(runs))

        async def attack() -> None:
            for number in left:
                transport, address = targets[number % len(targets)]
                await _one(transport, address, malformed(rng), figures)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(attack())
        for transport, _ in targets:
            await transport.close()
        if not zygote.is_alive(pid):
            figures.ended_by_itself += 1
            figures.note("the host has died of a frame")
        await drain(cluster, figures)
        verdict = judge_messages(folder, cluster.events.read())
        take_over(figures, verdict)
        for end in cluster.unexpected:
            figures.ended_by_itself += 1
            figures.note(end)
    if verdict.redelivered:
        figures.stuck += 1
        figures.note("the links of others were broken: messages had to be sent again")
    return figures


async def _one(transport: Transport, address: str, frame: bytes, figures: Figures) -> None:
    """Send one frame over a new stream, after a hello or as the first thing."""
    connection = await _dialled(transport, address)
    if connection is None:
        figures.stuck += 1
        figures.note("the host could not be dialled")
        return
    ended = Ended()
    connection.start(ended)
    if figures.runs % 2:
        connection.write_bytes(with_checksum(frames()[0]))
    connection.write_bytes(frame)
    connection.write_bytes(frame)
    figures.runs += 1
    try:
        async with asyncio.timeout(END_S if figures.runs % 64 == 0 else 0.05):
            await ended.event.wait()
    except TimeoutError:
        pass  # what was well-formed keeps its stream
    connection.close()
    async with asyncio.timeout(CLOSED_S):
        await ended.event.wait()


async def _dialled(transport: Transport, address: str) -> Stream | None:
    """Open a stream; on a busy machine the handshake may be late, which harms nobody."""
    for _ in range(DIALS_MAX):
        try:
            return await transport.dial(address, DIAL_S)  # type: ignore[return-value]
        except PeerUnavailable:
            continue
    return None
