"""One cell of the task campaign: a whole cluster that is submitted to all the time, and hurt.

With a standby there are two replicas of every role; without, one, and its supervisor takes as long
to start it anew as Ray does.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.event_log import Record
from tests.chaos.faults import (
    LINK_FAULTS,
    REDIS_FAULTS,
    Inject,
    Injection,
    crash,
    freeze,
    is_grpcs_own,
    kill,
    needs_proxies,
    together,
    zombie,
)
from tests.chaos.figures import Figures
from tests.chaos.journal_reader import judge_tasks, until_journals_end
from tests.chaos.supervisor import ChaosCluster
from tests.chaos.task_judge import recovery_s
from tests.chaos.task_roles import TASKS_AT_ONCE, WHOLE_TASK_S
from tests.chaos.zygote import Zygote

ROLES = ("manager", "researcher", "coder")
POINTS = ("before", "between", "after")
TASKS_PER_S = 4.0
RAY_RESTART_S = 2.0
"""How long Ray 2.60 takes to have a killed actor back, but for the start of the host itself."""
PAUSE_S = (0.2, 0.8)
PROGRESS_S = 60.0
DRIVER = "submitter-0"

TASK_FAULTS: dict[str, Inject] = {
    **{f"{role} {point}": crash(f"{role}-0", point) for role in ROLES for point in POINTS},
    **{f"kill {role}": kill(f"{role}-0") for role in ROLES},
    **{f"freeze {role}": freeze(f"{role}-0") for role in ROLES},
    **{f"zombie {role}": zombie(f"{role}-0") for role in ROLES},
    "kill driver": kill(DRIVER),
    **LINK_FAULTS,
    **REDIS_FAULTS,
    "nemesis": together([f"{role}-0" for role in ROLES]),
}


@dataclass(frozen=True, slots=True)
class TaskCell:
    """What one cell of the campaign is to do."""

    name: str
    faults: tuple[str, ...]
    """Taken in turn."""
    runs: int
    seed: int
    has_standby: bool = False
    lease_s: float = 1.0
    tasks_per_s: float = TASKS_PER_S
    restart_s: float = RAY_RESTART_S
    at_once: int = TASKS_AT_ONCE
    """However slow the machine is, no more tasks than these share it."""


async def run_task_cell(zygote: Zygote, cell: TaskCell, folder: Path) -> Figures:
    """Run a cell to its end and return what it counted; the folder is made for it."""
    rng = random.Random(cell.seed)
    figures = Figures(cell.name, cell.seed)
    injections: list[tuple[Injection, int]] = []
    cluster = ChaosCluster(
        zygote,
        folder,
        rng,
        lease_s=cell.lease_s,
        restart_s=cell.restart_s,
        has_proxies=any(map(needs_proxies, cell.faults)),
    )
    async with cluster:
        if "redis loading" in cell.faults:
            await cluster.redis.pad()
        await _start(cluster, cell)
        for number in range(cell.runs):
            if not await ended_again(cluster, figures):
                break
            await asyncio.sleep(rng.uniform(*PAUSE_S))
            fault = cell.faults[number % len(cell.faults)]
            agent = next((f"{role}-0" for role in ROLES if role in fault), "")
            pid = cluster.members[agent].pid if agent else 0
            injection = await TASK_FAULTS[fault](cluster)
            if injection is None:
                figures.note(f"{fault}: the point was not reached")
                continue
            injections.append((injection.over(), pid))
        await drain(cluster, figures)
        records = cluster.events.read()
        await judge_tasks(records, cluster.redis.url, figures)
        _measure(figures, injections, records)
        for end in cluster.unexpected:
            figures.ended_by_itself += not is_grpcs_own(" ".join(cell.faults), end)
            figures.note(end)
    figures.runs = len(injections)
    return figures


def _measure(
    figures: Figures, injections: list[tuple[Injection, int]], records: list[Record]
) -> None:
    """Note how long zombies went unnoticed, and how long the work of the dead was left."""

    def died(injection: Injection) -> float:
        return injection.started if injection.fenced is not None else injection.ended

    deaths = [died(injection) for injection, pid in injections if pid]
    for injection, pid in injections:
        if injection.fenced is not None:
            figures.detect_s.append(injection.fenced - injection.ended)
        if pid and injection.restarted is not None:
            figures.recover_s += recovery_s(records, pid, died(injection), deaths)


async def _start(cluster: ChaosCluster, cell: TaskCell) -> None:
    replicas = range(2 if cell.has_standby else 1)
    agents = [(f"{role}-{replica}", role) for replica in replicas for role in ROLES]
    await asyncio.gather(*[cluster.add(agent, role) for agent, role in agents])
    await cluster.add(
        DRIVER, "submitter", rate=cell.tasks_per_s, seed=cell.seed, at_once=cell.at_once
    )


async def ended_again(cluster: ChaosCluster, figures: Figures) -> bool:
    """Wait until one more task has been answered; say whether one was."""

    def answered() -> int:
        return len(cluster.events.find("ended", kind="answered"))

    known = answered()
    try:
        async with asyncio.timeout(PROGRESS_S):
            while answered() <= known:  # noqa: ASYNC110 - the log is a file
                await asyncio.sleep(0.05)
    except TimeoutError:
        figures.stuck += 1
        figures.note(f"no task was answered for {PROGRESS_S:g} s")
        return False
    return True


async def drain(cluster: ChaosCluster, figures: Figures) -> None:
    """Let every task come to its end, then end the processes."""
    try:
        await cluster.finish(DRIVER)
        await until_journals_end(cluster.redis.url, WHOLE_TASK_S)
        await cluster.finish(*[agent for agent in cluster.members if agent != DRIVER])
    except TimeoutError:
        figures.stuck += 1
        figures.note("the cell's processes did not come to an end")
