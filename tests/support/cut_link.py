"""A link to a server on loopback that is cut again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PIECE_BYTES = 4096


@asynccontextmanager
async def cutting(port: int, bytes_max: int) -> AsyncIterator[int]:
    """Pass connections on to a port, and cut each after so many bytes of what comes back."""

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, towards = await asyncio.open_connection("127.0.0.1", port)
        sending = asyncio.create_task(_pass(reader, towards, -1))
        try:
            await _pass(behind, writer, bytes_max)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.transport.abort()
            towards.transport.abort()

    async with await asyncio.start_server(passed, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
    with suppress(OSError):
        while left and (
            data := await reader.read(left if 0 < left < _PIECE_BYTES else _PIECE_BYTES)
        ):
            left -= len(data) if left > 0 else 0
            writer.write(data)
            await writer.drain()
