"""The shortest way to another host: a unix socket on the same machine, else gRPC.

An address is `host:port`, and where its host also listens on a socket `host:port;machine;path`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from cluster.kernel.errors import PeerUnavailable
from cluster.transport.port import Accept, Connection, Transport
from cluster.transport.unix_socket import UnixTransport

_log = logging.getLogger(__name__)

_BOOT_ID = Path(os.sep, "proc", "sys", "kernel", "random", "boot_id")


def machine_id() -> str:
    """Return what tells this machine from others, anew at each boot; empty where it can't be told.

    Containers on one machine share it, and not always the folder of the socket: then nobody
    answers there and the way is gRPC.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class NearestTransport:
    """Listens on both; dials the socket where it can. ``make_far`` is called when it is needed."""

    def __init__(self, near: Transport, make_far: Callable[[], Transport], machine: str) -> None:
        self._near = near
        self._make_far = make_far
        self._far_made: Transport | None = None
        self._machine = machine

    @property
    def _far(self) -> Transport:
        if self._far_made is None:
            self._far_made = self._make_far()
        return self._far_made

    async def listen(self, accept: Accept) -> str:
        """Start accepting on both; return the address that says so."""
        address = await self._far.listen(accept)
        if not self._machine:
            return address
        try:
            path = await self._near.listen(accept)
        except OSError as error:
            _log.warning("no unix socket can be made here (%s): others come over gRPC", error)
            return address
        return f"{address};{self._machine};{path}"

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Connect over the socket where the machine is ours and it answers, else over gRPC."""
        far, _, near = address.partition(";")
        machine, _, path = near.partition(";")
        if path and machine and machine == self._machine:
            try:
                return await self._near.dial(path, timeout_s)
            except PeerUnavailable as error:
                _log.debug("%s: trying gRPC", error)
        return await self._far.dial(far, timeout_s)

    async def close(self) -> None:
        """Close both."""
        await self._near.close()
        if self._far_made is not None:
            await self._far_made.close()


def nearest_transport(token: str, listen_host: str, now: Callable[[], float]) -> NearestTransport:
    """Return the transport of a host or driver; ``now`` is the clock of deadlines.

    Importing grpc takes a third of a second: who finds everybody on this machine never does.
    """

    def make_far() -> Transport:
        from cluster.transport.grpc_exchange import GrpcTransport

        return GrpcTransport(token, listen_host, now)

    return NearestTransport(UnixTransport(token, now), make_far, machine_id())
