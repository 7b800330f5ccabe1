"""One process of a chaos cluster: a host as in production, and a way to die at a chosen point.

Forked by `tests.chaos.zygote`. What its agent does is `tests.chaos.message_roles`' or
`tests.chaos.task_roles`' business; who only writes or caches knowledge, or
shares state, has no agent. It stops on
SIGTERM, and ends with `FENCED` where a newer incarnation has taken over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import uvloop

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError
from cluster.memory.state.host.documents import Documents
from cluster.memory.store.redis import RedisStore
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns.handler import Handler
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.transport.nearest import nearest_transport
from cluster.transport.port import Accept, Connection, Transport
from cluster.wire.messages import MessageCodec
from tests.chaos.event_log import EventLog

Kept = TypeVar("Kept", bound=RedisStore)

TOKEN = "chaos"
FENCED = 3
STORE_TIMEOUT_S = 1.0
_RETRY_S = 0.1
_COUNT_S = 0.5
_FENCED_LINGERS_S = 0.5

AFTER_ACK_S = 0.003


class CrashPoints:
    """Ends this process where it was told to: at the next crossing of a point that is armed.

    Whoever injects the fault arms a point by writing its name into a file.
    """

    def __init__(self, folder: Path, agent: str, log: EventLog) -> None:
        self._path = armed_path(folder, agent)
        self._log = log

    def crossed(self, point: str, **more: object) -> None:
        """Die here if this point is armed."""
        if not self._path.exists() or self._path.read_text(encoding="utf-8") != point:
            return
        self._path.unlink(missing_ok=True)
        self._log.write("crashed", point=point, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    def will_cross(self, point: str, delay_s: float = AFTER_ACK_S, **more: object) -> None:
        """Cross a point a little later, when what happens now has been sent."""
        if self._path.exists():
            asyncio.get_running_loop().call_later(delay_s, lambda: self.crossed(point, **more))


def armed_path(folder: Path, agent: str) -> Path:
    """Return the file that arms a crash of an agent's process."""
    return folder / f"armed-{agent}"


def upstream_path(folder: Path, agent: str) -> Path:
    """Return the file that tells the proxy before an agent where it listens now."""
    return folder / f"upstream-{agent}"


class ProxiedTransport:
    """A transport whose address is that of the proxy before it."""

    def __init__(self, inner: Transport, upstream: Path, port: int) -> None:
        self._inner = inner
        self._upstream = upstream
        self._port = port

    async def listen(self, accept: Accept) -> str:
        """Listen, tell the proxy where, and return the proxy's address."""
        address = await self._inner.listen(accept)
        beside = self._upstream.with_suffix(f".{os.getpid()}")
        beside.write_text(address, encoding="utf-8")
        beside.replace(self._upstream)
        return f"127.0.0.1:{self._port}"

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a connection."""
        return await self._inner.dial(address, timeout_s)

    async def close(self) -> None:
        """Close the inner one."""
        await self._inner.close()


class Part(Protocol):
    """What an agent of a chaos cluster does besides answering."""

    async def run(self, host: Host) -> None:
        """Work until the process is to stop, then come to an end of one's own."""
        ...

    def counts(self) -> dict[str, int]:
        """Return counters that go into the log now and then."""
        ...


