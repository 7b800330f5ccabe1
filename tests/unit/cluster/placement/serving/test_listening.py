"""Whether something can listen, and whether something does, is known by trying."""

from __future__ import annotations

import socket

import pytest

from cluster.kernel.errors import UsageError
from cluster.placement.serving.listening import (
    check_can_listen,
    is_listening_within,
    url_of,
    wait_until_free,
)
from cluster.settings.values import ServeSettings


def at(server: socket.socket, host: str = "127.0.0.1") -> ServeSettings:
    return ServeSettings(host=host, port=server.getsockname()[1])


def test_a_port_in_use_may_be_passed_but_no_host_of_elsewhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_can_listen(at(server), may_be_in_use=True)
        with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
            check_can_listen(at(server, "192.0.2.1"), may_be_in_use=True)


async def test_a_port_that_stays_in_use_is_said_in_the_end() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(UsageError, match="in use"),
    ):
        await wait_until_free(at(server), 0.0)
    await wait_until_free(at_port := ServeSettings(port=free_port()), 0.0)
    assert not await is_listening_within(at_port, 0.0)


async def test_what_listens_is_found_also_where_it_does_so_at_every_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await is_listening_within(at(server), 0.0)
        assert await is_listening_within(at(server, "0.0.0.0"), 0.0)  # noqa: S104 - only asked


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123"),
        ("localhost", "http://localhost:8123"),
        ("::1", "http://[::1]:8123"),
        ("[::1]", "http://[::1]:8123"),
        ("0.0.0.0", "http://127.0.0.1:8123"),  # noqa: S104 - nothing listens
        ("::", "http://[::1]:8123"),
    ],
)
def test_the_url_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    assert url_of(ServeSettings(host=host, port=8123)) == url


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
