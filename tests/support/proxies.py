"""Proxies on loopback, in the test's own event loop: SOCKS 5 and HTTP CONNECT."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_GRANTED = b"\x05\x00\x00\x01" + bytes(6)
SOCKS_UNREACHABLE = b"\x05\x04\x00\x01" + bytes(6)


@dataclass(slots=True)
class LoopbackProxy:
    """Leads to one port of this machine, whatever place it is asked for."""

    port: int
    refusal: bytes = b""
    """What it answers in place of a connection: of an HTTP proxy the status and its words."""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """The places that were asked for, as they were named."""

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        length = (await reader.readexactly(1))[0] if kind == 3 else 4
        host = await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{host.decode() if kind == 3 else socket.inet_ntoa(host)}:{port}")
        if self.refusal:
            writer.write(self.refusal)
            return
        writer.write(_GRANTED)
        await self._through(reader, writer)

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ")[1].decode())
        if self.refusal:
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % self.refusal)
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self._through(reader, writer)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, to_writer))
                both.create_task(_pass_on(to_reader, writer))
        finally:
            to_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def a_proxy(scheme: str, port: int, refusal: bytes = b"") -> AsyncIterator[LoopbackProxy]:
    """Serve a proxy while the block runs."""
    proxy = LoopbackProxy(port, refusal)
    serve = proxy.socks if scheme.startswith("socks") else proxy.http

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    proxy.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
