"""A whole cluster for as long as a context, or until `down`; nothing of it is left, ever."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import Cluster
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import (
    PlacementError,
    StoreUnavailable,
    TaskCancelled,
    UsageError,
)
from cluster.kernel.ids import agent_id
from cluster.kernel.registration import Registration
from cluster.memory.directory import Directory, scope_of
from cluster.memory.store.redis import RedisStore
from cluster.placement.local.local_cluster import LocalCluster
from cluster.placement.local.process_table import ProcessId, session_members
from cluster.placement.resident.control import down, status, up
from cluster.placement.resident.file import ResidentRecord, read_file
from cluster.settings import Configuration, Flag, Secrets, load
from tests.support.redis import until_it_answers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def configuration() -> Configuration:
    """A cluster of agents that need no model; nobody has the exporter of its spans."""
    environment = {"OTEL_TRACES_EXPORTER": "jaegr"}
    loaded = load(flags=[Flag("model.uri", "simulated:", "test")], environment=environment)
    parts = replace(loaded.settings.parts, factory="tests.support.placement:build_echo")
    return replace(loaded, settings=replace(loaded.settings, parts=parts))


async def until_gone(resident: ResidentRecord) -> None:
    async with asyncio.timeout(WAIT_S):
        while is_running(resident):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)


def is_running(resident: ResidentRecord) -> bool:
    return resident.process.is_alive or session_members(resident.session.pid) != []


def run_dir_of(resident: ResidentRecord) -> Path:
    return Path(resident.secrets_path).parent


async def serving_agents(store: RedisStore, secrets: Secrets) -> set[str]:
    directory = Directory(store, SystemClock(), scope=scope_of(secrets.token, secrets.scope))
    return {registration.agent for registration in await directory.all()}


async def renewed(directory: Directory, registration: Registration) -> None:
    while True:
        await directory.put(registration)
        await asyncio.sleep(directory.lease_s / 3)


async def test_two_clusters_that_live_in_one_scope_are_told_apart_before_an_agent_starts(
    configuration: Configuration, redis_url: str
) -> None:
    scope = "0123456789abcdef"
    store = await RedisStore.connect(redis_url)
    directory = Directory(store, SystemClock(), scope=scope)
    epoch = await directory.next_epoch(agent_id("manager", 0))
    other = Registration(agent_id("manager", 0), "10.1.2.3:4567;elsewhere", epoch)
    renewing = asyncio.create_task(renewed(directory, other))
    secrets = replace(configuration.secrets, redis_url=redis_url, scope=scope)

    with pytest.raises(PlacementError, match=r"another cluster .*manager-0 at 10\.1\.2\.3:4567\)"):
        async with LocalCluster(replace(configuration, secrets=secrets)):
            pass

    assert not renewing.done()
    renewing.cancel()
    await store.close()


async def test_it_runs_as_long_as_its_context_starts_a_killed_store_again_and_leaves_nothing(
    configuration: Configuration,
) -> None:
    heard: list[str] = []

    async with LocalCluster(configuration, on_progress=heard.append) as cluster:
        secrets_path, session = cluster.secrets_path, cluster.process.pid
        secrets = Secrets.read_secrets(secrets_path)
        store = await RedisStore.connect(secrets.redis_url)
        serving_before = await serving_agents(store, secrets)
        await store.put_many({"acknowledged": b"yes"})
        pid = await until_it_answers(secrets.redis_url)
        os.kill(pid, signal.SIGKILL)
        await until_it_answers(secrets.redis_url, pid)
        found = await store.get_many(["acknowledged"])
        serving_after = await serving_agents(store, secrets)
        await store.close()

    assert serving_before == serving_after == {"manager-0", "researcher-0", "coder-0"}
    assert found == [b"yes"]
    assert len(secrets.token) >= 32
    assert "starting Ray" in heard
    assert len([each for each in heard if "has the exporter jaegr" in each]) == 1
    assert session_members(session) == []
    assert not secrets_path.parent.exists()


async def test_what_keeps_it_from_starting_is_one_error_and_nothing_is_left(
    configuration: Configuration,
) -> None:
    secrets = replace(configuration.secrets, redis_url="redis://127.0.0.1:1/0")
    cluster = LocalCluster(replace(configuration, secrets=secrets))

    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
        await cluster.__aenter__()


async def test_a_resident_cluster_stays_until_it_is_taken_down(
    configuration: Configuration,
) -> None:
    resident = await up(configuration)
    with pytest.raises(UsageError, match="up already"):
        await up(configuration)
    found = await status()
    mode = os.stat(resident.secrets_path).st_mode  # noqa: PTH116 - takes no time

    assert await down()

    assert found is not None
    assert found.missing == ()
    assert found.resident == resident
    assert resident.dashboard_url.startswith("http://127.0.0.1:")
    assert stat.S_IMODE(mode) == 0o600
    assert not is_running(resident)
    assert read_file() is None
    assert not run_dir_of(resident).exists()
    assert not await down()


async def test_taking_it_down_ends_its_tasks_and_a_run_beside_it_that_uses_its_store() -> None:
    await up(load(flags=[Flag("model.uri", "simulated:?ttft_s=60", "test")], environment={}))
    # Of another model, so that it gets agents of its own.
    other = load(flags=[Flag("model.uri", "simulated:?ttft_s=61", "test")], environment={})
    async with Cluster() as attached, Cluster(configuration=other) as beside:
        tasks = [await each.submit("Why?", deadline_s=120.0) for each in (attached, beside)]
        first = [await anext(aiter(task)) for task in tasks]

        assert await down()
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(TaskCancelled, match="the cluster was stopped"):
                await tasks[0]
            with pytest.raises(TaskCancelled, match="the store that this run uses went with it"):
                await tasks[1]

    assert [event.kind for event in first] == ["submitted", "submitted"]


@pytest.mark.parametrize("victim", ["process", "session"])
async def test_killing_the_resident_cluster_leaves_nothing(
    configuration: Configuration, victim: str
) -> None:
    resident = await up(configuration)
    process: ProcessId = getattr(resident, victim)

    os.kill(process.pid, signal.SIGKILL)

    await until_gone(resident)
    assert await status() is None
    assert not await down()  # removes the file, where its writer could not
    assert read_file() is None
    assert not run_dir_of(resident).exists()


async def test_giving_up_while_it_starts_leaves_nothing(configuration: Configuration) -> None:
    def give_up(_progress: str) -> None:
        starting.cancel()

    starting = asyncio.create_task(up(configuration, give_up))
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert read_file() is None
    assert await status() is None
