"""The way to an endpoint: headers, queries, redirects, certificates and proxies, each told."""

from __future__ import annotations

import asyncio
import io
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.endpoint.options import NO_HEADERS
from agents.models.endpoint.proxies import proxy_of
from agents.models.port import Delta, Message, Request
from cluster.cli.console import Console
from cluster.cli.entry import execute
from cluster.kernel.errors import ModelError, UsageError
from tests.support.proxies import SOCKS_UNREACHABLE, a_proxy
from tests.support.stand_in import SAID, Answer, Asked, refusal, stand_in

pytestmark = pytest.mark.integration

SECRET = "s3cret-0123456789"
NOWHERE = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "socks_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "OPENAI_API_KEY", "OPENAI_BASE_URL", "FLEETMIND_MODEL"):
        monkeypatch.delenv(name, raising=False)


def a_request() -> Request:
    return Request((Message("user", "why?"),), timeout_s=20.0)


async def no_pause(_: float) -> None:
    return


@asynccontextmanager
async def a_model(
    base_url: str, key: str = "", headers: Mapping[str, str] = NO_HEADERS
) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel("m", base_url, key, headers=headers, sleep=no_pause)
    try:
        yield model
    finally:
        await model.close()


async def answer_of(base_url: str) -> str:
    async with a_model(base_url) as model:
        items = [item async for item in model.stream(a_request())]
    return "".join(item.text for item in items if isinstance(item, Delta))


async def failure(base_url: str, headers: Mapping[str, str] = NO_HEADERS) -> str:
    """What a call says of an endpoint, which `fleetmind models` says as well."""
    async with a_model(base_url, headers=headers) as model:
        with pytest.raises(ModelError) as failed:
            _ = [item async for item in model.stream(a_request())]
        told = await model.why_unreachable(20.0)
    said = str(failed.value)
    assert told == said.replace(", 3 times; ", "; ")
    return said


