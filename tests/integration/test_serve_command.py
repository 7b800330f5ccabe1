"""``fleetmind serve`` as its users run it: with a cluster of its own, refused, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import httpx
import pytest

from cluster.placement.local.process_table import ProcessId
from cluster.placement.resident.file import ResidentRecord, write_file
from cluster.settings.values import RaySettings, Settings
from tests.support.ray_head import free_ports

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0
THEIRS = "127.0.0.1:6379"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("FLEETMIND_MODEL", "FLEETMIND_REDIS_URL", "REDIS_URL", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


async def start(folder: Path, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cluster",
        "serve",
        "--model",
        "simulated:",
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(TIMEOUT_S):
        _, err = await process.communicate()
    return process.returncode, err.decode()


def of_run(url: str) -> list[str]:
    """Return the command lines of processes that were told of a folder or a port of a run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if url.encode() in environment:
                found.append((entry / "cmdline").read_bytes().decode())
    return found


async def test_it_serves_with_a_cluster_of_its_own_and_sigterm_leaves_no_process(
    folder: Path,
) -> None:
    (port,) = free_ports(1)
    process = await start(folder, "--port", str(port))
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT_S):
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
            response = await client.post("/v1/tasks", json={"goal": "What is 2 + 2?", "wait": True})
    during = of_run(str(folder))
    process.send_signal(signal.SIGTERM)
    exit_code, err = await ended(process)

    assert url == f"http://127.0.0.1:{port}"
    assert response.json()["status"] == "answered", response.text
    assert (exit_code, err.splitlines()[-1]) == (143, "fleetmind: terminated")
    assert len(during) > 4
    assert of_run(str(folder)) == []
    assert "Traceback" not in err


async def test_a_port_in_use_is_said_in_one_sentence_before_anything_is_started(
    folder: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        exit_code, err = await ended(await start(folder, "--port", str(port)))

    (line,) = err.splitlines()
    assert exit_code == 2
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line


@pytest.mark.parametrize(("given", "asked"), [("", THEIRS), (THEIRS, THEIRS), ("auto", "auto")])
async def test_the_address_of_what_is_up_is_refused_before_anything_is_started(
    given: str, asked: str, folder: Path
) -> None:
    settings = Settings(ray=RaySettings(address=given)).public_json()
    own = ProcessId.of(os.getpid())
    assert own is not None
    write_file(ResidentRecord(own, own, 0.0, settings, "", THEIRS, "", ()))

    exit_code, err = await ended(await start(folder, "--address", asked))

    (line,) = err.splitlines()
    assert exit_code == 2
    assert f"at {asked} the agents of `fleetmind up` are there already" in line


async def test_where_the_configuration_file_has_the_address_of_what_is_up_its_key_is_named(
    folder: Path,
) -> None:
    settings = Settings(ray=RaySettings(address=THEIRS)).public_json()
    own = ProcessId.of(os.getpid())
    assert own is not None
    write_file(ResidentRecord(own, own, 0.0, settings, "", THEIRS, "", ()))
    (folder / "fleet.toml").write_text(f'[ray]\naddress = "{THEIRS}"\n')

    exit_code, err = await ended(await start(folder))

    assert exit_code == 2
    assert "`address` under [ray] in the configuration file" in err


async def test_without_a_token_nothing_listens_beyond_this_machine(folder: Path) -> None:
    (port,) = free_ports(1)
    exit_code, err = await ended(
        await start(folder, "--host", "0.0.0.0", "--port", str(port))  # noqa: S104 - is refused
    )

    assert exit_code == 2
    assert "fleetmind tokens add" in err.splitlines()[-1]
    assert "Ray" not in err
