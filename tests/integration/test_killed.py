"""A run that is killed while it starts: nothing of it is left, whatever Ray was waiting for."""

from __future__ import annotations

import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.support.commands import Surroundings, handles, surroundings, until

pytestmark = [
    pytest.mark.usefixtures("signals_of_a_terminal"),
    pytest.mark.integration,
    pytest.mark.timeout(240),
]

RUN = ("run", "why?", "--model", "simulated:?ttft_s=60")
Moment = Callable[[Surroundings, Process], Awaitable[object]]


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


async def its_event_loop_runs(_here: Surroundings, process: Process) -> None:
    await until(lambda: handles(process.pid, signal.SIGHUP))


async def ray_has_started_its_raylet(here: Surroundings, _process: Process) -> None:
    await here.until_there("raylet")


async def ray_waits_with_the_interpreters_lock(here: Surroundings, _process: Process) -> None:
    """It waits for a process of its own, which is stopped before it can say that it is there."""
    for pid in await here.until_there("gcs_server"):
        os.kill(pid, signal.SIGSTOP)


@pytest.mark.parametrize(
    "moment",
    [its_event_loop_runs, ray_has_started_its_raylet, ray_waits_with_the_interpreters_lock],
)
async def test_nothing_is_left_of_a_run_that_is_killed(here: Surroundings, moment: Moment) -> None:
    process = await here.start(*RUN, stdout=DEVNULL, stderr=DEVNULL)
    await moment(here, process)
    here.remember()

    process.kill()

    await process.wait()
    await here.nothing_is_left()
