"""``fleetmind models``: what is configured, whether it answers, what lies on this machine."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cluster.cli.console import Console
from cluster.cli.entry import execute


class Endpoint(BaseHTTPRequestHandler):
    """Answers according to its path's first part, as in ``/401/models``; ``/1`` with a page."""

    def do_GET(self) -> None:
        self._answer(int(self.path.split("/")[1]))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = int(self.path.split("/")[1])
        self._answer(400 if status == 404 else status)

    def _answer(self, status: int) -> None:
        is_page = status == 1
        self.send_response(200 if is_page else status)
        self.send_header("Content-Type", "text/html" if is_page else "application/json")
        self.end_headers()
        self.wfile.write(b"<p>Welcome" if is_page else b'{"data": []}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def said(*arguments: str) -> tuple[int, str, str]:
    console = Console(out := io.StringIO(), err := io.StringIO())
    return execute(["models", *arguments], console), out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("path", "exit_code", "verdict"),
    [
        ("200", 0, "usable      yes"),
        ("404", 0, "usable      yes"),
        ("401", 1, "/401 wants an API key (401); set OPENAI_API_KEY to one it accepts"),
        ("1", 1, "/1 sent text/html instead of an event stream"),
    ],
)
def test_an_endpoint_is_asked_for_its_models(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, path: str, exit_code: int, verdict: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{endpoint}/{path}")

    code, out, _ = said("--model", "openai:x")

    assert (code, verdict in out) == (exit_code, True)
    assert "configured  openai:x" in out


def test_an_endpoint_that_refuses_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")

    code, out, _ = said("list")

    assert code == 1
    assert "http://127.0.0.1:1/v1 refuses connections; start it, or check the base URL" in out


def test_the_local_models_are_listed_with_how_to_fetch_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    code, out, _ = said("--model", "simulated:")

    assert code == 0
    assert "fetch it with `fleetmind models pull smollm2-135m`" in out


def test_a_model_that_nobody_knows_can_not_be_pulled() -> None:
    code, _, err = said("pull", "gpt-9")

    assert code == 2
    assert "there is no local model 'gpt-9'; known are smollm2-135m" in err
