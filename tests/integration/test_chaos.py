"""A short form of the chaos campaign (``make chaos``): real hosts, streams and Redis, hurt.

Much of its time is waiting, so its clusters run side by side, once for the module; few enough to
be quick, each with few tasks at a time, so that these are answered in time on any machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import uvloop

from tests.chaos.figures import Figures
from tests.chaos.frames_cell import run_frames_cell
from tests.chaos.knowledge_cell import KnowledgeCell, run_knowledge_cell
from tests.chaos.message_cell import MessageCell, run_message_cell
from tests.chaos.state_cell import StateCell, run_state_cell
from tests.chaos.storm_cell import run_storm_cell
from tests.chaos.task_cell import POINTS, ROLES, TaskCell, run_task_cell
from tests.chaos.zygote import Zygote

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

LEASE_S = 2.0
"""Twice the campaign's: other tests may want the machine at the same time."""
BOUNDARIES = {f"{role} at boundaries": [f"{role} {point}" for point in POINTS] for role in ROLES}
KILLS = tuple(f"kill {role}" for role in ROLES)
CLUSTERS_AT_ONCE = 6
TASKS_AT_ONCE = 4
FRAMES = 400
STATE = StateCell("worker edited", 2, 1, pause_s=(0.2, 0.5), workers=2, persons=1)
KNOWLEDGE = KnowledgeCell("redis killed", 1, 1, lease_s=0.5, sources=200, pause_s=(0.2, 0.5))

RunCell = Callable[[Zygote, Path], Coroutine[None, None, Figures]]


def tasks(*faults: str, has_standby: bool = True) -> RunCell:
    """A cluster that is hurt once in each way while it is submitted to."""
    cell = TaskCell(
        "tasks",
        faults,
        len(faults),
        seed=1,
        has_standby=has_standby,
        lease_s=LEASE_S,
        tasks_per_s=3.0,
        restart_s=0.0,
        at_once=TASKS_AT_ONCE,
    )
    return lambda zygote, folder: run_task_cell(zygote, cell, folder)


def messages(fault: str, runs: int = 1) -> RunCell:
    """An asker, a teller and a sink that are hurt in one way."""
    cell = MessageCell(fault, runs, 1, lease_s=LEASE_S, asks_per_s=100, tells_per_s=200)
    return lambda zygote, folder: run_message_cell(zygote, cell, folder)


CELLS: dict[str, RunCell] = {
    **{name: tasks(*faults) for name, faults in BOUNDARIES.items()},
    "cancels": lambda zygote, folder: run_storm_cell(zygote, 500, 1, folder),
    "restarts": tasks(*KILLS, has_standby=False),
    "zombie": tasks("zombie manager", has_standby=False),
    "store": tasks("redis killed"),
    "blackhole": tasks("link blackholed"),
    "sink killed": messages("crash sink between", 4),
    "sink thawed": messages("zombie sink"),
    "links reset": messages("link reset"),
    "frames": lambda zygote, folder: run_frames_cell(zygote, FRAMES, 1, folder),
    "knowledge": lambda zygote, folder: run_knowledge_cell(zygote, KNOWLEDGE, folder),
    "state": lambda zygote, folder: run_state_cell(zygote, STATE, folder),
}


async def run_cells(root: Path) -> dict[str, Figures]:
    room = asyncio.Semaphore(CLUSTERS_AT_ONCE)

    async def run(cell: RunCell, zygote: Zygote, folder: Path) -> Figures:
        async with room:
            return await cell(zygote, folder)

    async with await Zygote.start() as zygote, asyncio.TaskGroup() as group:
        running = {
            name: group.create_task(run(cell, zygote, root / str(number)))
            for number, (name, cell) in enumerate(CELLS.items())
        }
        await asyncio.wait(running.values())
    return {name: cell.result() for name, cell in running.items()}


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, Figures]]:
    with TemporaryDirectory(prefix="fm-") as folder:
        yield uvloop.run(run_cells(Path(folder)))


@pytest.mark.parametrize("cell", CELLS)
def test_no_promise_is_broken(figures: dict[str, Figures], cell: str) -> None:
    assert figures[cell].violations == 0, figures[cell].notes


@pytest.mark.parametrize("cell", [*BOUNDARIES, "restarts", "zombie", "store", "blackhole"])
def test_every_task_is_answered(figures: dict[str, Figures], cell: str) -> None:
    assert figures[cell].failed == 0, figures[cell].notes
    assert figures[cell].answered == figures[cell].tasks > 0


def test_each_role_was_killed_at_each_boundary_and_others_went_on(
    figures: dict[str, Figures],
) -> None:
    found = [figures[name] for name in BOUNDARIES]

    assert [each.runs for each in found] == [len(POINTS)] * len(ROLES), found
    assert sum(each.adoptions for each in found) > 0
    assert sum(each.redeliveries for each in found) > 0
    assert figures["restarts"].runs == len(KILLS), figures["restarts"].notes


def test_who_wakes_up_after_its_replacement_has_started_is_fenced_off(
    figures: dict[str, Figures],
) -> None:
    assert figures["zombie"].fenced > 0
    assert figures["sink thawed"].fenced > 0


@pytest.mark.parametrize("cell", ["sink killed", "sink thawed", "links reset"])
def test_messages_are_acknowledged_and_sent_again(figures: dict[str, Figures], cell: str) -> None:
    assert figures[cell].acked > 0
    assert figures[cell].redeliveries > 0


def test_what_was_written_is_in_the_store_and_in_each_cache(figures: dict[str, Figures]) -> None:
    found = figures["knowledge"]

    assert (found.lost, found.resurrected, found.diverged) == (0, 0, 0), found.notes
    assert found.acked > 500


def test_edits_of_killed_attempts_are_replaced_by_those_that_count(
    figures: dict[str, Figures],
) -> None:
    found = figures["state"]

    assert (found.runs, found.lost, found.applied_twice, found.resurrected) == (2, 0, 0, 0)
    assert found.acked > 20
    assert found.redeliveries > 0


def test_malformed_frames_and_cancels_were_sent(figures: dict[str, Figures]) -> None:
    assert figures["frames"].runs == FRAMES
    assert figures["cancels"].cancelled > 0
