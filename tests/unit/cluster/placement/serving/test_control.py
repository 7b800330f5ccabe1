"""What keeps the ingress from listening is said before anything is started."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.placement.serving.control import check_can_serve
from cluster.settings.values import ServeSettings


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def made_pair(folder: Path, name: str, *more: str) -> tuple[str, str]:
    """Return a self-signed certificate and its key, made by OpenSSL."""
    certificate, key = str(folder / f"{name}.pem"), str(folder / f"{name}-key.pem")
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost"
    password = more or ("-nodes",)
    command = [*made.split(), "-days", "2", "-out", certificate, "-keyout", key, *password]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return made_pair(tmp_path, "own")


@pytest.fixture
def pem(tmp_path: Path) -> str:
    path = tmp_path / "file.pem"
    path.write_text("none", encoding="utf-8")
    return str(path)


def with_files(certificate: str, key: str) -> ServeSettings:
    return ServeSettings(port=free_port(), tls_cert=certificate, tls_key=key)


def test_a_free_port_will_do_with_a_certificate_and_its_key(pair: tuple[str, str]) -> None:
    check_can_serve(with_files(*pair))


def test_a_file_that_is_no_certificate_is_refused(pair: tuple[str, str], pem: str) -> None:
    with pytest.raises(UsageError, match="no certificate in PEM and its key"):
        check_can_serve(with_files(pem, pair[1]))


def test_a_file_that_is_no_key_is_refused(pair: tuple[str, str], pem: str) -> None:
    with pytest.raises(UsageError, match="no certificate in PEM and its key"):
        check_can_serve(with_files(pair[0], pem))


def test_the_key_of_another_certificate_is_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    other = made_pair(tmp_path, "other")
    with pytest.raises(UsageError, match="key values mismatch"):
        check_can_serve(with_files(pair[0], other[1]))


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    pair = made_pair(tmp_path, "locked", "-passout", "pass:secret")
    with pytest.raises(UsageError, match=r"locked-key\.pem is encrypted"):
        check_can_serve(with_files(*pair))


def test_a_folder_is_no_certificate(pair: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        check_can_serve(with_files(str(tmp_path), pair[1]))


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
