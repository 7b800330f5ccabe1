"""Bytes that are no good request, over real connections: each gets its 4xx, and starts nothing.

What reaches the application has OpenAI's error shape; what is no HTTP at all, the server refuses by
itself, in plain text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from cluster.kernel.events import Answered
from cluster.kernel.vocabulary import Answer
from cluster.serving.ports import Caller
from tests.support.fake_desk import FakeDesk, FakeGate, app_of
from tests.support.http_server import served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

BODY_BYTES_MAX = 150_000
WAIT_S = 20.0
TASKS, CHAT = "/v1/tasks", "/v1/chat/completions"


class Desk(FakeDesk):
    """One that outlives the event loops of single tests."""

    async def aclose(self) -> None:
        await super().aclose()
        self._played.clear()
        self.orders.clear()


@dataclass
class Server:
    """The application behind uvicorn on loopback, and the desk behind it."""

    port: int
    desk: FakeDesk


@pytest.fixture(scope="module")
def application() -> tuple[FastAPI, FakeDesk]:
    """One for all: building it takes longer than answering."""
    desk = Desk([Answered(Answer("done"))])
    gate = FakeGate({"good": Caller("alice", frozenset({"ask", "learn"}))})
    return app_of(desk, gate, body_bytes_max=BODY_BYTES_MAX), desk


@pytest.fixture
async def server(application: tuple[FastAPI, FakeDesk]) -> AsyncIterator[Server]:
    app, desk = application
    async with served(app) as url:
        yield Server(urlsplit(url).port or 0, desk)
    await desk.aclose()


class Reply(NamedTuple):
    """The first answer of a connection."""

    status: int
    headers: str
    body: bytes


async def sent(server: Server, data: bytes) -> Reply:
    """What some bytes get; the connection is closed when that is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(WAIT_S):
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status = int(head.split(" ", 2)[1])
            lengths = [
                line for line in head.lower().splitlines() if line.startswith("content-length")
            ]
            size = int(lengths[0].partition(":")[2]) if lengths else 0
            body = await reader.readexactly(size) if size else await reader.read(65_536)
            return Reply(status, head.lower(), body)
    finally:
        writer.close()


