"""A cancelled task ends everywhere: turns, model streams, sandbox; with one terminal event.

Real processes, streams, Redis, sandbox and model server; how fast it is, `benchmarks.bench_cancel`
measures.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster, until
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver
from tests.support.plain import Followed, Holds, followed, is_, said, sandboxes
from tests.support.sandbox import real_sandbox

pytestmark = pytest.mark.integration

GOAL = "Write a program that prints 42."
TOKENS_PER_S = 40.0
PROGRAM = "```python\nimport time\ntime.sleep(2)\nprint(42)\n```\n"
STEPS = [
    {"id": "r1", "agent": "researcher", "instruction": "Find out about 42.", "needs": []},
    {"id": "c1", "agent": "coder", "instruction": GOAL, "needs": ["r1"]},
]
SCRIPT = {
    "manager": {
        "plan": {"text": json.dumps({"steps": STEPS}), "tokens": 20},
        "answer": {"text": "It is 42, as the program printed. " * 5, "tokens": 40},
    },
    "researcher": {"*": {"text": "It is said that 42 is the answer to it all. ", "tokens": 40}},
    "coder": {"*": {"text": PROGRAM, "tokens": 20}},
}


@dataclass
class Plain:
    """A cluster of plain processes with its model's server."""

    cluster: PlainCluster
    server: ModelServerProcess

    async def nothing_runs(self) -> None:
        """Wait until no model generates, no program runs and no turn is left."""
        await until(lambda: self.server.counts()["running"] == 0)
        await until(lambda: not sandboxes(self.cluster))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    folder = tmp_path_factory.mktemp("plain")
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    with ModelServerProcess(folder, 0.0, TOKENS_PER_S, script=script) as server:
        model = ModelSettings("openai:simulated", server.base_url)
        with PlainCluster(folder, model, concurrency={"coder": 1}) as cluster:
            yield Plain(cluster, server)


@pytest.fixture
async def driver(plain: Plain) -> AsyncIterator[Driver]:
    async with plain.cluster.driver() as driver:
        yield driver
    await plain.nothing_runs()


async def submitted(driver: Driver) -> Followed:
    return await followed(driver, GOAL)


STAGES: dict[str, Holds] = {
    "submitted": is_("submitted"),
    "planning": said("plan"),
    "planned": is_("plan_ready"),
    "researching": said("r1"),
    "coding": said("c1"),
    "running": is_("program"),
    "composing": said("answer"),
}


def requests_of(plain: Plain, one: Followed) -> list[dict[str, Any]]:
    return plain.server.entries(one.task.id)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_cancelled_task_stops_the_model_and_the_sandbox(
    plain: Plain, driver: Driver, stage: str
) -> None:
    if stage == "running":
        async with real_sandbox():
            pass  # or skip: without one no program would run
    one = await submitted(driver)
    await one.until(STAGES[stage])
    if stage == "running":
        await until(lambda: any("--unshare-all" in command for command in sandboxes(plain.cluster)))

    await one.task.cancel("the user has left")

    assert (await one.ended()).kind == "cancelled"
    await plain.nothing_runs()
    ended = {entry["ended"] for entry in requests_of(plain, one)} or {"cancelled"}
    assert ended <= {"finished", "cancelled"}
    if stage != "planned":  # by then the first steps have asked their models, or are about to
        assert ("cancelled" in ended) == (stage != "running")


async def test_a_task_cancelled_at_once_never_asks_a_model(plain: Plain, driver: Driver) -> None:
    one = await submitted(driver)

    await one.task.cancel()

    assert (await one.ended()).kind == "cancelled"
    assert requests_of(plain, one) == []


async def test_a_step_that_waits_for_its_turn_is_cancelled_before_it_began(
    plain: Plain, driver: Driver
) -> None:
    """The Coder does one step at a time."""
    first = await submitted(driver)
    await first.until(is_("plan_ready"))
    second = await submitted(driver)
    await second.until(lambda event: event.kind == "step_started" and event.step == "c1")

    await second.task.cancel()

    assert (await second.ended()).kind == "cancelled"
    await first.task.cancel()
    assert (await first.ended()).kind == "cancelled"
    await plain.nothing_runs()
    assert {entry["headers"]["X-Fleetmind-Step"] for entry in requests_of(plain, second)} == {
        "plan",
        "r1",
    }


async def test_cancelling_after_the_end_changes_nothing(plain: Plain, driver: Driver) -> None:
    one = await submitted(driver)
    assert (await one.ended()).kind == "answered"

    await one.task.cancel()
    another = await submitted(driver)

    await another.until(said("plan"))
    await another.task.cancel()
    assert (await another.ended()).kind == "cancelled"
    assert len(requests_of(plain, one)) >= len(STEPS)


async def test_cancelling_twice_ends_it_once(plain: Plain, driver: Driver) -> None:
    one = await submitted(driver)
    await one.until(said("r1"))

    await one.task.cancel("first")
    await one.task.cancel("second")

    assert (await one.ended()).kind == "cancelled"


async def test_leaving_cancels_what_still_runs(plain: Plain) -> None:
    async with plain.cluster.driver() as driver:
        one = await submitted(driver)
        await one.until(said("r1"))

    await plain.nothing_runs()
    [*_, last] = requests_of(plain, one)
    assert last["ended"] == "cancelled"


async def test_a_step_cancelled_while_its_agent_restarts_is_not_run_again(
    plain: Plain, driver: Driver
) -> None:
    one = await submitted(driver)
    await one.until(said("r1"))
    plain.cluster.kill("researcher-0")

    await one.task.cancel()
    ending = await one.ended()
    plain.cluster.start("researcher-0")
    plain.cluster.wait_until_ready()
    another = await submitted(driver)
    await another.until(said("r1"))

    assert ending.kind == "cancelled"
    assert len(requests_of(plain, one)) == 2
    await another.task.cancel()
    await another.ended()


async def test_many_tasks_cancelled_at_once_each_end_once(plain: Plain, driver: Driver) -> None:
    tasks = [await submitted(driver) for _ in range(40)]
    await tasks[0].until(said("plan"))

    await asyncio.gather(*(each.task.cancel() for each in tasks))

    endings = [await each.ended() for each in tasks]
    assert {ending.kind for ending in endings} == {"cancelled"}