@pytest.fixture
def authority(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """A certificate that nobody knows, and what a server shows it with."""
    certificate, key = str(tmp_path / "own.pem"), str(tmp_path / "own-key.pem")
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = "subjectAltName=DNS:localhost,DNS:models.example,IP:127.0.0.1"
    command = [*made.split(), "-subj", "/CN=own", "-addext", names, "-out", certificate]
    subprocess.run([*command, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


async def test_a_query_of_the_base_url_is_part_of_every_request() -> None:
    def answer(asked: Asked) -> Answer:
        is_list = asked.path == "/openai/models"
        return refusal(200, {"data": [{"id": "m"}]}) if is_list else None

    async with stand_in(answer) as server:
        model = OpenAIModel("", f"{server.root_url}/openai/?api-version=2024-10-21")
        _ = [item async for item in model.stream(a_request())]
        await model.close()

    assert [(asked.path, asked.query) for asked in server.asked] == [
        ("/openai/models", "api-version=2024-10-21"),
        ("/openai/chat/completions", "api-version=2024-10-21"),
    ]


@pytest.mark.parametrize(
    ("headers", "key", "authorization"),
    [
        ({}, "", "Bearer none"),
        ({}, "k", "Bearer k"),
        ({"X-Org": "a"}, "k", "Bearer k"),
        ({"api-key": SECRET}, "", None),
        ({"api-key": SECRET}, "k", None),
        ({"authorization": f"Basic {SECRET}"}, "k", f"Basic {SECRET}"),
    ],
)
async def test_headers_are_part_of_every_request_and_go_before_the_key(
    headers: dict[str, str], key: str, authorization: str | None
) -> None:
    async with stand_in() as server, a_model(server.base_url, key, headers) as model:
        _ = [item async for item in model.stream(a_request())]

    [asked] = server.asked
    sent = {name.lower(): value for name, value in asked.headers.items()}
    assert sent.get("authorization") == authorization
    assert headers.items() <= {name: sent.get(name.lower()) for name in headers}.items()


async def test_a_header_of_the_settings_is_sent_once_however_it_is_spelled() -> None:
    async with stand_in() as server, a_model(server.base_url, "", {"user-agent": "x"}) as model:
        _ = [item async for item in model.stream(a_request())]

    [asked] = server.asked
    assert [asked.headers[name] for name in asked.headers if name.lower() == "user-agent"] == ["x"]


async def test_who_pays_is_sent_without_the_line_end_of_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", " org-1\n")
    async with stand_in() as server, a_model(server.base_url) as model:
        _ = [item async for item in model.stream(a_request())]

    assert server.asked[0].headers["OpenAI-Organization"] == "org-1"


def test_who_pays_that_can_not_be_sent_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj\n1")

    with pytest.raises(UsageError, match="OPENAI_PROJECT_ID can't be sent: character 5 of its 6"):
        OpenAIModel("m", "http://127.0.0.1:9/v1")


async def test_what_a_header_holds_is_in_no_sentence() -> None:
    def answer(asked: Asked) -> Answer:
        return refusal(401, {"error": {"message": f"wrong key {asked.headers['api-key']}"}})

    async with stand_in(answer) as server:
        said = await failure(server.base_url, {"api-key": SECRET})

    assert "refused the API key (401: wrong key [key])" in said


async def test_a_key_is_hidden_without_the_scheme_before_it_too() -> None:
    wrong = {"error": {"message": f"Bearer auth failed, incorrect API key: {SECRET}."}}
    async with stand_in(lambda _: refusal(401, wrong)) as server:
        said = await failure(server.base_url, {"Authorization": f"Bearer {SECRET}"})

    assert "(401: Bearer auth failed, incorrect API key: [key])" in said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_said_to_be_one_and_not_followed(status: int) -> None:
    def answer(_: Asked) -> Answer:
        return refusal(status, {}, Location="https://u:p@new.example/v1/chat/completions?key=k")

    async with stand_in(answer) as server, a_model(server.base_url, SECRET) as model:
        with pytest.raises(ModelError) as failed:
            _ = [item async for item in model.stream(a_request())]

    said = f"answers that it is elsewhere ({status}: https://new.example/v1/chat/completions); set"
    assert said in str(failed.value)
    assert len(server.asked) == 1


async def test_a_certificate_of_ones_own_authority_is_told_how_to_be_trusted(
    authority: tuple[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = authority
    async with stand_in(context=context) as server:
        said = await failure(server.base_url)
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        name = f"https://localhost:{urlsplit(server.base_url).port}/v1"

        assert await answer_of(server.base_url) == SAID
        assert await answer_of(name) == SAID

    assert "its TLS failed: its certificate (self" in said
    assert said.endswith("set SSL_CERT_FILE to its certificate")


async def test_a_certificate_for_another_host_is_told_as_that(
    authority: tuple[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = authority
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    async with (
        stand_in(context=context) as server,
        a_proxy("socks5", urlsplit(server.base_url).port or 0) as proxy,
    ):
        monkeypatch.setenv("all_proxy", proxy.url)
        said = await failure("https://other.example/v1")

    assert "Hostname mismatch" in said


@pytest.mark.parametrize("content", [None, "none"])
def test_a_file_of_certificates_that_holds_none_is_named(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    with pytest.raises(UsageError, match=r"SSL_CERT_FILE names '.*ca.pem', which can't be read as"):
        OpenAIModel("m", "https://models.example/v1")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("is_tls", [False, True])
async def test_an_endpoint_is_asked_through_a_socks_proxy(
    scheme: str,
    is_tls: bool,  # noqa: FBT001 - a parameter of the test
    authority: tuple[str, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, context = authority
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    async with stand_in(context=context if is_tls else None) as server:
        port = urlsplit(server.base_url).port or 0
        async with a_proxy(scheme, port) as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            url = f"{'https' if is_tls else 'http'}://models.example:{port}/v1"

            assert await answer_of(url) == SAID
            assert proxy.asked == [f"models.example:{port}"]


async def test_a_certificate_that_is_not_trusted_is_told_behind_a_socks_proxy_too(
    authority: tuple[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stand_in(context=authority[1]) as server:
        port = urlsplit(server.base_url).port or 0
        async with a_proxy("socks5", port) as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            said = await failure("https://models.example/v1")

    assert said.startswith("the model endpoint https://models.example/v1 can't be trusted, its TLS")


@pytest.mark.parametrize(
    ("variable", "proxy", "url"),
    [
        ("HTTP_PROXY", f"http://user:{SECRET}@{NOWHERE}", "http://models.example/v1"),
        ("HTTPS_PROXY", f"http://{NOWHERE}", "https://models.example/v1"),
        ("https_proxy", NOWHERE, "https://models.example/v1"),
        ("ALL_PROXY", f"socks5://user:{SECRET}@{NOWHERE}", "https://models.example/v1"),
        ("all_proxy", f"socks5h://{NOWHERE}", "http://models.example/v1"),
    ],
)
async def test_a_dead_proxy_is_named_and_not_the_endpoint(
    variable: str, proxy: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small letters go before capital ones, and HTTP_PROXY counts for nothing where CGI sets it.
    monkeypatch.setenv(variable.lower(), proxy)
    scheme = "socks5" if "socks5:" in proxy else "socks5h" if "socks5h" in proxy else "http"

    said = await failure(url)

    assert said.startswith(
        f"the proxy {scheme}://{NOWHERE}, through which the model endpoint {url} is asked, refuses"
        " connections, 3 times; start it, or check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
    )
    assert SECRET not in said


@pytest.mark.parametrize(
    ("scheme", "refusal_of_it", "said"),
    [
        ("http", b"407 Proxy Authentication Required", "wants a user and a password (407)"),
        ("http", b"403 Forbidden", "didn't open the connection (403)"),
        ("http", b"502 Bad Gateway", "didn't open the connection (502)"),
        ("socks5", SOCKS_UNREACHABLE, "didn't open the connection (Host unreachable)"),
    ],
)
async def test_a_proxy_that_opens_no_connection_is_named(
    scheme: str, refusal_of_it: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_proxy(scheme, 1, refusal_of_it) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)

        assert f"the proxy {proxy.url}, through which" in (
            told := await failure("https://models.example/v1")
        )
    assert said in told


async def test_a_407_without_a_proxy_is_the_endpoints_own() -> None:
    async with stand_in(lambda _: refusal(407, {"error": "log in first"})) as server:
        said = await failure(server.base_url)

    assert said == (
        f"the model endpoint {server.base_url} did not accept the request (407: log in first);"
        " check the model's name"
    )


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.9", "127.1", "[::1]", "localhost", "LOCALHOST.", "a.localhost"),
        *("localhost.localdomain", "ip6-localhost", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"),  # noqa: S104
    ],
)
def test_no_name_of_this_machine_is_asked_for_through_a_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{NOWHERE}")

    assert proxy_of(f"http://{host}:8000/v1") is None
    assert proxy_of("http://127.0.0.1.example/v1") is not None


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://", "http://host:none", "socks5://"])
def test_a_proxy_that_can_not_be_one_is_refused(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy)

    with pytest.raises(UsageError, match=r"the environment names .* or list the host in NO_PROXY"):
        proxy_of("https://models.example/v1")


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://user:pa/ss@host:3128", "http://user:12#34@host:3128", "user:pa?ss@host:3128"),
        *("http://[::1:8080", "http://user:pa[ss@host:3128", "socks5://user:1/2@host:3128"),
    ],
)
def test_a_proxy_that_can_not_be_taken_apart_is_refused_without_a_part_of_it(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy)

    with pytest.raises(UsageError) as refused:
        proxy_of("https://models.example/v1")

    assert str(refused.value).startswith(
        "the environment names a proxy for models.example that is no URL like http://USER:PASSWORD@"
    )
    assert not any(part in str(refused.value) for part in ("user:", "pa/", "ss@", "12", "34"))


def of_models(folder: Path, settings: str) -> tuple[int, str]:
    (folder / "fleet.toml").write_text(settings)
    console = Console(out := io.StringIO(), err := io.StringIO())
    code = execute(["models", "--config", str(folder / "fleet.toml")], console)
    return code, out.getvalue() + err.getvalue()


async def test_models_asks_as_a_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> Answer:
        is_known = asked.headers.get("api-key") == SECRET and asked.query == "api-version=1"
        return refusal(200, [{"id": "m"}]) if is_known else refusal(401, {"error": "who is it?"})

    monkeypatch.setenv("AZURE_KEY", f"{SECRET}\n")
    async with stand_in(answer) as server:
        place = f'[model]\nuri = "openai:m"\nbase_url = "{server.base_url}?api-version=1"\n'
        has_header = place + 'headers = { api-key = "${AZURE_KEY}" }\n'

        usable = await asyncio.to_thread(of_models, tmp_path, has_header)
        refused = await asyncio.to_thread(of_models, tmp_path, place)

    assert usable[0] == 0
    assert "usable      yes" in usable[1]
    assert refused[0] == 1
    assert "wants an API key (401: who is it?)" in refused[1]
    assert SECRET not in usable[1] + refused[1]


@pytest.mark.parametrize(
    ("of_the_list", "of_a_chat", "verdict"),
    [
        (404, 400, "usable      yes"),
        (403, 422, "usable      yes"),
        (500, 500, "usable      yes"),
        (404, 404, "knows no model 'm', or is no such API (404)"),
        (403, 403, "a firewall or a gateway before the model endpoint"),
        (401, 400, "usable      yes"),
        (429, 400, "usable      yes"),
        (200, 400, "usable      yes"),
        (401, 401, "wants an API key (401)"),
        (302, 400, "answers that it is elsewhere (302: it doesn't say where)"),
        (503, 503, "is not ready yet (503)"),
        (405, 302, "answers that it is elsewhere (302: it doesn't say where)"),
    ],
)
async def test_where_a_model_is_named_what_the_chat_says_counts_and_not_the_list(
    of_the_list: int, of_a_chat: int, verdict: str, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Answer:
        return web.Response(status=of_the_list if asked.path == "/v1/models" else of_a_chat)

    async with stand_in(answer) as server:
        place = f'[model]\nuri = "openai:m"\nbase_url = "{server.base_url}"\n'

        code, said = await asyncio.to_thread(of_models, tmp_path, place)

    assert verdict in said
    assert code == (0 if "yes" in verdict else 1)


async def test_where_no_model_is_named_the_list_counts() -> None:
    async with stand_in(lambda _: refusal(401, {"error": "Missing scopes"})) as server:
        model = OpenAIModel("", server.base_url)
        told = await model.why_unreachable(20.0)
        await model.close()

    assert "wants an API key (401: Missing scopes)" in told
    assert [asked.path for asked in server.asked] == ["/v1/models"]


async def test_a_web_page_in_place_of_everything_is_no_endpoint() -> None:
    def page(_: Asked) -> Answer:
        return web.Response(text="<html>the application</html>", content_type="text/html")

    async with stand_in(page) as server:
        said = await failure(server.base_url)

    assert "sent text/html instead of an event stream" in said
