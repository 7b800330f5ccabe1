"""A Ray cluster of the user's own: joined by `run`, given jobs by `submit`, with its token."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.kernel.errors import PlacementError
from cluster.placement.local.local_cluster import LocalCluster
from cluster.placement.local.process_table import ProcessId
from cluster.placement.resident.file import ResidentRecord, write_file
from cluster.settings import Flag, load
from cluster.settings.values import RaySettings, Settings
from tests.support.ray_head import RayHead, free_ports, ray_head

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 90.0
SETTINGS = """
[model]
uri = "simulated:"
[parts]
factory = "tests.support.placement:build_{agent}"
"""


@pytest.fixture(scope="module")
def head() -> Iterator[RayHead]:
    with ray_head() as head:
        yield head


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, head: RayHead, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings and knowledge, in which the token is the head's."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(head.token_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "fleet.toml").write_text(SETTINGS.format(agent="echo"), encoding="utf-8")
    (tmp_path / "a.md").write_text("# Sky\n\nThe sky is blue.\n", encoding="utf-8")
    return tmp_path


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(WAIT_S):
        stdout, stderr = await process.communicate()
    return process.returncode, stdout.decode(), stderr.decode()


async def fleetmind(*arguments: str) -> tuple[int | None, str, str]:
    return await ended(await started("-m", "cluster", *arguments))


def joining(address: str, apart_from: str = "") -> LocalCluster:
    configuration = load(flags=[Flag("ray.address", address, "--address")], environment={})
    return LocalCluster(configuration, apart_from=apart_from)


def is_up_at(address: str) -> None:
    """Leave the file of a resident cluster that was placed in that Ray."""
    own = ProcessId.of(os.getpid())
    assert own is not None
    settings = Settings(ray=RaySettings(address=address)).public_json()
    write_file(ResidentRecord(own, own, 0.0, settings, "", address, "", ()))


async def test_agents_are_placed_in_a_cluster_that_is_joined_and_leave_it_as_it_was(
    head: RayHead,
) -> None:
    async with joining(head.address) as cluster:
        assert cluster.ready.dashboard_url == head.dashboard_url
        assert set(cluster.ready.agents) == {"manager-0", "researcher-0", "coder-0"}

    async with joining(head.address):
        pass  # it still runs, and the agents' names are free


@pytest.mark.parametrize("host", ["localhost", socket.gethostname()])
async def test_the_ray_of_what_is_up_is_refused_to_serve_whatever_it_is_called(
    head: RayHead, host: str
) -> None:
    is_up_at(head.address)
    address = f"{host}:{head.address.rpartition(':')[2]}"

    code, _, stderr = await fleetmind("serve", "--address", address)

    assert code == 2, stderr
    assert f"at {address} the agents of `fleetmind up` are there already" in stderr
    assert "placing" not in stderr


async def test_the_ray_that_is_found_by_itself_is_compared_too(
    head: RayHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_up_at(head.address)
    monkeypatch.setenv("RAY_ADDRESS", head.address)

    code, _, stderr = await fleetmind("serve", "--address", "auto")

    assert code == 2, stderr
    assert "at auto the agents of `fleetmind up` are there already" in stderr


async def test_a_ray_is_joined_where_that_of_what_is_up_does_not_answer(head: RayHead) -> None:
    (port,) = free_ports(1)

    async with joining(head.address, apart_from=f"127.0.0.1:{port}") as cluster:
        assert "manager-0" in cluster.ready.agents


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"RAY_AUTH_TOKEN": "wrong"}, "refuses our token"),
        ({"RAY_AUTH_TOKEN_PATH": "missing"}, "asks for a token"),
        ({"RAY_AUTH_MODE": "disabled"}, "asks for a token"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "missing"}, "there is no token"),
    ],
)
async def test_a_token_that_is_not_the_clusters_is_one_sentence(
    head: RayHead,
    variables: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(PlacementError, match=sentence):
        await joining(head.address).__aenter__()


async def test_a_job_ends_as_its_run_ended_with_what_the_run_printed(head: RayHead) -> None:
    code, stdout, stderr = await fleetmind(
        *("submit", "why?", "--json", "--knowledge", "a.md", "--deadline", "20"),
        *("--address", head.dashboard_url),
    )

    result = json.loads(stdout)
    assert (code, result["status"]) == (1, "failed"), stderr
    assert "1 of 1 files" in stderr
    assert "fleetmind-result" not in stderr


async def test_a_job_gives_the_answer_with_its_citations_and_the_program_that_ran(
    head: RayHead, folder: Path
) -> None:
    (folder / "fleet.toml").unlink()

    code, stdout, stderr = await fleetmind(
        *("submit", "How do I get the three largest numbers with heapq? Show a program."),
        *("--knowledge", str(ROOT / "examples" / "knowledge"), "--model", "simulated:"),
        *("--json", "--address", head.dashboard_url),
    )

    result = json.loads(stdout)
    assert (code, result["status"]) == (0, "answered"), stderr
    assert any(each["source"].endswith("heaps.md") for each in result["citations"])
    assert result["programs"][-1]["stdout"] == "three largest: [99, 88, 71]\n"


async def test_a_job_has_the_users_own_agent_and_imports_no_document(
    head: RayHead, folder: Path
) -> None:
    for name in ("fleet.toml", "reviewer.py"):
        shutil.copyfile(ROOT / "examples" / "own_agent" / name, folder / name)
    marker = folder.parent / "marker"
    for name in ("pydantic.py", "redis.py", "json.py"):
        (folder / name).write_text(f"open({str(marker)!r}, 'a').write(__name__)\n")

    code, stdout, stderr = await fleetmind(
        *("submit", "Show a program with heapq.nlargest, and have it reviewed.", "--json"),
        *("--knowledge", ".", "--knowledge", str(ROOT / "examples" / "knowledge")),
        *("--model", "simulated:", "--address", head.dashboard_url),
    )

    assert not marker.exists(), marker.read_text()
    assert code == 0, stderr
    assert "reviewer" in {step["agent"] for step in json.loads(stdout)["steps"]}


async def test_a_job_is_refused_with_the_wrong_token(
    head: RayHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")

    code, stdout, stderr = await fleetmind("submit", "why?", "--address", head.dashboard_url)

    assert (code, stdout) == (1, "")
    assert "refuses our token" in stderr
    assert stderr.count("\n") == 1


@pytest.mark.usefixtures("signals_of_a_terminal")
async def test_an_interrupted_job_is_stopped(
    head: RayHead, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fleet.toml").write_text(SETTINGS.format(agent="silent"), encoding="utf-8")
    process = await started("-m", "cluster", "submit", "why?", "--address", head.dashboard_url)
    assert process.stderr is not None
    submitted = (await process.stderr.readline()).decode()
    async with asyncio.timeout(WAIT_S):
        while b"planning" not in await process.stderr.readline():
            pass

    os.kill(process.pid, signal.SIGINT)
    code, _, stderr = await ended(process)

    assert code == 130, stderr
    job, _, _ = submitted.partition(" ")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    ray = str(Path(sys.executable).with_name("ray"))
    _, said, _ = await ended(
        await started(ray, "job", "status", "--address", head.dashboard_url, job)
    )
    assert "stopped" in said.lower()
