"""What stands between us and an endpoint, or isn't what its URL says, is named as that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.port import Message, Request
from cluster.kernel.errors import ModelError
from tests.support.stand_in import Answer, Asked, stand_in

pytestmark = pytest.mark.integration

PAGE = "<!doctype html><html><head><title>{}</title></head><body><h1>No</h1></body></html>"
SCHEMES = "check whether its base URL begins with http:// or https://"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def no_pause(_: float) -> None:
    return


async def failure(base_url: str, key: str = "", name: str = "m") -> str:
    """What a call says of an endpoint, which `fleetmind models` says as well."""
    model = OpenAIModel(name, base_url, key, sleep=no_pause)
    try:
        with pytest.raises(ModelError) as failed:
            _ = [item async for item in model.stream(Request((Message("user", "why?"),)))]
        told = await model.why_unreachable(20.0)
    finally:
        await model.close()
    said = str(failed.value)
    assert told == said.replace(", 3 times; ", "; ")
    return said


async def failure_of(answer: web.Response, key: str = "", name: str = "m") -> str:
    def answered(_: Asked) -> Answer:
        body = answer.body if isinstance(answer.body, bytes) else None
        return web.Response(status=answer.status, body=body, headers=answer.headers)

    async with stand_in(answered) as server:
        return await failure(server.base_url, key, name)


@asynccontextmanager
async def a_server(said: bytes) -> AsyncIterator[int]:
    """A port where these bytes are all that is ever said."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


# ---- a firewall --------------------------------------------------------------------------------


async def test_a_firewalls_page_is_named_by_its_title_and_the_key_is_not_blamed() -> None:
    page = PAGE.format("Attention Required! &#124; " + "Example " * 100)

    said = await failure_of(web.Response(status=403, text=page, content_type="text/html"), "key-7")

    assert said.startswith("a firewall or a gateway before the model endpoint http://127.0.0.1:")
    assert "refused the request (403: Attention Required! | Example" in said
    assert len(said) < 500
    assert "key" not in said
    assert "<" not in said


@pytest.mark.parametrize("text", ["Forbidden", "", "[not json"])
async def test_a_403_in_other_words_than_the_apis_is_not_the_keys(text: str) -> None:
    assert "a firewall or a gateway before" in await failure_of(web.Response(status=403, text=text))


@pytest.mark.parametrize("text", ['{"error": {"message": "no"}}', '{"detail": "no"}'])
async def test_a_403_in_the_apis_words_is_the_keys(text: str) -> None:
    said = await failure_of(web.Response(status=403, text=text), "key-7")

    assert "refused the API key (403: no); set OPENAI_API_KEY" in said


async def test_another_web_page_is_named_by_its_title_too() -> None:
    page = PAGE.format("Sign in - Example Hotel")

    said = await failure_of(web.Response(text=page, content_type="text/html"))

    assert "sent text/html instead of an event stream" in said


async def test_what_is_no_api_is_told_where_one_often_is() -> None:
    said = await failure_of(web.json_response({"detail": "Not Found"}, status=404))
    unnamed = await failure_of(web.json_response({"detail": "Not Found"}, status=404), name="")

    assert "knows no model 'm', or is no such API (404: Not Found)" in said
    assert "is no such API (404: Not Found)" in unnamed
    assert "''" not in unnamed
    assert said.endswith("the base URL (it often ends in /v1)")


# ---- a proxy -----------------------------------------------------------------------------------


async def test_a_proxy_whose_name_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:pass@nosuch.invalid:3128")

    said = await failure("http://192.0.2.77/v1")

    assert said.startswith(
        "the proxy http://nosuch.invalid:3128, through which the model endpoint"
        " http://192.0.2.77/v1 is asked, has a host name that nobody knows; check HTTP_PROXY"
    )


# ---- TLS and encodings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks no TLS there"),
        (b"", "broke the connection off as if it spoke no TLS"),
    ],
)
async def test_tls_where_none_is_spoken_is_said_to_be_that(answer: bytes, what: str) -> None:
    async with a_server(answer) as port:
        said = await failure(f"https://127.0.0.1:{port}/v1")

    assert what in said
    assert said.endswith(SCHEMES)


@pytest.mark.parametrize("answer", [b"", b"\x15\x03\x03\x00\x02\x02\x0a"])
async def test_http_where_tls_is_spoken_is_said_to_be_that(answer: bytes) -> None:
    async with a_server(answer) as port:
        assert (await failure(f"http://127.0.0.1:{port}/v1")).endswith(SCHEMES)


@pytest.mark.parametrize("encoding", ["zstd", "br"])
async def test_an_encoding_that_can_not_be_read_is_named(encoding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 3\r\n\r\n"

    async with a_server(head.encode() + b"\x00\x01\x02") as port:
        said = await failure(f"http://127.0.0.1:{port}/v1")

    assert "has compressed its answer, which was not asked for" in said
    assert f"({encoding})" in said
