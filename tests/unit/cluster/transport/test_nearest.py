"""The socket is dialled on the same machine, where it answers; everybody else over the network."""

from __future__ import annotations

import time

import pytest

from cluster.kernel.errors import PeerUnavailable
from cluster.transport.in_memory import MemoryNetwork, MemoryTransport
from cluster.transport.nearest import NearestTransport
from cluster.transport.port import Accept, Connection, Transport


class Street:
    """Two networks, the near one of each machine its own; counts who came over which."""

    def __init__(self) -> None:
        self.far = MemoryNetwork(time.monotonic)
        self.near = {machine: MemoryNetwork(time.monotonic) for machine in ("m1", "m2")}
        self.far_made = 0

    def transport(self, machine: str) -> NearestTransport:
        def make_far() -> Transport:
            self.far_made += 1
            return MemoryTransport(self.far)

        near = MemoryTransport(self.near[machine or "m1"])
        return NearestTransport(near, make_far, machine)


class NoSocket(MemoryTransport):
    """A near transport where no socket can be made."""

    async def listen(self, accept: Accept) -> str:
        raise OSError("read-only file system")


def end(connection: Connection) -> None:
    connection.close()


async def test_one_machine_needs_no_network() -> None:
    street = Street()
    address = await street.transport("m1").listen(end)
    street.far_made = 0

    await street.transport("m1").dial(address, 1.0)

    assert street.far_made == 0


async def test_another_machine_is_reached_over_the_network() -> None:
    street = Street()
    address = await street.transport("m1").listen(end)
    street.far_made = 0

    await street.transport("m2").dial(address, 1.0)

    assert street.far_made == 1


async def test_a_socket_that_does_not_answer_is_no_obstacle() -> None:
    street = Street()
    address = await street.transport("m1").listen(end)
    street.near["m1"].listeners.clear()

    connection = await street.transport("m1").dial(address, 1.0)

    assert connection.is_writable


async def test_a_host_without_a_socket_is_reached_by_a_plain_address() -> None:
    street = Street()
    host = NearestTransport(NoSocket(street.near["m1"]), lambda: MemoryTransport(street.far), "m1")

    address = await host.listen(end)

    assert ";" not in address
    connection = await street.transport("m1").dial(address, 1.0)
    assert connection.is_writable


async def test_a_machine_without_a_name_uses_the_network_alone() -> None:
    street = Street()
    address = await street.transport("").listen(end)

    assert ";" not in address
    with pytest.raises(PeerUnavailable):
        await street.transport("").dial("nobody;;there", 1.0)
