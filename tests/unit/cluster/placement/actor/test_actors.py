"""The actor's body: it serves from its construction on, tries again, and says how it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cluster.kernel.ids import AgentId
from cluster.placement.actor.actors import AgentActor
from cluster.placement.actor.host_spec import HostSpec
from tests.support import placement


class QuickActor(AgentActor):
    """Tries again at once."""

    RETRY_FIRST_S = 0.0


@pytest.fixture
def spec(tmp_path: Path) -> HostSpec:
    return HostSpec(AgentId("researcher-0"), str(tmp_path / "journal"), "secrets.json")


def actor(spec: HostSpec, opener: str) -> AgentActor:
    return QuickActor(spec, f"tests.support.placement:{opener}")


async def until(hosting: AgentActor, state: str) -> None:
    """Let the event loop run until the host is so."""
    for _ in range(1_000_000):
        if (await hosting.health()).state == state:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"it never came to be {state}")


def journal(spec: HostSpec) -> list[str]:
    return Path(spec.settings_json).read_text(encoding="utf-8").split()


async def test_it_serves_without_being_called_since_ray_restarts_only_construct(
    spec: HostSpec,
) -> None:
    hosting = actor(spec, "open_stub")

    health = await hosting.start()

    assert health.state == "serving"
    assert health.address.startswith("stub:")
    assert journal(spec) == ["started"]
    await hosting.drain()


async def test_it_is_shown_by_the_name_of_its_agent(spec: HostSpec) -> None:
    hosting = actor(spec, "open_stub")

    assert repr(hosting) == "fleetmind/researcher-0"
    await hosting.drain()


async def test_draining_stops_the_host_once(spec: HostSpec) -> None:
    hosting = actor(spec, "open_stub")
    await hosting.start()

    await hosting.drain()
    await hosting.drain()

    assert journal(spec) == ["started", "stopped"]
    assert (await hosting.health()).state == "stopped"


async def test_the_tasks_of_its_host_end_only_while_it_has_one(spec: HostSpec) -> None:
    hosting = actor(spec, "open_stub")
    await hosting.end_tasks("too early")
    await hosting.start()

    await hosting.end_tasks("the cluster was stopped")
    await hosting.drain()
    await hosting.end_tasks("too late")

    assert placement.opened[-1].tasks_ended_for == "the cluster was stopped"


async def test_a_failed_start_says_why(spec: HostSpec) -> None:
    hosting = actor(spec, "open_refused")

    health = await hosting.start()

    assert health.state == "failing"
    assert health.failure is not None
    assert health.failure.kind == "usage"
    assert health.failure.message == "the class of researcher-0 is unknown"
    await hosting.drain()


async def test_a_fault_of_the_program_is_contained_and_named(spec: HostSpec) -> None:
    hosting = actor(spec, "open_with_a_fault")

    health = await hosting.start()

    assert health.failure is not None
    assert "ZeroDivisionError" in health.failure.message
    await hosting.drain()


async def test_an_opener_that_is_not_there_is_a_failure_too(spec: HostSpec) -> None:
    hosting = actor(spec, "open_nothing")

    assert (await hosting.start()).state == "failing"
    await hosting.drain()


async def test_it_tries_again_until_it_serves(spec: HostSpec) -> None:
    hosting = actor(spec, "open_at_second_try")
    assert (await hosting.start()).state == "failing"

    await until(hosting, "serving")

    assert journal(spec) == ["tried", "started"]
    await hosting.drain()


async def test_a_host_that_was_replaced_is_stopped_and_the_actor_stays(spec: HostSpec) -> None:
    hosting = actor(spec, "open_stub")
    await hosting.start()

    placement.opened[-1].fence.set()
    await until(hosting, "fenced")

    assert journal(spec) == ["started", "stopped"]
    await hosting.drain()
