"""What a model's first request would wait for is there before it, and stays there."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.port import Asker, AttemptTally, Finish, Message, Request
from agents.models.simulated.script import Line
from benchmarks.model_server import ModelServer, model_server

pytestmark = pytest.mark.integration

REQUEST = Request((Message("user", "why?"),), Asker(agent="researcher", step="r1"))


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server(lines={"researcher": {"*": Line("So.")}}) as running:
        yield running


async def ask(model: OpenAIModel) -> None:
    finish = [item async for item in model.stream(REQUEST)][-1]
    assert isinstance(finish, Finish)


async def test_a_warm_model_has_a_connection_which_its_first_request_takes(
    server: ModelServer,
) -> None:
    model = OpenAIModel("simulated", server.base_url)

    await model.warm()
    assert server.connections() == 1
    await ask(model)

    assert server.connections() == 1
    await model.close()


async def test_the_models_name_is_asked_once_however_many_want_it(server: ModelServer) -> None:
    model = OpenAIModel("", server.base_url)

    await asyncio.gather(model.warm(), ask(model), ask(model))
    await ask(model)

    assert server.listed == 1
    assert {entry.model for entry in server.log} == {"simulated"}
    await model.close()


async def test_an_endpoint_that_is_not_there_is_no_error_yet() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    model = OpenAIModel("", f"http://127.0.0.1:{port}/v1")

    await model.warm()

    await model.close()


async def test_an_endpoint_that_lists_no_models_is_connected_all_the_same(
    server: ModelServer,
) -> None:
    model = OpenAIModel("simulated", f"{server.root_url}/other/v1")

    await model.warm()

    assert server.connections() == 1
    await model.close()


async def test_an_idle_connection_is_kept(server: ModelServer) -> None:
    model = OpenAIModel("simulated", server.base_url)
    await ask(model)

    for _ in range(100):  # until the server has seen it go, if it goes
        await asyncio.sleep(0)

    assert server.connections() == 1
    await model.close()


async def test_a_connection_that_is_idle_for_longer_than_is_said_is_closed(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.models.endpoint.http_client.KEEP_ALIVE_S", 0.001)
    model = OpenAIModel("simulated", server.base_url)
    await ask(model)

    async with asyncio.timeout(10):
        while server.connections():  # noqa: ASYNC110 - nothing would set an event
            await asyncio.sleep(0)
    await model.close()


async def test_a_kept_connection_that_the_server_has_given_up_is_replaced_at_once() -> None:
    async with asyncio.timeout(10), giving_up_after_one() as base_url:
        model = OpenAIModel("simulated", base_url, sleep=never)
        for _ in range(3):
            request = replace(REQUEST, tally=AttemptTally())
            items = [item async for item in model.stream(request)]

            assert isinstance(items[-1], Finish)
            assert request.tally.made == 1
        await model.close()


async def never(_: float) -> None:
    raise AssertionError("it has waited")


@asynccontextmanager
async def giving_up_after_one() -> AsyncIterator[str]:
    """Serve an endpoint that says a connection stays open, and reads one request on each."""
    event = {"choices": [{"index": 0, "delta": {"content": "So."}, "finish_reason": "stop"}]}
    body = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        [length] = re.findall(rb"(?i)content-length: (\d+)", asked)
        await reader.readexactly(int(length))
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
