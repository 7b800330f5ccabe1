"""Which dashboard a job goes to, and what is said where none answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cluster.kernel.errors import PlacementError, UsageError
from cluster.placement.jobs.submit import check_dashboard, dashboard_url


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        thread.join()


def test_the_given_address_goes_first() -> None:
    environment = {"RAY_API_SERVER_ADDRESS": "http://other:1", "RAY_ADDRESS": "http://third:1"}

    assert dashboard_url("http://given:8265/", environment) == "http://given:8265"


def test_rays_variables_come_next() -> None:
    assert dashboard_url("", {"RAY_API_SERVER_ADDRESS": "http://a:1"}) == "http://a:1"
    assert dashboard_url("", {"RAY_ADDRESS": "https://b"}) == "https://b"


def test_an_address_of_rays_control_store_is_no_dashboard() -> None:
    assert dashboard_url("", {"RAY_ADDRESS": "10.0.0.1:6379"}) == "http://127.0.0.1:8265"


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "auto", "ftp://x", "http://", "http://x:y"])
def test_what_is_no_url_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no URL of a Ray dashboard"):
        dashboard_url(address, {})


def test_a_dashboard_is_recognised() -> None:
    with answering(200, b'{"version": "4", "ray_version": "2.60.0"}') as url:
        check_dashboard(url)


def test_a_dashboard_that_wants_a_token_is_one_too() -> None:
    with answering(401, b"Unauthorized: Missing authentication token") as url:
        check_dashboard(url)


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b""), (500, b"")])
def test_another_web_server_is_told_from_a_dashboard(status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(PlacementError, match="no Ray dashboard"):
        check_dashboard(url)


def test_where_nothing_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(PlacementError, match=rf"answers at http://127.0.0.1:{port}: "):
        check_dashboard(f"http://127.0.0.1:{port}")
