"""A client of many streams at once that takes little of the machine: HTTP and SSE by hand."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_TOKEN = b'"reasoning_content":'
_INSTANT = re.compile(rb'([0-9]+\.[0-9]{6}) "')
_DONE = b"data: [DONE]"
_FRAME_END = b"\n\n"


@dataclass(slots=True)
class Stream:
    """What came of one request."""

    asked_at: float = 0.0
    first_s: float = 0.0
    """Until the first event; 0 where none came."""
    status: int = 0
    tokens: int = 0
    is_done: bool = False
    """It came to its end, as the API has it."""
    added_s: list[float] = field(default_factory=list)
    """Of each token that is an instant: how long it was on its way."""


class _Reading(asyncio.Protocol):
    """Reads one response, event by event."""

    def __init__(self, request: bytes, stream: Stream, *, is_timed: bool) -> None:
        self._request = request
        self._stream = stream
        self._is_timed = is_timed
        self._rest = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._stream.asked_at = time.monotonic()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now, stream = time.monotonic(), self._stream
        whole, end, self._rest = (self._rest + data).rpartition(_FRAME_END)
        if not end:
            return
        if not stream.status:
            stream.status = int(whole[9:12])
        if not stream.first_s and b"data: " in whole:
            stream.first_s = now - stream.asked_at
        stream.tokens += whole.count(_TOKEN)
        if self._is_timed:
            stream.added_s += [now - float(each) for each in _INSTANT.findall(whole)]
        if _DONE in whole:
            stream.is_done = True
            assert self.transport is not None
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


def chat_request(goal: str, *, model: str = "fleetmind", deadline_s: float = 600.0) -> bytes:
    """Return the request of a streamed chat completion."""
    body = {
        "model": model,
        "stream": True,
        "messages": [{"role": "user", "content": goal}],
        "fleetmind": {"deadline_s": deadline_s},
    }
    return _request("POST", "/v1/chat/completions", json.dumps(body).encode())


def plain_request(tokens: int, per_s: float) -> bytes:
    """Return the request of a stream of the plain deployment."""
    return _request("GET", f"/plain?tokens={tokens}&per_s={per_s}", b"")


def _request(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def read_stream(
    port: int, request: bytes, *, is_timed: bool = False, leave_after_s: float | None = None
) -> Stream:
    """Send a request and read what comes, to its end or until it is left."""
    stream = Stream()
    loop = asyncio.get_running_loop()
    transport, reading = await loop.create_connection(
        lambda: _Reading(request, stream, is_timed=is_timed), "127.0.0.1", port
    )
    try:
        async with asyncio.timeout(leave_after_s):
            await reading.over
    except TimeoutError:
        transport.abort()
    return stream


async def read_streams(
    port: int, requests: Sequence[bytes], *, opened_over_s: float = 0.0, is_timed: bool = False
) -> list[Stream]:
    """Send requests evenly over some seconds and read all to their end."""

    async def later(number: int, request: bytes) -> Stream:
        await asyncio.sleep(opened_over_s * number / len(requests))
        return await read_stream(port, request, is_timed=is_timed)

    return list(await asyncio.gather(*(later(*each) for each in enumerate(requests))))
