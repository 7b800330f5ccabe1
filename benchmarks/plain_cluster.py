"""A cluster of plain processes without Ray: its agents' hosts, an embedded Redis, and drivers.

For benchmarks and for tests that kill, stop and count processes. The agents are the real ones, in
processes of their own (`benchmarks.agent_host`), reached as in any cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import role_of
from cluster.kernel.sections import ModelSettings
from cluster.memory.directory import scope_of
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from cluster.runtime.driver.driver import Driver
from cluster.settings import Secrets
from cluster.settings.values import Settings
from cluster.transport.nearest import nearest_transport

AGENTS = ("manager-0", "researcher-0", "coder-0")
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.02
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class HostProcess:
    """The process of one agent's host."""

    agent: str
    ready_file: Path
    log_file: Path
    popen: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    @property
    def address(self) -> str:
        """Where it listens; empty as long as it does not serve."""
        return self.ready_file.read_text(encoding="utf-8") if self.ready_file.exists() else ""

    @property
    def rss_bytes(self) -> int:
        """Resident memory."""
        return rss_bytes(self.pid)

    def signal(self, number: int) -> None:
        """Send it a signal; a process that has ended is passed over."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)

    def gauges(self) -> dict[str, int]:
        """Return its counts of asyncio tasks, Python objects and open handles."""
        assert self.popen.stdout is not None
        self.signal(signal.SIGUSR1)
        counts: dict[str, int] = json.loads(self.popen.stdout.readline())
        return counts

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Wait for its end, and kill it where that takes too long."""
        try:
            self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()


@dataclass
class PlainCluster:
    """Hosts, store and drivers in a folder; a context manager that starts and stops them.

    Processes die with the thread that started them, so use it from a thread that stays.
    """

    folder: Path
    model: ModelSettings
    agents: Sequence[str] = AGENTS
    settings: Settings = field(default_factory=Settings)
    concurrency: Mapping[str, int] = field(default_factory=dict)
    """Of a role, where it isn't the settings'."""
    redis_url: str = ""
    """Of a store that runs already; without one, an embedded one is started and stopped."""
    host_module: str = "benchmarks.agent_host"
    """What serves an agent, as a module with the arguments of that one."""
    hosts: dict[str, HostProcess] = field(default_factory=dict)
    _started: int = 0
    _secrets: Secrets = field(default_factory=Secrets)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        """Start the store and all agents; return when all of them serve."""
        with contextlib.ExitStack() as stack:
            if not self.redis_url:
                self.redis_url = stack.enter_context(EmbeddedRedis(is_temporary=True)).url
            self._secrets = Secrets(token=secrets.token_hex(16), redis_url=self.redis_url)
            self._secrets.write_secrets(self.folder / "secrets")
            self._settings_file.write_text(self._all_settings().public_json(), encoding="utf-8")
            stack.callback(self.stop)
            for agent in self.agents:
                self.start(agent)
            self.wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop everything that was started."""
        self._stack.close()

    @property
    def _settings_file(self) -> Path:
        return self.folder / "settings.json"

    def _all_settings(self) -> Settings:
        roles = {role_of(agent) for agent in self.agents}
        agents = {
            role: replace(each, concurrency=self.concurrency.get(role, each.concurrency))
            for role, each in self.settings.agents.items()
            if role in roles
        }
        return replace(self.settings, model=self.model, agents=agents)

    def start(self, agent: str) -> HostProcess:
        """Start an agent's host, a first one or one that follows another; it serves later."""
        self._started += 1
        ready_file = self.folder / f"{agent}.{self._started}.ready"
        log_file = self.folder / f"{agent}.{self._started}.log"
        with log_file.open("wb") as log:
            popen = subprocess.Popen(
                [
                    *(sys.executable, "-m", self.host_module, agent),
                    *("--settings", str(self._settings_file)),
                    *("--secrets", str(self.folder / "secrets")),
                    *("--ready-file", str(ready_file), "--parent", str(os.getpid())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},
            )
        self.hosts[agent] = host = HostProcess(agent, ready_file, log_file, popen)
        return host

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Block until every host that was started serves.

        Raises:
            TimeoutError: one of them did not come up; with its last words.
        """
        gives_up_at = time.monotonic() + timeout_s
        for host in self.hosts.values():
            while not host.address:
                if time.monotonic() > gives_up_at or host.popen.poll() is not None:
                    words = host.log_file.read_text(encoding="utf-8", errors="replace")[-500:]
                    raise TimeoutError(f"{host.agent} does not serve: {words}")
                time.sleep(_POLL_S)

    def kill(self, agent: str) -> None:
        """End an agent's host as a crash does, and wait until it is gone."""
        self.hosts[agent].signal(signal.SIGKILL)
        self.hosts[agent].wait()

    def stop(self) -> None:
        """End all hosts in order."""
        for host in self.hosts.values():
            host.signal(signal.SIGCONT)
            host.signal(signal.SIGTERM)
        for host in self.hosts.values():
            host.wait()

    @contextlib.asynccontextmanager
    async def driver(self) -> AsyncIterator[Driver]:
        """Join the cluster with a driver of one's own."""
        async with self.store() as store:
            clock = SystemClock()
            token = self._secrets.token
            transport = nearest_transport(token, self.settings.network.host, clock.now)
            driver = Driver(store, transport, clock, scope=scope_of(token))
            await driver.open()
            try:
                yield driver
            finally:
                await driver.close()

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[RedisStore]:
        """Connect to the store."""
        store = await RedisStore.connect(self.redis_url)
        try:
            yield store
        finally:
            await store.close()


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * _PAGE_BYTES


def descendants(pid: int) -> dict[int, str]:
    """Return the processes below one, each with its command line."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    family = {pid}
    while family := {child for child, parent in parents.items() if parent in family}:
        found |= {child: _command(child) for child in family}
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


async def until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Look again and again until something holds.

    Raises:
        TimeoutError: it did not within the time.
    """
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - nothing would set an event
            await asyncio.sleep(_POLL_S / 4)
