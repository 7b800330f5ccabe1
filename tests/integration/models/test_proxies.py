"""Behind proxies that lead nowhere, all that is on this machine is still reached."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
import requests

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.endpoint.proxies import proxy_of
from agents.models.local.side_process import side_process
from agents.models.port import Finish, Message, Request
from benchmarks.model_server import model_server
from cluster.cli.console import Console
from cluster.cli.entry import execute
from cluster.kernel.errors import PeerUnavailable
from cluster.kernel.loopback import except_from_proxies
from cluster.placement.jobs.submit import check_dashboard
from cluster.transport.grpc_exchange import GrpcTransport

pytestmark = pytest.mark.integration

NOWHERE = "http://127.0.0.1:1"
PROXIES = {
    "an HTTP proxy": {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE},
    "small letters": {"http_proxy": NOWHERE, "https_proxy": NOWHERE},
    "a proxy for all": {"ALL_PROXY": NOWHERE},
    "a SOCKS proxy": {"ALL_PROXY": "socks5://127.0.0.1:1", "all_proxy": "socks5h://127.0.0.1:1"},
}
LLAMA = '''
"""Stands in for the package: serves its health, and nothing else."""
import http.server, threading, types

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

class Server:
    def __init__(self, params):
        server = http.server.HTTPServer(("127.0.0.1", 0), Health)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{server.server_port}"

def CommonParams():
    parts = ("model", "sampling", "cpuparams", "cpuparams_batch")
    return types.SimpleNamespace(**{part: types.SimpleNamespace() for part in parts})
'''


@pytest.fixture(autouse=True, params=list(PROXIES))
def proxies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of one setting, and no exceptions from them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in PROXIES[request.param].items():
        monkeypatch.setenv(name, value)


class Dashboard(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"ray_version": "2.60", "data": []}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        pass


@contextmanager
def a_dashboard() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Dashboard) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def test_an_endpoint_elsewhere_is_asked_through_the_proxy() -> None:
    proxy = proxy_of("http://models.example/v1")

    assert proxy is not None
    assert urlsplit(proxy.url).netloc == urlsplit(NOWHERE).netloc


def test_an_endpoint_that_is_excepted_from_proxies_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "models.example")

    assert proxy_of("http://user:word@models.example/v1") is None


async def test_an_endpoint_of_this_machine_answers() -> None:
    async with model_server() as server:
        model = OpenAIModel("simulated", f"{server.root_url}/v1")
        items = [item async for item in model.stream(Request((Message("user", "why?"),)))]
        await model.close()

    assert isinstance(items[-1], Finish)


async def test_the_local_models_server_finds_that_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(LLAMA)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = [sys.executable, "-m", "agents.models.local.server", "--gguf", "a.gguf"]

    async with side_process(server) as base_url:
        assert base_url.endswith("/v1")


def test_models_says_that_an_endpoint_of_this_machine_can_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console = Console(out := io.StringIO(), io.StringIO())

    with a_dashboard() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        assert execute(["models", "--model", "openai:x"], console) == 0
    assert "usable      yes" in out.getvalue()


def test_a_dashboard_of_this_machine_is_found_by_us_and_by_rays_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")

    with a_dashboard() as url:
        check_dashboard(url)
        except_from_proxies(url, os.environ)
        assert requests.get(url, timeout=5).status_code == 200


async def test_an_agent_on_this_machine_is_reached() -> None:
    listening = GrpcTransport("token", "127.0.0.1", time.monotonic)
    dialling = GrpcTransport("token", "127.0.0.1", time.monotonic)
    address = await listening.listen(lambda connection: connection.close())
    try:
        (await dialling.dial(address, 5.0)).close()
    except PeerUnavailable as error:
        pytest.fail(str(error))
    finally:
        await dialling.close()
        await listening.close()
