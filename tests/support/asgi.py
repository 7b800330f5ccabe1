"""A reader of an ASGI application that reads as it likes, and leaves when it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from starlette.types import ASGIApp, Message

WAIT_S = 10.0


class Reader:
    """One request, and what is sent for it; `leave` is its end as a server tells it."""

    def __init__(self, app: ASGIApp, method: str, path: str, body: object = None) -> None:
        self._app = app
        path, _, query = path.partition("?")
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent = b"" if body is None else json.dumps(body).encode()
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": sent, "more_body": False})
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self.may_send = asyncio.Event()  # a server lets `send` wait for a reader that is slow
        self.may_send.set()
        self.writes: list[bytes] = []

    def with_headers(self, headers: Mapping[str, str]) -> Reader:
        """Add headers."""
        raw = self._scope["headers"]
        assert isinstance(raw, list)
        raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return self

    async def run(self) -> None:
        """Let the application answer."""
        await self._app(self._scope, self._inbox.get, self._send)

    def leave(self) -> None:
        """Go away."""
        self._inbox.put_nowait({"type": "http.disconnect"})

    async def read(self, until: bytes) -> bytes:
        """Return what was sent since the last call, to the end of the piece that has a text."""
        found = b""
        async with asyncio.timeout(WAIT_S):
            while until not in found:
                message = await self._outbox.get()
                found += message.get("body", b"")
        return found

    async def _send(self, message: Message) -> None:
        await self.may_send.wait()
        if message.get("body"):
            self.writes.append(message["body"])
        self._outbox.put_nowait(message)


@asynccontextmanager
async def reading(reader: Reader) -> AsyncIterator[asyncio.Task[None]]:
    """Let the application answer for as long as the context lasts, and longer if it goes on."""
    answering = asyncio.create_task(reader.run())
    try:
        yield answering
        reader.leave()
        async with asyncio.timeout(WAIT_S):
            await answering
    finally:
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(answering, return_exceptions=True)