class Surroundings:
    """What a role is built from."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.folder = Path(spec["folder"])
        self.log = EventLog(self.folder, spec["agent"])
        self.crash = CrashPoints(self.folder, spec["agent"], self.log)
        self.stopping = asyncio.Event()

    async def store(self, cls: type[Kept]) -> Kept:
        """Connect to the store, however long it takes: it may be the one that is being hurt."""
        while True:
            try:
                return await cls.connect(
                    self.spec["redis_url"], timeout_s=self.spec.get("timeout_s", STORE_TIMEOUT_S)
                )
            except ClusterError as error:
                self.log.write("no store", error=str(error))
                await asyncio.sleep(_RETRY_S)

    def transport(self) -> Transport:
        """Return the transport of production, or gRPC behind a proxy where the spec names one."""
        if not self.spec.get("proxy_port"):
            return nearest_transport(TOKEN, "127.0.0.1", SystemClock().now)
        inner = GrpcTransport(TOKEN, "127.0.0.1", SystemClock().now)
        upstream = upstream_path(self.folder, self.spec["agent"])
        return ProxiedTransport(inner, upstream, self.spec["proxy_port"])


Opener = Callable[[Surroundings], Awaitable[tuple[Host, Part]]]
Role = Callable[[Surroundings], Awaitable[None]]
"""What a process does that is no host of an agent, until it is to stop."""


def plain_host(
    around: Surroundings,
    store: RedisStore,
    make: Callable[[Sender], Handler],
    concurrency: int,
    *,
    documents: Documents | None = None,
) -> Host:
    """Return the host of an agent, with the lease of the spec."""
    return Host(
        AgentProfile(around.spec["agent"], concurrency=concurrency),
        make,
        store=store,
        transport=around.transport(),
        clock=SystemClock(),
        codec=MessageCodec(),
        lease_s=around.spec["lease_s"],
        documents=documents,
    )


async def serve(spec: dict[str, Any], openers: dict[str, Opener]) -> int:
    """Run one host to its end and return the exit status."""
    around = Surroundings(spec)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, around.stopping.set)
    host, part = await openers[spec["kind"]](around)
    while True:
        try:
            await host.start()
        except ClusterError as error:
            around.log.write("failing", error=str(error))
            await asyncio.sleep(_RETRY_S)
        else:
            break
    around.log.write("ready", epoch=host.exchange.epoch, address=host.exchange.address)
    work = asyncio.ensure_future(part.run(host))
    fenced = asyncio.ensure_future(host.is_fenced.wait())
    counting = asyncio.ensure_future(_count(around.log, host, part))
    await asyncio.wait({work, fenced}, return_when=asyncio.FIRST_COMPLETED)
    counting.cancel()
    _write_counts(around.log, host, part)
    if not fenced.done():
        work.result()
        await host.stop()
        return 0
    around.log.write("fenced", epoch=host.exchange.epoch)
    work.cancel()
    await host.abort()
    await asyncio.sleep(_FENCED_LINGERS_S)  # an actor's process lives on: what it does now counts
    _write_counts(around.log, host, part)
    return FENCED


async def _count(log: EventLog, host: Host, part: Part) -> None:
    while True:
        await asyncio.sleep(_COUNT_S)
        _write_counts(log, host, part)


def _write_counts(log: EventLog, host: Host, part: Part) -> None:
    statistics = host.exchange.statistics
    counts = {"duplicates": statistics.duplicates, "stale": statistics.stale, **part.counts()}
    log.write("counts", epoch=host.exchange.epoch, **counts)


def main(spec: dict[str, Any]) -> None:
    """Run a host in this process, as its zygote asked for."""
    from tests.chaos import (
        knowledge_host,
        knowledge_writer,
        message_roles,
        state_person,
        state_replica,
        state_worker,
        task_roles,
    )

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    roles: dict[str, Role] = {
        "writer": knowledge_writer.write,
        "cache": knowledge_host.keep_cache,
        "worker": state_worker.work,
        "person": state_person.edit,
        "watcher": state_replica.watch,
    }
    if spec["kind"] in roles:
        status = uvloop.run(_work(spec, roles[spec["kind"]]))
    else:
        status = uvloop.run(serve(spec, {**message_roles.OPENERS, **task_roles.OPENERS}))
    os._exit(status)


async def _work(spec: dict[str, Any], role: Role) -> int:
    """Run what is no agent to its end, and return the exit status."""
    around = Surroundings(spec)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, around.stopping.set)
    await role(around)
    return 0
