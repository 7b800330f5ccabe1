"""A store behind TLS, or without it where its URL says otherwise, and whose certificate it is."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store.redis import RedisStore

pytestmark = pytest.mark.integration

TIMEOUT_S = 1.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("certificates are made by openssl")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*command, *names, "-out", str(made), "-keyout", str(key)], check=True, capture_output=True
    )
    return made, key


@asynccontextmanager
async def port_of(redis_url: str, tls: tuple[Path, Path] | None = None) -> AsyncIterator[int]:
    """Give a port of this machine that leads to the server's socket, with TLS or without."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def lead_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, back = await asyncio.open_unix_connection(urlsplit(redis_url).path)
        both = (pump(reader, back), pump(beyond, writer))
        await asyncio.gather(*both, return_exceptions=True)

    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    server = await asyncio.start_server(lead_on, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def refused(url: str) -> str:
    """Return what is said of a URL, but for the address."""
    with pytest.raises(StoreUnavailable) as caught:
        await RedisStore.connect(url, timeout_s=TIMEOUT_S)
    return str(caught.value).partition("/0 ")[2]


async def test_a_server_without_tls_is_said_to_have_none(redis_url: str) -> None:
    async with port_of(redis_url) as port:
        said = await refused(f"rediss://127.0.0.1:{port}")

    assert said == "speaks no TLS: write redis:// instead of rediss://"


async def test_a_server_with_tls_is_said_to_have_it(
    redis_url: str, certificate: tuple[Path, Path]
) -> None:
    async with port_of(redis_url, certificate) as port:
        said = await refused(f"redis://127.0.0.1:{port}")

    assert said == "speaks TLS: write rediss:// instead of redis://"


@pytest.mark.parametrize(("scheme", "knocks"), [("redis", 1), ("rediss", 2)])
async def test_a_silent_server_is_asked_for_no_longer_than_any_other(
    scheme: str, knocks: int
) -> None:
    """Without TLS the time is up by then; with it, a part was kept back for one question."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = await refused(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
        silent.setblocking(False)  # noqa: FBT003 - as its name says
        came = len(list(waiting(silent)))

    assert said.startswith("did not answer within ")
    assert came == knocks


def waiting(server: socket.socket) -> Iterator[None]:
    """Take those who have connected, whom nobody has answered."""
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            yield


async def test_an_authority_of_ones_own_is_named_in_the_url(
    redis_url: str, certificate: tuple[Path, Path]
) -> None:
    async with port_of(redis_url, certificate) as port:
        said = await refused(f"rediss://127.0.0.1:{port}")
        store = await RedisStore.connect(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate[0]}")
        assert await store.ping() > 0
        await store.close()

    assert said.startswith("has a certificate that is not trusted here (its authority's file is ")
    assert "?ssl_ca_certs=/PATH in the URL, or by SSL_CERT_FILE)" in said


async def test_an_authority_of_ones_own_is_named_by_the_environment(
    redis_url: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate[0]))
    async with port_of(redis_url, certificate) as port:
        store = await RedisStore.connect(f"rediss://localhost:{port}")
        assert await store.ping() > 0
        await store.close()
