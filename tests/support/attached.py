"""A machine with a resident cluster: real Redis, gRPC and agents, everything but Ray.

The hosts of the agents run in the test's process, the commands as processes of their own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cluster.kernel.ids import agent_id
from cluster.placement.actor.assembly import AgentHost, open_host
from cluster.placement.actor.host_spec import HostSpec
from cluster.placement.local.process_table import ProcessId
from cluster.placement.resident.file import ResidentRecord, remove_file, write_file
from cluster.settings import Flag, Secrets, load
from tests.support.commands import ROOT, Ended

AGENTS = tuple(agent_id(role, 0) for role in ("manager", "researcher", "coder"))
TIMEOUT_S = 90.0


class Machine:
    """A machine with a resident cluster, on which commands are run."""

    def __init__(self, folder: Path, hosts: Sequence[AgentHost]) -> None:
        self._folder = folder
        self._hosts = hosts

    async def kill(self, agent: str) -> None:
        """End an agent as a crash does."""
        for host in self._hosts:
            if host.host.profile.agent == agent:
                await host.host.abort()

    async def vanish(self) -> None:
        """End the cluster as `down` does where its Manager can't say so any more."""
        remove_file()
        for host in self._hosts:
            await host.host.abort()

    async def start(self, *arguments: str) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cluster",
            *arguments,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=PIPE,
            stderr=PIPE,
        )

    async def ended(self, process: Process) -> Ended:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
        return Ended(process.returncode, out.decode(), err.decode())

    async def fleetmind(self, *arguments: str) -> Ended:
        return await self.ended(await self.start(*arguments))


@pytest.fixture
def model() -> str:
    return "simulated:"


@pytest.fixture
async def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, model: str
) -> AsyncIterator[Machine]:
    for folder in ("STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{folder}_HOME", str(tmp_path / folder.lower()))
    for name in ("FLEETMIND_MODEL", "FLEETMIND_REDIS_URL", "REDIS_URL", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    secrets_path = tmp_path / "secrets.json"
    token = f"token of {tmp_path}"
    Secrets(token=token, redis_url=redis_url).write_secrets(secrets_path)
    flags = [Flag("model.uri", model, "--model")]
    settings = load(None, flags, environment={}, folder=tmp_path).settings
    async with AsyncExitStack() as stack:
        hosts = []
        for agent in AGENTS:
            host = await open_host(HostSpec(agent, settings.public_json(), str(secrets_path)))
            stack.push_async_callback(host.stop)
            await host.start()
            hosts.append(host)
        own = ProcessId.of(os.getpid())
        assert own is not None
        write_file(
            ResidentRecord(
                process=own,
                session=own,
                since_s=time.time(),
                settings_json=settings.public_json(),
                secrets_path=str(secrets_path),
                ray_address="",
                dashboard_url="",
                agents=AGENTS,
            )
        )
        yield Machine(tmp_path, hosts)
