"""`up` and `down` where there is a cluster already, or only what a dead one left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from cluster.placement.local.process_table import ProcessId, session_members
from cluster.placement.resident.control import down, silent_ones, status, up
from cluster.placement.resident.file import ResidentRecord, read_file, write_file
from cluster.settings import Configuration, Secrets, Settings
from cluster.transport.in_memory import MemoryNetwork, MemoryTransport
from cluster.transport.port import Connection
from tests.support.placement import SHELL

NEVER = ProcessId(os.getpid(), 1)
"""A process that has died, though its number is in use."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def resident(process: ProcessId, session: ProcessId, secrets_path: str = "") -> ResidentRecord:
    return ResidentRecord(process, session, 0.0, "{}", secrets_path, "", "", ())


def leader_of(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([SHELL, "-mc", script], start_new_session=True)


async def test_a_second_cluster_is_refused() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    write_file(resident(own, own))

    with pytest.raises(UsageError, match=f"is up already .*process {own.pid}"):
        await up(Configuration(Settings(), Secrets()))


async def test_there_is_nothing_to_stop_where_nothing_is_up() -> None:
    assert not await down()


async def test_what_a_dead_cluster_left_is_removed(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    session = leader_of("sleep 600 &")
    session.wait()
    left = ProcessId(session.pid, 0)
    write_file(resident(NEVER, left, str(run_dir / "secrets.json")))

    assert not await down()

    assert session_members(left.pid) == []
    assert not run_dir.exists()
    assert read_file() is None


async def test_processes_of_another_that_has_the_dead_ones_number_are_left_alone(
    tmp_path: Path,
) -> None:
    with leader_of("exec sleep 600") as other:
        write_file(resident(NEVER, ProcessId(other.pid, 1), str(tmp_path / "run" / "secrets")))

        assert not await down()

        assert session_members(other.pid) == [other.pid]
        other.kill()


async def test_there_is_no_status_where_nothing_is_up() -> None:
    assert await status() is None


class HangingTransport(MemoryTransport):
    """Is never connected with one agent."""

    async def dial(self, address: str, timeout_s: float) -> Connection:
        if address == "hangs":
            await asyncio.Event().wait()
        return await super().dial(address, timeout_s)


async def test_agents_that_hang_or_have_died_before_their_lease_ended_are_found() -> None:
    network = MemoryNetwork(time.monotonic)
    server, client = MemoryTransport(network), HangingTransport(network)
    lives = await server.listen(lambda connection: None)
    addresses = {"manager-0": lives, "coder-0": "dead", "researcher-0": "hangs"}
    serving = [Registration(AgentId(each), at, 1) for each, at in addresses.items()]

    silent = await silent_ones(serving, client, 0.01)

    assert silent == {"coder-0", "researcher-0"}