def request(
    method: str = "POST",
    path: str = TASKS,
    body: bytes = b"",
    *headers: bytes,
    token: bytes = b"Authorization: Bearer good",
) -> bytes:
    """A request with a body and its length, as JSON and with a good token unless told otherwise."""
    lines = [
        f"{method} {path} HTTP/1.1".encode("latin-1"),
        b"Host: 127.0.0.1",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *filter(None, [token]),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def bare(*lines: bytes, body: bytes = b"") -> bytes:
    """A request of these lines and no others."""
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    """A request to begin a task whose body comes in chunks, without the last one."""
    head = bare(
        b"POST /v1/tasks HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Content-Type: application/json",
        b"Authorization: Bearer good",
        b"Transfer-Encoding: chunked",
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks)


GOOD = b'{"goal": "why?"}'
BAD: dict[str, tuple[bytes, int]] = {
    "truncated JSON": (request(body=b'{"goal": "wh'), 400),
    "no JSON": (request(body=b"why?"), 400),
    "an empty body": (request(body=b""), 400),
    "a list": (request(body=b"[]"), 400),
    "null": (request(body=b"null"), 400),
    "a text": (request(body=b'"why?"'), 400),
    "two values": (request(body=GOOD + GOOD), 400),
    "a key twice": (request(body=b'{"goal": "a", "goal": "b"}'), 400),
    "an unknown key": (request(body=b'{"goal": "a", "gaol": "b"}'), 400),
    "a goal that is a number": (request(body=b'{"goal": 1}'), 400),
    "a goal that is empty": (request(body=b'{"goal": ""}'), 400),
    "a goal that is too long": (request(body=b'{"goal": "%s"}' % (b"x" * 100_001)), 400),
    "no number": (request(body=b'{"goal": "a", "deadline_s": NaN}'), 400),
    "a number beyond all": (request(body=b'{"goal": "a", "deadline_s": 1e999}'), 400),
    "a number of many digits": (
        request(body=b'{"goal": "a", "tokens_max": %s}' % (b"9" * 10_000)),
        400,
    ),
    "bad UTF-8": (request(body=b'{"goal": "\xc3\x28"}'), 400),
    "half of a surrogate pair": (request(body=b'{"goal": "\\udc00"}'), 400),
    "deep lists": (request(body=b"[" * 40_000), 400),
    "deep objects": (request(body=b'{"a":' * 8_000), 400),
    "another kind of content": (
        bare(
            b"POST /v1/tasks HTTP/1.1",
            b"Host: 127.0.0.1",
            b"Content-Type: text/plain",
            b"Authorization: Bearer good",
            b"Content-Length: %d" % len(GOOD),
            body=GOOD,
        ),
        400,
    ),
    "a declared body that is too large": (
        bare(
            b"POST /v1/tasks HTTP/1.1",
            b"Host: 127.0.0.1",
            b"Content-Type: application/json",
            b"Authorization: Bearer good",
            b"Content-Length: 100000000000",
        ),
        413,
    ),
    "a body that is too large": (request(body=b" " * (BODY_BYTES_MAX + 1)), 413),
    "chunks that are too large together": (chunked(*[b" " * 10_000] * 16), 413),
    "no token": (request(body=GOOD, token=b""), 401),
    "a wrong token": (request(body=GOOD, token=b"Authorization: Bearer bad"), 401),
    "another scheme": (request(body=GOOD, token=b"Authorization: Basic Z29vZDo="), 401),
    "a token that is empty": (request(body=GOOD, token=b"Authorization: Bearer "), 401),
    "a token that is not ASCII": (
        request(body=GOOD, token=b"Authorization: Bearer g\xf6\xf6d"),
        401,
    ),
    "a token that is very long": (
        request(body=GOOD, token=b"Authorization: Bearer " + b"x" * 7_000),
        401,
    ),
    "a token twice": (
        request(
            "POST", TASKS, GOOD, b"Authorization: Bearer good", token=b"Authorization: Bearer bad"
        ),
        401,
    ),
    "an unknown path": (request("GET", "/v1/nothing"), 404),
    "a path with a slash too many": (request("GET", "/v1/tasks/"), 404),
    "a path that leads out": (request("GET", "/v1/tasks/../../etc/passwd"), 404),
    "a path that is not ASCII": (request("GET", "/v1/tasks/%ff%fe"), 404),
    "a task that is none": (request("GET", "/v1/tasks/00000000000000000000000000000000"), 404),
    "an unusual method": (request("PATCH", TASKS, GOOD), 405),
    "a method that the path hasn't": (request("PUT", TASKS, GOOD), 405),
    "a cursor of a list that is none": (request("GET", "/v1/tasks?after=1.2"), 400),
    "a limit that is none": (request("GET", "/v1/tasks?limit=many"), 400),
    "a limit that is too high": (request("GET", "/v1/tasks?limit=1000000"), 400),
    "a status that is none": (request("GET", "/v1/tasks?status=sleeping"), 400),
    "a namespace that is a path": (
        request("POST", "/v1/namespaces/..%2fetc/documents", b'{"source": "a", "text": "b"}'),
        404,
    ),
    "a source with a line break": (
        request("POST", "/v1/namespaces/a/documents", b'{"source": "a\\nb", "text": "b"}'),
        400,
    ),
    "a key with a blank": (request("POST", TASKS, GOOD, b"Idempotency-Key: a b"), 400),
    "an unknown model": (
        request(
            "POST", CHAT, b'{"model": "gpt-4", "messages": [{"role": "user", "content": "a"}]}'
        ),
        404,
    ),
}
BY_THE_SERVER: dict[str, bytes] = {
    "a method that nobody has": request("BREW", TASKS),
    "no HTTP": b"why?\r\n\r\n",
    "a length that is none": bare(
        b"POST /v1/tasks HTTP/1.1", b"Host: 127.0.0.1", b"Content-Length: many", body=GOOD
    ),
    "a length below nothing": bare(
        b"POST /v1/tasks HTTP/1.1", b"Host: 127.0.0.1", b"Content-Length: -1", body=GOOD
    ),
    "a chunk whose length is none": bare(
        b"POST /v1/tasks HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Transfer-Encoding: chunked",
        body=b"zz\r\n\r\n",
    ),
    "a header that has no name": bare(b"GET /v1/tasks HTTP/1.1", b"Host: 127.0.0.1", b": x"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_request_gets_its_4xx_and_one_sentence(server: Server, name: str) -> None:
    data, status = BAD[name]

    reply = await sent(server, data)

    assert reply.status == status, reply
    error = json.loads(reply.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in reply.body.decode()
    assert "x-request-id" in reply.headers
    assert server.desk.orders == []


@pytest.mark.parametrize("name", BY_THE_SERVER)
async def test_what_is_no_http_does_not_reach_us(server: Server, name: str) -> None:
    reply = await sent(server, BY_THE_SERVER[name])

    assert reply.status == 400
    assert server.desk.orders == []


@pytest.mark.parametrize("header", ["Last-Event-ID", "after"])
async def test_a_bad_cursor_of_a_task_that_is_there_is_refused(server: Server, header: str) -> None:
    made = json.loads((await sent(server, request(body=GOOD))).body)
    path = f"/v1/tasks/{made['id']}/events"

    if header == "after":
        reply = await sent(server, request("GET", f"{path}?after=yesterday"))
    else:
        reply = await sent(server, request("GET", path, b"", b"Last-Event-ID: yesterday"))

    assert (reply.status, json.loads(reply.body)["error"]["param"]) == (400, header)


async def test_there_are_forty_of_them() -> None:
    assert len(BAD) + len(BY_THE_SERVER) >= 40
