"""What bad input gets, at every route: its 4xx in OpenAI's shape, and nothing is begun."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from cluster.kernel.events import Answered
from cluster.kernel.vocabulary import Answer
from cluster.serving.ports import Caller
from tests.support.fake_desk import FakeDesk, FakeGate, app_of

JSON = {"content-type": "application/json"}
ASKED = {"model": "fleetmind", "messages": [{"role": "user", "content": "hi"}]}
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
NOWHERE = "0" * 32


@pytest.fixture
def desk() -> FakeDesk:
    """A desk whose tasks are answered at once."""
    return FakeDesk([Answered(Answer("Hello."))])


@pytest.fixture
async def client(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token, on loopback."""
    transport = httpx.ASGITransport(app_of(desk, body_bytes_max=5_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def with_message(**message: object) -> dict[str, object]:
    """A chat whose only message is as given."""
    return {**ASKED, "messages": [message]}


BAD_CHATS: dict[str, tuple[object, str]] = {
    "nothing": ({}, "model"),
    "a list": ([], ""),
    "a text": ("hi", ""),
    "null": (None, ""),
    "no messages": ({"model": "fleetmind"}, "messages"),
    "an empty history": ({**ASKED, "messages": []}, "messages"),
    "messages that are a text": ({**ASKED, "messages": "hi"}, "messages"),
    "a message that is a text": ({**ASKED, "messages": ["hi"]}, "messages.0"),
    "an unknown role": (with_message(role="king", content="hi"), "messages.0.role"),
    "content that is a number": (with_message(role="user", content=7), "messages.0.content"),
    "an empty message": (with_message(role="user", content=" "), "messages"),
    "a message without content": (with_message(role="user"), "messages"),
    "a goal that is too long": (with_message(role="user", content="x"), "messages"),
    "a history that ends with the assistant": (
        {**ASKED, "messages": [*ASKED["messages"], {"role": "assistant", "content": "Hi."}]},
        "messages",
    ),
    "a history of system messages": (with_message(role="system", content="Be brief."), "messages"),
    "an image": (
        with_message(role="user", content=[{"type": "image_url", "image_url": {"url": "x"}}]),
        "messages.0.content.0",
    ),
    "audio": (with_message(role="user", content=[{"type": "input_audio"}]), "messages.0.content.0"),
    "the result of a tool": (with_message(role="tool", content="7"), "messages.0"),
    "a call of a tool": (
        with_message(role="assistant", content=None, tool_calls=[{"id": "1"}]),
        "messages.0",
    ),
    "a model that is a number": ({**ASKED, "model": 7}, "model"),
    "a stream that is a text": ({**ASKED, "stream": "yes"}, "stream"),
    "knowledge by its path": (
        {**ASKED, "fleetmind": {"namespace": "paths:0123456789abcdef"}},
        "fleetmind.namespace",
    ),
    "tools": ({**ASKED, "tools": [{"type": "function"}]}, "tools"),
    "a tool that has to be called": ({**ASKED, "tool_choice": "required"}, "tool_choice"),
    "functions": ({**ASKED, "functions": [{"name": "f"}]}, "functions"),
    "two answers": ({**ASKED, "n": 2}, "n"),
    "probabilities": ({**ASKED, "logprobs": True}, "logprobs"),
    "a schema": ({**ASKED, "response_format": {"type": "json_schema"}}, "response_format"),
    "speech": ({**ASKED, "modalities": ["text", "audio"]}, "modalities"),
    "a text to stop at": ({**ASKED, "stop": ["\n"]}, "stop"),
    "an option that there isn't": ({**ASKED, "fleetmind": {"x": 1}}, "fleetmind.x"),
    "options that are a list": ({**ASKED, "fleetmind": []}, "fleetmind"),
    "a deadline of 0": ({**ASKED, "fleetmind": {"deadline_s": 0}}, "fleetmind.deadline_s"),
    "a deadline of weeks": ({**ASKED, "fleetmind": {"deadline_s": 1e7}}, "fleetmind.deadline_s"),
    "tokens below 0": ({**ASKED, "fleetmind": {"tokens_max": -1}}, "fleetmind.tokens_max"),
    "a coherence there isn't": ({**ASKED, "fleetmind": {"coherence": "x"}}, "fleetmind.coherence"),
}


def assert_is_an_error(answer: httpx.Response, status: int, param: str = "") -> None:
    """Its status, and OpenAI's object with one sentence."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in error["message"]
    assert error["param"] == (param or None)


@pytest.mark.parametrize("what", BAD_CHATS)
async def test_a_bad_chat_gets_its_400(
    desk: FakeDesk, client: httpx.AsyncClient, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, param = BAD_CHATS[what]
    if what == "a goal that is too long":
        monkeypatch.setattr("cluster.serving.orders.GOAL_CHARS_MAX", 0)

    answer = await client.post(CHAT, json=body)

    assert_is_an_error(answer, 400, param)
    assert desk.orders == []


BAD_RESPONSES: dict[str, tuple[dict[str, object], int, str]] = {
    "nothing": ({}, 400, "model"),
    "no input": ({"model": "fleetmind"}, 400, "input"),
    "an input that is a number": ({"model": "fleetmind", "input": 7}, 400, "input"),
    "an input without a message": ({"model": "fleetmind", "input": []}, 400, "input"),
    "an input that is empty": ({"model": "fleetmind", "input": ""}, 400, "input"),
    "the output of a function": (
        {"model": "fleetmind", "input": [{"type": "function_call_output", "output": "7"}]},
        400,
        "input.0",
    ),
    "an image": (
        {
            "model": "fleetmind",
            "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}],
        },
        400,
        "input.0.content.0",
    ),
    "tools": ({"model": "fleetmind", "input": "hi", "tools": [{}]}, 400, "tools"),
    "a conversation": ({"model": "fleetmind", "input": "hi", "conversation": "c"}, 400,
                       "conversation"),
    "a schema": (
        {"model": "fleetmind", "input": "hi", "text": {"format": {"type": "json_schema"}}},
        400,
        "text",
    ),
    "an unknown model": ({"model": "gpt-4", "input": "hi"}, 404, "model"),
    "an unknown response before": (
        {"model": "fleetmind", "input": "hi", "previous_response_id": NOWHERE}, 404,
        "previous_response_id",
    ),
    "a response before that is no id": (
        {"model": "fleetmind", "input": "hi", "previous_response_id": "../x"}, 404,
        "previous_response_id",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_RESPONSES)
async def test_a_bad_response_gets_its_4xx(
    desk: FakeDesk, client: httpx.AsyncClient, what: str
) -> None:
    body, status, param = BAD_RESPONSES[what]

    answer = await client.post(RESPONSES, json=body)

    assert_is_an_error(answer, status, param)
    assert desk.orders == []


BODIES: dict[str, tuple[bytes, dict[str, str], int]] = {
    "half of an object": (b'{"model": ', JSON, 400),
    "no UTF-8": (b"\xff\xfe\x00", JSON, 400),
    "a number with a thousand digits": (b'{"n": ' + b"9" * 4_900 + b"}", JSON, 400),
    "lists in lists": (b"[" * 4_900, JSON, 400),
    "half of a surrogate pair": (
        json.dumps(with_message(role="user", content="\ud800")).encode(), JSON, 400
    ),
    "a key that is half of a pair": (b'{"model": "fleetmind", "\\uD8ff": 1}', JSON, 400),
    "no number": (b'{"model": "fleetmind", "n": NaN}', JSON, 400),
    "a form": (b"model=fleetmind", {"content-type": "application/x-www-form-urlencoded"}, 400),
    "no type": (json.dumps(ASKED).encode(), {}, 400),
    "more than there may be": (b" " * 5_001, JSON, 413),
    "more than it says": (b" " * 5_001, {**JSON, "transfer-encoding": "chunked"}, 413),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
async def test_a_body_that_is_no_request_gets_its_4xx(
    desk: FakeDesk, client: httpx.AsyncClient, what: str
) -> None:
    body, headers, status = BODIES[what]

    for path in (CHAT, RESPONSES):
        answer = await client.post(path, content=body, headers=headers)

        assert_is_an_error(answer, status, answer.json()["error"]["param"] or "")
    assert desk.orders == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/responses", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/v1/models/gpt-4", 404),
        ("GET", "/v1/models/fleetmind/emperor", 404),
        ("GET", "/v1/models/", 404),
        ("GET", "/v1/responses/" + NOWHERE, 404),
        ("GET", "/v1/responses/resp_1", 404),
        ("GET", f"/v1/responses/{NOWHERE}?stream=maybe", 400),
        ("GET", f"/v1/responses/{NOWHERE}?stream=true&starting_after=-1", 400),
        ("POST", f"/v1/responses/{NOWHERE}/cancel", 404),
        ("DELETE", f"/v1/responses/{NOWHERE}", 404),
        ("GET", "/v1/responses/%00", 404),
        ("GET", "/v1/files", 404),
    ],
)
async def test_what_is_not_there_gets_its_4xx(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert_is_an_error(answer, status, answer.json()["error"]["param"] or "")


@pytest.mark.parametrize("model", ["gpt-4", "", "fleetmind/", "fleetmind/emperor", "x/researcher"])
async def test_an_unknown_model_is_not_found(client: httpx.AsyncClient, model: str) -> None:
    answer = await client.post(CHAT, json={**ASKED, "model": model})

    assert_is_an_error(answer, 404, "model")
    assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("sent", [{}, {"authorization": "Bearer x"}, {"authorization": "Basic x"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", CHAT), ("POST", RESPONSES), ("GET", "/v1/models"), ("GET", f"{RESPONSES}/{NOWHERE}")],
)
async def test_whoever_has_no_token_gets_a_401(
    desk: FakeDesk, sent: dict[str, str], method: str, path: str
) -> None:
    transport = httpx.ASGITransport(app_of(desk, FakeGate({"t0ken": Caller("ann")})))

    async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
        answer = await client.request(method, path, json=ASKED, headers=sent)

    assert_is_an_error(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_schema_is_published(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()

    operation = schema["paths"][CHAT]["post"]
    assert set(operation["responses"]) == {"200", "4XX", "5XX"}
    assert operation["security"]
