"""The processes of one chaos cluster: started, restarted when they die (as Ray does), hurt.

A cluster has a folder and a store and, where its faults need them, a proxy before every agent and
one before the store. It is driven from the process that injects the faults.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.chaos.event_log import EventReader, Record
from tests.chaos.host_process import FENCED, armed_path, upstream_path
from tests.chaos.proxy import ChaosProxy
from tests.chaos.redis_server import RedisServer
from tests.chaos.zygote import Zygote

READY_S = 30.0
STOP_S = 90.0


@dataclass(slots=True)
class Member:
    """One agent and the process that is its current incarnation."""

    agent: str
    kind: str
    proxy: ChaosProxy | None
    more: dict[str, Any]
    pid: int = 0


class ChaosCluster:
    """A store and some hosts as processes; an async context manager that ends them all."""

    def __init__(
        self,
        zygote: Zygote,
        folder: Path,
        rng: random.Random,
        *,
        lease_s: float,
        restart_s: float = 0.0,
        has_proxies: bool = True,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.rng = rng
        self.lease_s = lease_s
        self._restart_s = restart_s
        self._has_proxies = has_proxies
        self.zygote = zygote
        self.redis = RedisServer(zygote, folder)
        self.redis_proxy = ChaosProxy(lambda: ("127.0.0.1", self.redis.port), rng)
        self.events = EventReader(folder)
        self.members: dict[str, Member] = {}
        self.unexpected: list[str] = []
        """Ends that nobody caused."""
        self.pids: list[int] = []
        """Of all processes that were ever agents of this cluster."""
        self._expected: set[int] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def __aenter__(self) -> Self:
        await self.redis.start()
        await self.redis_proxy.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def add(self, agent: str, kind: str, **more: Any) -> Member:
        """Start an agent and wait until it serves."""
        proxy = (
            await ChaosProxy(self._upstream(agent), self.rng).start() if self._has_proxies else None
        )
        member = self.members[agent] = Member(agent, kind, proxy, more)
        await self._spawn(member)
        await self.ready(agent)
        return member

    def _upstream(self, agent: str) -> Callable[[], tuple[str, int]]:
        def upstream() -> tuple[str, int]:
            address = upstream_path(self.folder, agent).read_text(encoding="utf-8")
            host, _, port = address.rpartition(":")
            return host, int(port)

        return upstream

    async def _spawn(self, member: Member) -> int:
        spec = {
            "agent": member.agent,
            "kind": member.kind,
            "folder": str(self.folder),
            "redis_url": self._redis_url(),
            "proxy_port": member.proxy.port if member.proxy is not None else 0,
            "lease_s": self.lease_s,
            **member.more,
        }
        member.pid = await self.zygote.spawn(spec, self.folder / f"{member.agent}.log")
        self.pids.append(member.pid)
        watch = asyncio.ensure_future(self._watch(member, member.pid))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return member.pid

    def _redis_url(self) -> str:
        """Return the store's address: TCP in both cases, since sockets break in other ways."""
        port = self.redis_proxy.port if self._has_proxies else self.redis.port
        return f"redis://127.0.0.1:{port}"

    async def _watch(self, member: Member, pid: int) -> None:
        """Start an agent anew when its process has ended, unless it was replaced already."""
        status = await self.zygote.ended(pid)
        if self._is_stopping or member.pid != pid or status == FENCED:
            return
        if status != -signal.SIGKILL and pid not in self._expected:
            self.unexpected.append(f"{member.agent} ended with {status}")
        await asyncio.sleep(self._restart_s)
        await self._spawn(member)

    async def ready(self, agent: str, pid: int | None = None) -> Record:
        """Wait until an agent's current process serves."""
        pid = pid or self.members[agent].pid
        return await self.events.until("ready", READY_S, pid=pid)

    # ---- faults ----------------------------------------------------------------------------

    def kill(self, agent: str) -> int:
        """Kill an agent's process as the kernel does; return its pid."""
        pid = self.members[agent].pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    async def crash_at(self, agent: str, point: str, timeout_s: float) -> float | None:
        """Let an agent die at its next crossing of a point; return when it died.

        None where it did not come to that point in time: nothing was hurt then.
        """
        pid = self.members[agent].pid
        armed_path(self.folder, agent).write_text(point, encoding="utf-8")
        try:
            async with asyncio.timeout(timeout_s):
                await self.zygote.ended(pid)
        except TimeoutError:
            armed_path(self.folder, agent).unlink(missing_ok=True)
            return None
        found = self.events.find("crashed", pid=pid)
        return float(found[0]["t"]) if found else time.monotonic()

    async def restarted(self, agent: str, old: int) -> Record:
        """Wait until an agent serves from another process than the old one."""
        async with asyncio.timeout(READY_S):
            while self.members[agent].pid == old:  # noqa: ASYNC110 - the log is a file
                await asyncio.sleep(0.005)
        return await self.ready(agent)

    def freeze(self, agent: str) -> int:
        """Stop an agent's process where it stands; return its pid."""
        pid = self.members[agent].pid
        os.kill(pid, signal.SIGSTOP)
        return pid

    def thaw(self, pid: int) -> None:
        """Let a stopped process go on."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    async def replace(self, agent: str) -> Record:
        """Start another process of an agent, whatever its present one does."""
        await self._spawn(self.members[agent])
        return await self.ready(agent)

    # ---- the end ---------------------------------------------------------------------------

    async def finish(self, *agents: str) -> None:
        """Let agents come to an end of their own work, then end.

        Raises:
            TimeoutError: some did not, and were killed, so that nobody judges what still changes.
        """
        pids = [self.members[agent].pid for agent in agents]
        self._expected.update(pids)
        for agent, pid in zip(agents, pids, strict=True):
            self.members[agent].pid = 0
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*[self.zygote.ended(pid) for pid in pids])
        except TimeoutError:
            left = {pid: agent for agent, pid in zip(agents, pids, strict=True)}
            left = {pid: left[pid] for pid in pids if self.zygote.is_alive(pid)}
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.gather(*[self.zygote.ended(pid) for pid in left])
            raise TimeoutError(f"{', '.join(left.values())} did not come to an end") from None

    async def stop(self) -> None:
        """End every process and proxy."""
        self._is_stopping = True
        for record in self.events.find("ready"):
            if self.zygote.is_alive(record["pid"]):
                with suppress(ProcessLookupError):  # it has ended, and that is on its way to us
                    os.kill(record["pid"], signal.SIGKILL)
        for member in self.members.values():
            if member.pid:
                self.kill(member.agent)
            if member.proxy is not None:
                await member.proxy.close()
        await asyncio.gather(*self._watches)
        await self.redis_proxy.close()
        await self.redis.stop()
        self.events.close()
