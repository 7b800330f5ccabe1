"""What keeps the ingress from listening is said before anything is started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.placement.serving.control import check_can_serve
from cluster.settings.values import ServeSettings


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def pem(tmp_path: Path) -> str:
    path = tmp_path / "file.pem"
    path.write_text("", encoding="utf-8")
    return str(path)


def test_a_free_port_will_do_with_files_that_can_be_read(pem: str) -> None:
    check_can_serve(ServeSettings(port=free_port(), tls_cert=pem, tls_key=pem))


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} .*in use"):
            check_can_serve(ServeSettings(port=port))


def test_a_host_of_elsewhere_is_named() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
        check_can_serve(ServeSettings(host="192.0.2.1", port=free_port()))


def test_a_certificate_without_its_key_is_refused(pem: str) -> None:
    with pytest.raises(UsageError, match="both a certificate and its key"):
        check_can_serve(ServeSettings(port=free_port(), tls_cert=pem))


def test_a_file_that_is_not_there_is_named(pem: str) -> None:
    own = ServeSettings(port=free_port(), tls_cert=pem, tls_key="/nowhere/key.pem")
    with pytest.raises(UsageError, match=r"/nowhere/key\.pem"):
        check_can_serve(own)
