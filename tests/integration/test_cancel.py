"""A cancelled task ends everywhere: turns, model streams, sandbox; with one terminal event.

Real processes, streams, Redis, sandbox and endpoint; how fast it is, `benchmarks.bench_cancel`
measures. Nothing races: what is cancelled would go on for a minute, all else takes no time.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from agents.models.simulated.model import Timing
from agents.models.simulated.script import Line, Lines
from benchmarks.model_server import ModelServer, model_server
from benchmarks.plain_cluster import PlainCluster, until
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver
from tests.support.plain import COLD, Followed, Holds, followed, is_, said, sandboxes
from tests.support.sandbox import real_sandbox

pytestmark = pytest.mark.integration

GOAL = "Write a program that prints 42."
TOKENS_PER_S = 1.0
"""The first comes at once: a text of one piece is said in no time, one of many takes for ever."""
AT_ONCE = 1
FOR_EVER = 100
STEPS = [
    {"id": "r1", "agent": "researcher", "instruction": "Find out about 42.", "needs": []},
    {"id": "c1", "agent": "coder", "instruction": GOAL, "needs": ["r1"]},
]
PLAN = json.dumps({"steps": STEPS})
FOUND = "It is said that 42 is the answer to it all. " * 3
PROGRAM = "```python\nprint(42)\n```\n" * 5
SLEEPER = "```python\nimport time\ntime.sleep(100)\n```\n"
ANSWER = "It is 42, as the program printed. " * 5


def script(*, held: str = "", program: str = PROGRAM) -> Lines:
    """What the agents say; they don't come to the end of the step that is held."""

    def line(step: str, text: str) -> Line:
        return Line(text, FOR_EVER if step == held else AT_ONCE)

    return {
        "manager": {"plan": line("plan", PLAN), "answer": line("answer", ANSWER)},
        "researcher": {"r1": line("r1", FOUND)},
        "coder": {"c1": line("c1", program)},
    }


@dataclass
class Plain:
    """A cluster of plain processes; its model's server is each test's own."""

    cluster: PlainCluster
    port: int


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
    model = ModelSettings("openai:simulated", f"http://127.0.0.1:{port}/v1")
    folder = tmp_path_factory.mktemp("plain")
    with PlainCluster(folder, model, settings=COLD, concurrency={"coder": 1}) as cluster:
        yield Plain(cluster, port)


@pytest.fixture
async def server(plain: Plain) -> AsyncIterator[ModelServer]:
    async with model_server(Timing(tokens_per_s=TOKENS_PER_S), script(), port=plain.port) as server:
        yield server


@pytest.fixture
async def driver(plain: Plain, server: ModelServer) -> AsyncIterator[Driver]:
    async with plain.cluster.driver() as driver:
        yield driver
    await nothing_runs(plain, server)


async def nothing_runs(plain: Plain, server: ModelServer) -> None:
    """Wait until no model generates and no program runs."""
    await server.until(lambda: all(entry.ended_at is not None for entry in server.log))
    await until(lambda: not sandboxes(plain.cluster))


async def submitted(driver: Driver) -> Followed:
    return await followed(driver, GOAL)


def ends_of(server: ModelServer, one: Followed) -> dict[str, str]:
    """How a task's requests ended, by step."""
    return {entry.step: entry.ended for entry in server.log if is_of(one, entry.headers)}


def is_of(one: Followed, headers: dict[str, str]) -> bool:
    return headers["X-Fleetmind-Task"] == one.task.id


@dataclass(frozen=True)
class Stage:
    """How far a task has come when it is cancelled."""

    holds: Holds
    finished: tuple[str, ...]
    """Steps whose texts were said to the end."""
    held: str
    """The step that is not."""
    program: str = PROGRAM
    is_asked: bool = True
    """Whether the held step's text is being said by then, or may be still to come."""


