"""What every request meets first: its id, the bounds, headers of security, a line in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from cluster.kernel.events import Answered
from cluster.kernel.vocabulary import Answer, Failure
from cluster.serving import edge
from cluster.serving.edge import BoundedBody, RequestEdge
from tests.support.fake_desk import FakeDesk, Until, app_of

CHAT = "/v1/chat/completions"
ASKED = {"model": "fleetmind", "messages": [{"role": "user", "content": "my secret plan"}]}


@pytest.fixture
async def desk() -> AsyncIterator[FakeDesk]:
    """A desk whose tasks are answered at once."""
    desk = FakeDesk([Answered(Answer("Hello."))])
    yield desk
    await desk.aclose()


def client_of(desk: FakeDesk, **settings: object) -> httpx.AsyncClient:
    """A client on loopback."""
    transport = httpx.ASGITransport(app_of(desk, None, **settings))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_every_answer_has_an_id_and_no_way_into_a_page(desk: FakeDesk) -> None:
    async with client_of(desk) as client:
        answers = [await client.get(path) for path in ("/healthz", "/nowhere")]

    for answer in answers:
        assert answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_an_id_that_came_with_the_request_is_kept(desk: FakeDesk) -> None:
    async with client_of(desk) as client:
        answer = await client.get("/healthz", headers={"x-request-id": "abc-1"})

    assert answer.headers["x-request-id"] == "abc-1"


async def test_an_id_that_could_forge_a_line_of_the_log_is_replaced(desk: FakeDesk) -> None:
    async with client_of(desk) as client:
        answer = await client.get("/healthz", headers={"x-request-id": "a b" * 40})

    assert " " not in answer.headers["x-request-id"]


async def test_the_log_has_the_request_and_neither_prompt_nor_token(
    desk: FakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cluster.serving")

    async with client_of(desk) as client:
        answer = await client.post(
            f"{CHAT}?key=t0ken", json=ASKED, headers={"authorization": "Bearer t0ken"}
        )

    [line] = [record.getMessage() for record in caplog.records if CHAT in record.getMessage()]
    assert line.startswith(f'POST "{CHAT}": 200 in ')
    assert line.endswith(answer.headers["x-request-id"])
    assert "secret" not in caplog.text
    assert "t0ken" not in caplog.text


async def test_more_requests_than_a_replica_may_have_are_refused(desk: FakeDesk) -> None:
    desk.scenes = [[Until(told := asyncio.Event()), Answered(Answer("Hello."))]]
    async with client_of(desk, streams_max=1) as client:
        first = asyncio.create_task(client.post(CHAT, json=ASKED))
        await desk.task_begun()

        refused = await client.post(CHAT, json=ASKED)
        health = await client.get("/healthz")
        told.set()
        answer = await first
        after = await client.get("/v1/models")

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert [health.status_code, answer.status_code, after.status_code] == [200, 200, 200]


async def test_a_crash_is_a_500_that_tells_nothing_and_a_trace_in_the_log(
    desk: FakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.scenes = [[KeyError("a detail")]]

    async with client_of(desk) as client:
        answer = await client.post(CHAT, json=ASKED)

    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "a detail" not in answer.text
    assert "KeyError" in caplog.text


async def test_no_page_may_call_unless_its_origin_is_allowed(desk: FakeDesk) -> None:
    asked = {"origin": "https://chat.example.org", "access-control-request-method": "POST"}
    allowed = ("https://chat.example.org",)

    async with client_of(desk) as closed, client_of(desk, origins=allowed) as opened:
        answers = [await each.options(CHAT, headers=asked) for each in (closed, opened)]

    assert "access-control-allow-origin" not in answers[0].headers
    assert answers[1].headers["access-control-allow-origin"] == "https://chat.example.org"


async def test_an_error_too_may_be_read_by_an_allowed_page(desk: FakeDesk) -> None:
    headers = {"origin": "https://chat.example.org"}

    async with client_of(desk, origins=("https://chat.example.org",)) as client:
        answer = await client.post(CHAT, content=b"{", headers=headers)

    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] == "https://chat.example.org"


async def test_a_client_in_a_page_may_read_whether_it_does_well_to_repeat(desk: FakeDesk) -> None:
    desk.refusal = Failure("model", "the model has failed")
    origin = "https://chat.example.org"
    asked = {"model": "fleetmind", "messages": [{"role": "user", "content": "why?"}]}

    async with client_of(desk, origins=(origin,)) as client:
        answer = await client.post(CHAT, json=asked, headers={"origin": origin})

    assert answer.headers["x-should-retry"] == "false"
    assert "x-should-retry" in answer.headers["access-control-expose-headers"].lower()


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that is never reached."""
    raise AssertionError("it was reached")


async def answer_of(app: BoundedBody | RequestEdge, receive: Receive) -> list[Message]:
    """What an application sends for a request."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send)
    return sent


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge, "BODY_WAIT_S", 0.0)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    sent = await answer_of(BoundedBody(nothing, bytes_max=10), receive)

    assert sent[0]["status"] == 408


async def test_nobody_is_answered_who_left_before_their_body_was_there() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert await answer_of(BoundedBody(nothing, bytes_max=10), receive) == []


async def test_what_is_no_http_passes() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        """Take what nobody sends."""

    surrounded = RequestEdge(BoundedBody(app, bytes_max=1), requests_max=0, now=lambda: 0.0)
    await surrounded({"type": "lifespan"}, receive, send)

    assert seen == ["lifespan"]
