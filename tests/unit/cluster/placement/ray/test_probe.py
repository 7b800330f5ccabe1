"""Addresses where no Ray answers, each told from the others in time; and a Ray that is broken."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cluster.kernel.errors import PlacementError, UsageError
from cluster.placement.ray import probe
from cluster.placement.ray.probe import check_answers, load_version, split

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HELLO_BYTES = 33
SETTINGS = bytes((0, 0, 6, 4, 0, 0, 0, 0, 0)) + bytes(6)


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    has_served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()
        has_served.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        _, port = listening.sockets[0].getsockname()
        yield f"127.0.0.1:{port}"
        await has_served.wait()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"SM\r\n\r\n")
    writer.write(SETTINGS)
    await writer.drain()


async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(HELLO_BYTES)


async def keep_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()  # to the end of the connection


async def test_what_speaks_http_2_may_be_ray() -> None:
    async with server(greet) as address:
        await check_answers(address)


@pytest.mark.parametrize("answer", [refuse, hang_up])
async def test_another_server_is_told_from_ray(answer: Answer) -> None:
    async with server(answer) as address:
        with pytest.raises(PlacementError, match=f"what answers at {address} is no Ray cluster"):
            await check_answers(address)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async with server(keep_silent) as address:
        with pytest.raises(PlacementError, match=r"answers at .* within 0.05 s"):
            await check_answers(address, 0.05)


async def test_with_tls_an_open_port_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USE_TLS", "1")

    async with server(keep_silent) as address:
        await check_answers(address)


async def test_a_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(PlacementError, match=rf"at 127.0.0.1:{port}: connection refused"):
        await check_answers(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":1", "host:0", "host:99999", "host:x", "http://host:8265"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Ray cluster"):
        split(address)


def test_the_address_of_rays_client_server_is_told_from_others() -> None:
    with pytest.raises(UsageError, match="client server, which can't place agents"):
        split("ray://host:10001")


def test_an_address_may_be_of_the_sixth_version() -> None:
    assert split("[::1]:6379") == ("::1", 6379)


async def test_a_ray_that_can_be_imported_tells_its_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "_LOADED", "print('2.60.0')")

    assert await load_version() == "2.60.0"


async def test_a_ray_that_can_not_be_imported_is_told_with_the_last_that_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "_LOADED", "import ray_that_is_not_there")

    with pytest.raises(PlacementError) as failed:
        await load_version()

    assert str(failed.value).startswith(
        "Ray can't be imported (ModuleNotFoundError: No module named 'ray_that_is_not_there'): "
    )


async def test_what_a_working_directory_calls_ray_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray.py").write_text("__version__ = 'of the working directory'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    assert await load_version() != "of the working directory"
