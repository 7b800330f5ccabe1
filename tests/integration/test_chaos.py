"""A short form of the chaos campaign (``make chaos``): real hosts, streams and Redis, hurt."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.figures import Figures
from tests.chaos.frames_cell import run_frames_cell
from tests.chaos.message_cell import MessageCell, run_message_cell
from tests.chaos.storm_cell import run_storm_cell
from tests.chaos.task_cell import POINTS, ROLES, TaskCell, run_task_cell
from tests.chaos.zygote import Zygote

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

LEASE_S = 1.0


async def hurt_cluster(*faults: str, has_standby: bool = True) -> Figures:
    """Run a cluster, hurt it once in each way, and return what became of its tasks."""
    cell = TaskCell(
        "short",
        faults,
        len(faults),
        seed=1,
        has_standby=has_standby,
        restart_s=0.0,
        tasks_per_s=8.0,
    )
    with TemporaryDirectory(prefix="fm-") as folder:
        async with await Zygote.start() as zygote:
            return await run_task_cell(zygote, cell, Path(folder, "c"))


def assert_kept_its_promises(figures: Figures) -> None:
    assert figures.violations == 0, figures.notes
    assert figures.failed == 0, figures.notes
    assert figures.answered == figures.tasks > 0


async def test_every_task_is_answered_whoever_is_killed_at_whichever_boundary() -> None:
    faults = [f"{role} {point}" for role in ROLES for point in POINTS]

    figures = await hurt_cluster(*faults)

    assert_kept_its_promises(figures)
    assert figures.runs == len(faults), figures.notes
    assert figures.adoptions > 0
    assert figures.redeliveries > 0


async def test_every_task_is_answered_when_each_role_has_one_replica_that_is_killed() -> None:
    figures = await hurt_cluster(*[f"kill {role}" for role in ROLES], has_standby=False)

    assert_kept_its_promises(figures)
    assert figures.runs == len(ROLES)


async def test_a_manager_that_wakes_up_after_its_replacement_started_is_fenced_off() -> None:
    figures = await hurt_cluster("zombie manager", has_standby=False)

    assert_kept_its_promises(figures)
    assert figures.fenced > 0


async def test_every_task_is_answered_over_a_restart_of_redis_and_a_blackhole() -> None:
    assert_kept_its_promises(await hurt_cluster("redis killed", "link blackholed"))


@pytest.mark.parametrize("fault", ["crash sink between", "zombie sink", "link reset"])
async def test_no_message_is_lost_applied_twice_or_out_of_order(fault: str) -> None:
    with TemporaryDirectory(prefix="fm-") as folder:
        async with await Zygote.start() as zygote:
            cell = MessageCell(fault, 1 if "crash" not in fault else 5, seed=1, lease_s=LEASE_S)
            figures = await run_message_cell(zygote, cell, Path(folder, "c"))

    assert figures.violations == 0, figures.notes
    assert figures.acked > 0
    assert figures.runs == cell.runs


async def test_malformed_frames_harm_neither_the_host_nor_the_links_of_others() -> None:
    with TemporaryDirectory(prefix="fm-") as folder:
        async with await Zygote.start() as zygote:
            figures = await run_frames_cell(zygote, 400, 1, Path(folder, "c"))

    assert figures.violations == 0, figures.notes
    assert figures.runs == 400


async def test_a_storm_of_cancels_leaves_each_task_with_one_end() -> None:
    with TemporaryDirectory(prefix="fm-") as folder:
        async with await Zygote.start() as zygote:
            figures = await run_storm_cell(zygote, 1500, 1, Path(folder, "c"))

    assert figures.violations == 0, figures.notes
    assert figures.cancelled > 0
