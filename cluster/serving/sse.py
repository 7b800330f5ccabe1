"""Server-sent events: how one is written, and the response that sends them as they come.

Every event is written by itself; those that come within 5 ms of each other leave as one message of
ASGI. Where a proxy stands before the application, each message costs it about as much as a request:
so it is the number of messages that decides how many streams there can be.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Final, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

HOLD_S: Final = 0.005
"""How long an event may be held for others to go with it."""
KEEP_ALIVE_S: Final = 15.0
BUFFER_BYTES_MAX: Final = 1_000_000
"""Of what whoever reads has not taken yet; beyond, nothing more is read for them."""
CATCH_UP_S: Final = 5.0
"""How long they may take for it; then the stream is closed. A burst alone closes none."""
SEND_WAIT_S: Final = 30.0
"""How long whoever reads may take nothing at all."""
_KEEP_ALIVE: Final = b": keep-alive\n\n"
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def one_line(data: object) -> str:
    """Return data as JSON without a line break, as short as it goes."""
    return _JSON.encode(data)


def framed(text: str) -> bytes:
    """Return one event whose data is JSON already, on one line."""
    return f"data: {_whole(text)}\n\n".encode()


def frame(data: object, *, event: str = "", cursor: str = "") -> bytes:
    """Return one event: its data as JSON, its name, and what Last-Event-ID will say."""
    text = one_line(data)
    named = f"event: {event}\n" if event else ""
    placed = f"id: {cursor}\n" if cursor else ""
    return f"{placed}{named}data: {_whole(text)}\n\n".encode()


def _whole(text: str) -> str:
    """Return JSON without what ends a line for Unicode, and for clients that read with it."""
    if text.isascii():
        return text
    for end in "\x85\u2028\u2029":
        text = text.replace(end, f"\\u{ord(end):04x}")
    return text


class Gone(Exception):
    """Whoever has sent a request waits for its answer no longer."""


async def while_there(
    receive: Receive,
    work: Coroutine[object, object, _Result],
    undo: Callable[[_Result], Awaitable[None]] | None = None,
) -> _Result:
    """Await the result of work as long as whoever asked for it is there.

    Looks by itself: not every server cancels what nobody waits for any more.

    Args:
        receive: of the request, whose body was read.
        work: what is awaited.
        undo: what is done with a result that nobody gets, where this is cancelled just when it is
            there.

    Raises:
        Gone: they have left, and the work was cancelled.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        await _end(watching)
    except BaseException:
        await _end(working, watching)
        if undo is not None and not working.cancelled() and working.exception() is None:
            await undo(working.result())
        raise
    return working.result()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(*futures: asyncio.Future[_Result] | asyncio.Future[None]) -> None:
    for each in futures:
        each.cancel()
    await asyncio.gather(*futures, return_exceptions=True)


class TooSlow(Exception):
    """Whoever reads a stream doesn't keep up with it."""


class EventStream(Response):
    """Sends events as they come, until they end, whoever reads has gone, or reads too slowly.

    Args:
        frames: events, as `frame` writes them; closed at the end.
        leave: called once at the end, however that came.
        headers: beside the usual ones.
        may_wait: what is read is kept where it comes from, so that reading may wait for whoever
            reads too slowly.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        leave: Callable[[], Awaitable[None]],
        headers: dict[str, str] | None = None,
        *,
        may_wait: bool = False,
    ) -> None:
        super().__init__(headers={"x-accel-buffering": "no", **(headers or {})})
        del self.headers["content-length"]  # nobody knows it
        self._frames = frames
        self._leave = leave
        self._may_wait = may_wait
        self._room = asyncio.Event()  # set whenever all that waited was taken
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._news = asyncio.Event()  # set while something waits, or all has been read
        self._is_read = False  # no more is coming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send them."""
        reading = asyncio.ensure_future(self._read())
        watching = asyncio.ensure_future(_disconnect(receive))
        sending = asyncio.ensure_future(self._send(send))
        until: set[asyncio.Future[None]] = {sending, watching, reading}
        try:
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and reading.exception() is None:
                until.discard(reading)
                await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            _tell_of(reading, sending)
        finally:
            try:  # a server may cancel us once more, just now
                await _end(sending, watching, reading)
            finally:
                await self._leave()

    async def _read(self) -> None:
        async with aclosing(self._frames) as frames:
            async for each in frames:
                self._put(each)
                if self._waiting_bytes > BUFFER_BYTES_MAX:
                    await self._make_room()
        self._is_read = True
        self._news.set()

    async def _make_room(self) -> None:
        self._room.clear()
        try:
            async with asyncio.timeout(None if self._may_wait else CATCH_UP_S):
                await self._room.wait()
        except TimeoutError:
            left = self._waiting_bytes
            raise TooSlow(f"its reader has left {left} bytes unread for {CATCH_UP_S:g} s") from None

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        now = asyncio.get_running_loop().time
        sent_at = now() - HOLD_S
        while self._waiting or not self._is_read:
            await self._wait()
            hold_s = sent_at + HOLD_S - now()
            if hold_s > 0 and not self._is_read:
                await asyncio.sleep(hold_s)
            async with asyncio.timeout(SEND_WAIT_S):
                await send({"type": "http.response.body", "body": self._taken(), "more_body": True})
            sent_at = now()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(self) -> None:
        """Wait until there is something to send: a comment, where nothing else has come."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self._news.wait()
        except TimeoutError:
            self._put(_KEEP_ALIVE)

    def _put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._news.set()

    def _taken(self) -> bytes:
        body = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._room.set()
        if not self._is_read:
            self._news.clear()
        return body


def _tell_of(*futures: asyncio.Future[None]) -> None:
    """Log why a stream was cut; what was done is over by then, and whoever reads sees the cut."""
    for each in futures:
        error = each.exception() if each.done() and not each.cancelled() else None
        if isinstance(error, TooSlow | TimeoutError | OSError):
            _log.info("a stream was closed: %s", str(error) or "its reader takes nothing")
        elif error is not None:
            _log.error("a stream crashed", exc_info=error)