STAGES = {
    "submitted": Stage(is_("submitted"), (), "plan", is_asked=False),
    "planning": Stage(said("plan"), (), "plan"),
    "planned": Stage(is_("plan_ready"), ("plan",), "r1", is_asked=False),
    "researching": Stage(said("r1"), ("plan",), "r1"),
    "coding": Stage(said("c1"), ("plan", "r1"), "c1"),
    "running": Stage(is_("program"), ("plan", "r1", "c1"), "", SLEEPER, is_asked=False),
    "composing": Stage(said("answer"), ("plan", "r1", "c1"), "answer"),
}


@pytest.mark.parametrize("name", STAGES)
async def test_a_cancelled_task_stops_the_model_and_the_sandbox(
    plain: Plain, server: ModelServer, driver: Driver, name: str
) -> None:
    stage = STAGES[name]
    server.lines = script(held=stage.held, program=stage.program)
    if name == "running":
        async with real_sandbox():
            pass  # or skip: without one no program would run
    one = await submitted(driver)
    await one.until(stage.holds)
    if name == "running":
        await until(lambda: any("--unshare-all" in command for command in sandboxes(plain.cluster)))

    await one.task.cancel("the user has left")

    assert (await one.ended()).kind == "cancelled"
    await nothing_runs(plain, server)
    ends = ends_of(server, one)
    last = ends.pop(stage.held, "cancelled" if not stage.is_asked else "never asked")
    assert (tuple(ends), last) == (stage.finished, "cancelled")
    assert set(ends.values()) <= {"finished"}


async def test_a_task_cancelled_at_once_never_asks_a_model(
    server: ModelServer, driver: Driver
) -> None:
    one = await submitted(driver)

    await one.task.cancel()

    assert (await one.ended()).kind == "cancelled"
    assert ends_of(server, one) == {}


async def test_a_step_that_waits_for_its_turn_is_cancelled_before_it_began(
    plain: Plain, server: ModelServer, driver: Driver
) -> None:
    """The Coder does one step at a time, and never comes to the end of the first."""
    server.lines = script(held="c1")
    first = await submitted(driver)
    await first.until(said("c1"))
    second = await submitted(driver)
    await second.until(lambda event: event.kind == "step_started" and event.step == "c1")

    await second.task.cancel()

    assert (await second.ended()).kind == "cancelled"
    await first.task.cancel()
    assert (await first.ended()).kind == "cancelled"
    await nothing_runs(plain, server)
    assert ends_of(server, second).keys() == {"plan", "r1"}


async def test_cancelling_after_the_end_changes_nothing(
    server: ModelServer, driver: Driver
) -> None:
    one = await submitted(driver)
    assert (await one.ended()).kind == "answered"

    await one.task.cancel()
    server.lines = script(held="plan")
    another = await submitted(driver)

    await another.until(said("plan"))
    await another.task.cancel()
    assert (await another.ended()).kind == "cancelled"
    assert set(ends_of(server, one).values()) == {"finished"}


async def test_cancelling_twice_ends_it_once(server: ModelServer, driver: Driver) -> None:
    server.lines = script(held="r1")
    one = await submitted(driver)
    await one.until(said("r1"))

    await one.task.cancel("first")
    await one.task.cancel("second")

    assert (await one.ended()).kind == "cancelled"


async def test_leaving_cancels_what_still_runs(plain: Plain, server: ModelServer) -> None:
    server.lines = script(held="r1")
    async with plain.cluster.driver() as driver:
        one = await submitted(driver)
        await one.until(said("r1"))

    await nothing_runs(plain, server)
    assert ends_of(server, one) == {"plan": "finished", "r1": "cancelled"}


async def test_a_step_cancelled_while_its_agent_restarts_is_not_run_again(
    plain: Plain, server: ModelServer, driver: Driver
) -> None:
    server.lines = script(held="r1")
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
    assert sum(is_of(one, entry.headers) for entry in server.log) == 2
    await another.task.cancel()
    await another.ended()


async def test_many_tasks_cancelled_at_once_each_end_once(
    server: ModelServer, driver: Driver
) -> None:
    server.lines = script(held="plan")
    tasks = [await submitted(driver) for _ in range(40)]
    await tasks[0].until(said("plan"))

    await asyncio.gather(*(each.task.cancel() for each in tasks))

    endings = [await each.ended() for each in tasks]
    assert {ending.kind for ending in endings} == {"cancelled"}
