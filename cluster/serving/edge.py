"""What happens to every request before and after its route: its id, bounds, headers, one log line.

Plain ASGI, so that whoever streams still hears of a disconnect. No line has a prompt or a token.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.serving.problems import (
    REQUEST,
    Problem,
    problem_of_crash,
    problem_response,
    too_many,
)

_log = logging.getLogger(__name__)

REQUEST_ID: Final = "x-request-id"
BODY_WAIT_S: Final = 30.0
"""How long a body may take to arrive."""
PATH_CHARS_MAX: Final = 200
"""Of a path, in the log."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNCOUNTED = frozenset({"/healthz", "/readyz"})
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class RequestEdge:
    """The outermost layer: nothing gets past it without a status and a line in the log."""

    def __init__(self, app: ASGIApp, *, requests_max: int, now: Callable[[], float]) -> None:
        self._app = app
        self._requests_max = requests_max
        self._now = now
        self._requests = 0  # those that are being answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(scope, send)
        began = self._now()
        named = REQUEST.set(answering.request_id)
        try:
            await self._bounded(scope, receive, answering)
        except Exception:  # noqa: BLE001 - the last one who could answer
            _log.exception("request %s crashed", answering.request_id)
            await answering.say(scope, receive, problem_of_crash())
        finally:
            REQUEST.reset(named)
            _log.info(
                "%s %s: %d in %.3f s, request %s",
                scope["method"],
                json.dumps(scope["path"][:PATH_CHARS_MAX]),
                answering.status,
                self._now() - began,
                answering.request_id,
            )

    async def _bounded(self, scope: Scope, receive: Receive, answering: _Answering) -> None:
        if scope["path"] in _UNCOUNTED:
            await self._app(scope, receive, answering)
            return
        if self._requests >= self._requests_max:
            await answering.say(scope, receive, too_many("the server has all requests it may have"))
            return
        self._requests += 1
        try:
            await self._app(scope, receive, answering)
        finally:
            self._requests -= 1


class _Answering:
    """Sends an answer with the headers that all have, and remembers how far it is."""

    def __init__(self, scope: Scope, send: Send) -> None:
        asked = Headers(scope=scope).get(REQUEST_ID, "")
        self.request_id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(12)
        self.status = 0  # 0 until the answer has begun
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def __call__(self, sent: Message) -> None:
        if sent["type"] == "http.response.start":
            self.status = sent["status"]
            headers = MutableHeaders(scope=sent)
            headers[REQUEST_ID] = self.request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(sent)

    async def say(self, scope: Scope, receive: Receive, problem: Problem) -> None:
        """Answer with a problem, unless the answer has begun."""
        if not self.status:
            await problem_response(problem)(scope, receive, self)


class BoundedBody:
    """Reads the whole body before its route is called: bounded in size and in time."""

    def __init__(self, app: ASGIApp, *, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_WAIT_S):
                body = await self._read(Headers(scope=scope), receive)
            if body is None:
                return
            _refuse_what_is_no_text(body)
        except TimeoutError:
            await problem_response(Problem(408, "the body did not arrive in time"))(
                scope, receive, send
            )
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
        else:
            await self._app(scope, _Replayed(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """Return the body; None where whoever sent it has gone."""
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._bytes_max:
            raise self._too_large()
        pieces: list[bytes] = []
        size = 0
        is_more = True
        while is_more:
            received = await receive()
            if received["type"] == "http.disconnect":
                return None
            pieces.append(received.get("body", b""))
            size += len(pieces[-1])
            if size > self._bytes_max:
                raise self._too_large()
            is_more = received.get("more_body", False)
        return b"".join(pieces)

    def _too_large(self) -> Problem:
        return Problem(
            413, f"the body is larger than {self._bytes_max} bytes", code="body_too_large"
        )


class _Replayed:
    """Plays a body that was read, then passes on what else comes: the disconnect."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return message if message is not None else await self._receive()


def _refuse_what_is_no_text(body: bytes) -> None:
    """Refuse halves of surrogate pairs, which JSON can write and UTF-8 can't.

    Raises:
        Problem: there is one.
    """
    if b"\\ud" not in body.lower():
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Problem(400, "a text in the body has half of a surrogate pair") from None
    except (ValueError, RecursionError):
        return  # it is no JSON: its route says so
