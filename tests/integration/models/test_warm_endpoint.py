"""What a model's first request would wait for is there before it, and stays there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.port import Asker, Finish, Message, Request
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
