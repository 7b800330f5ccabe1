"""`ChaosProxy`: a TCP proxy on this machine that does to a link what networks do.

It sits before a host's port or before Redis; those who dial don't know. Directions are seen from
those who dial: ``up`` leads to the server, ``down`` back.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self

Direction = Literal["up", "down"]
BOTH: tuple[Direction, ...] = ("up", "down")

_BLOCK = 65536
_DIAL_S = 2.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Way:
    """What happens to the bytes of one direction, on all connections."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._is_open = asyncio.Event()
        self.heal()

    def heal(self) -> None:
        """Let everything through again."""
        self.delay_s = (0.0, 0.0)
        self.bytes_per_s = 0.0
        self.corrupt_share = 0.0
        self.corrupted = 0
        self._is_open.set()

    def stall(self) -> None:
        """Let nothing through: the kernels at both ends still say that all is well."""
        self._is_open.clear()

    async def shape(self, data: bytes) -> bytes:
        """Hold a block up, and change it, as this direction does at the moment."""
        if self.delay_s[1]:
            await asyncio.sleep(self._rng.uniform(*self.delay_s))
        if self.bytes_per_s:
            await asyncio.sleep(len(data) / self.bytes_per_s)
        await self._is_open.wait()
        if data and self.corrupt_share and self._rng.random() < self.corrupt_share:
            self.corrupted += 1
            changed = bytearray(data)
            changed[self._rng.randrange(len(data))] ^= 1 << self._rng.randrange(8)
            return bytes(changed)
        return data


class ChaosProxy:
    """Passes bytes between those who dial it and a server whose address may change."""

    def __init__(self, upstream: Callable[[], tuple[str, int]], rng: random.Random) -> None:
        self._upstream = upstream
        self._ways = {direction: Way(rng) for direction in BOTH}
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}
        self.accepted = 0
        """Connections that were opened through the proxy."""
        self.port = 0

    async def start(self) -> Self:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """End every connection and stop listening."""
        self.heal()
        if self._server is not None:
            self._server.close()
        for task in list(self._pairs):
            task.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    # ---- faults ----------------------------------------------------------------------------

    def heal(self) -> None:
        """Undo all faults that last."""
        for way in self._ways.values():
            way.heal()

    def stall(self, *directions: Direction) -> None:
        """Let nothing through any longer; new connections are accepted and as silent."""
        for direction in directions:
            self._ways[direction].stall()

    def delay(self, low_s: float, high_s: float) -> None:
        """Hold each block up for a while."""
        for way in self._ways.values():
            way.delay_s = (low_s, high_s)

    def throttle(self, bytes_per_s: float) -> None:
        """Bound what passes in a second."""
        for way in self._ways.values():
            way.bytes_per_s = bytes_per_s

    def corrupt(self, share: float, *directions: Direction) -> None:
        """Flip one bit of that share of the blocks."""
        for direction in directions:
            self._ways[direction].corrupt_share = share

    @property
    def corrupted(self) -> int:
        """How many bits were flipped since the last healing."""
        return sum(way.corrupted for way in self._ways.values())

    def reset(self) -> None:
        """Break every connection with a RST to both sides."""
        for writers in self._pairs.values():
            for writer in writers:
                _linger_none(writer)
                writer.transport.abort()

    def finish(self) -> None:
        """End every connection with a FIN to both sides."""
        for writers in self._pairs.values():
            for writer in writers:
                writer.close()

    def half_close(self, direction: Direction) -> None:
        """Say on every connection that this direction has ended; the other one stays open."""
        for writers in self._pairs.values():
            if len(writers) == len(BOTH):
                writer = writers[1 if direction == "up" else 0]
                with suppress(OSError, RuntimeError):
                    writer.write_eof()

    # ---- passing on ------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._pairs[task] = (writer,)
        try:
            async with asyncio.timeout(_DIAL_S):
                host, port = self._upstream()
                far_reader, far_writer = await asyncio.open_connection(host, port)
            self._pairs[task] = (writer, far_writer)
            await asyncio.gather(
                self._pump(reader, far_writer, self._ways["up"]),
                self._pump(far_reader, writer, self._ways["down"]),
            )
        except (OSError, TimeoutError):
            _linger_none(writer)
        except asyncio.CancelledError:
            return  # only `close` cancels; a server's task that ends cancelled is logged as a fault
        finally:
            for each in self._pairs.pop(task):
                each.transport.abort()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        with suppress(RuntimeError):  # this way was closed meanwhile: its bytes have no reader
            while data := await reader.read(_BLOCK):
                writer.write(await way.shape(data))
                await writer.drain()
            await way.shape(b"")
            writer.write_eof()


def _linger_none(writer: asyncio.StreamWriter) -> None:
    """Have the close of a connection be a RST."""
    connection = writer.get_extra_info("socket")
    if connection is None:
        return
    with suppress(OSError, ValueError):  # it has been closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
