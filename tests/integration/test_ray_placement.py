"""Agents as real Ray actors: named, one process each, back by themselves after a kill."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from cluster.kernel.errors import PlacementError, UsageError
from cluster.kernel.ids import AgentId
from cluster.placement.actor.actors import AgentHealth
from cluster.placement.actor.host_spec import HostSpec
from cluster.placement.actor.launcher import LaunchOptions, PlacedAgent, launch, stop
from cluster.placement.local.run_dir import make_run_dir
from cluster.placement.ray.session import RaySession, start_local_ray

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

OPTIONS = LaunchOptions("fleetmind", opener="tests.support.placement:open_stub")
WAIT_S = 60.0


@pytest.fixture(scope="module")
def session() -> Iterator[RaySession]:
    run_dir = make_run_dir()
    session = asyncio.run(
        start_local_ray(run_dir / "ray", namespace="fleetmind", has_dashboard=False)
    )
    yield session
    asyncio.run(session.close())
    shutil.rmtree(run_dir)


@pytest.fixture
def specs(tmp_path: Path) -> list[HostSpec]:
    return [
        HostSpec(AgentId(agent), str(tmp_path / agent), str(tmp_path / "secrets.json"))
        for agent in ("researcher-0", "coder-0")
    ]


def journal(spec: HostSpec) -> list[str]:
    return Path(spec.settings_json).read_text(encoding="utf-8").split()


async def health_of(session: RaySession, placed: PlacedAgent) -> AgentHealth | None:
    """Return how an agent is, None while Ray is restarting it."""

    def ask() -> Any:
        try:
            return ray.get(placed.handle.health.remote(), timeout=WAIT_S)
        except ray.exceptions.ActorUnavailableError:
            return None

    health: AgentHealth | None = await session.call(ask, timeout_s=WAIT_S)
    return health


async def test_each_agent_serves_in_a_process_of_its_own(
    session: RaySession, specs: list[HostSpec]
) -> None:
    placed = await launch(session, specs, OPTIONS)

    assert [agent.agent for agent in placed] == ["researcher-0", "coder-0"]
    assert len({agent.address for agent in placed} | {f"stub:{os.getpid()}"}) == 3
    named = await session.call(lambda: ray.util.list_named_actors(all_namespaces=True))
    assert {actor["name"] for actor in named} == {"fleetmind/researcher-0", "fleetmind/coder-0"}
    await stop(session, placed)
    assert journal(specs[0]) == ["started", "stopped"]


async def test_an_agent_that_is_killed_serves_again_without_being_called(
    session: RaySession, specs: list[HostSpec]
) -> None:
    [placed] = await launch(session, specs[:1], OPTIONS)
    before = await health_of(session, placed)
    assert before is not None

    os.kill(before.pid, signal.SIGKILL)

    async with asyncio.timeout(WAIT_S):
        while journal(specs[0]) != ["started", "started"]:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.05)
    after = await health_of(session, placed)
    assert after is None or after.pid != before.pid
    await stop(session, [placed])


async def test_an_agent_that_cannot_start_says_why_and_none_is_left(
    session: RaySession, specs: list[HostSpec]
) -> None:
    refused = replace(OPTIONS, opener="tests.support.placement:open_refused")

    with pytest.raises(UsageError, match=r"can't start: the class of .*-0 is unknown"):
        await launch(session, specs, refused)

    placed = await launch(session, specs, OPTIONS)  # the names are free again
    await stop(session, placed)


async def test_an_agent_that_takes_too_long_is_named(
    session: RaySession, specs: list[HostSpec]
) -> None:
    hasty = replace(OPTIONS, opener="tests.support.placement:open_never", timeout_s=0.0)

    with pytest.raises(PlacementError, match="coder-0, researcher-0 did not start in time"):
        await launch(session, specs, hasty)


async def test_a_name_that_is_taken_is_refused(session: RaySession, specs: list[HostSpec]) -> None:
    placed = await launch(session, specs[:1], OPTIONS)

    with pytest.raises(PlacementError, match="researcher-0"):
        await launch(session, specs[:1], OPTIONS)

    assert (health := await health_of(session, placed[0])) is not None
    assert health.state == "serving"
    await stop(session, placed)


async def test_a_call_that_takes_too_long_is_given_up(session: RaySession) -> None:
    with pytest.raises(PlacementError, match="did not answer within"):
        await session.call(time.sleep, 0.1, timeout_s=0.0)


async def test_the_only_machine_is_ours(session: RaySession) -> None:
    assert [node.is_ours for node in await session.nodes()] == [True]
