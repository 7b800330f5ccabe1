"""The scenarios of the campaign by name, how often each is run, and how they are cut into cells."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import LINK_FAULTS, REDIS_FAULTS
from tests.chaos.figures import Figures
from tests.chaos.frames_cell import run_frames_cell
from tests.chaos.knowledge_cell import KNOWLEDGE_FAULTS, KnowledgeCell, run_knowledge_cell
from tests.chaos.message_cell import MESSAGE_FAULTS, MessageCell, run_message_cell
from tests.chaos.ray_cell import run_ray_cell
from tests.chaos.state_cell import StateCell, run_state_cell
from tests.chaos.state_faults import STATE_FAULTS
from tests.chaos.storm_cell import run_storm_cell
from tests.chaos.task_cell import POINTS, ROLES, TaskCell, run_task_cell
from tests.chaos.zygote import Zygote

SHARED_FAULTS = (*LINK_FAULTS, *REDIS_FAULTS, "nemesis")
"""What both campaigns are hurt by: a hundred runs in all."""

RunCell = Callable[[Zygote, int, int, Path], Awaitable[Figures]]
"""Runs a cell, given how many injections it is to make and its seed."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way to be hurt."""

    name: str
    runs: int
    """Injections in the full campaign."""
    runs_a_cell: int
    run: RunCell


@dataclass(frozen=True, slots=True)
class Job:
    """One cell of a scenario, yet to be run."""

    scenario: Scenario
    runs: int
    seed: int

    @property
    def folder(self) -> str:
        """A name for its folder: short, since sockets lie in it."""
        return f"{zlib.crc32(self.scenario.name.encode()):08x}-{self.seed}"

    async def run(self, zygote: Zygote, folder: Path) -> Figures:
        """Run it to its end."""
        return await self.scenario.run(zygote, self.runs, self.seed, folder)


def _message_scenario(fault: str) -> Scenario:
    async def run(zygote: Zygote, runs: int, seed: int, folder: Path) -> Figures:
        return await run_message_cell(zygote, MessageCell(fault, runs, seed), folder)

    is_kill = fault.startswith(("kill", "crash"))
    runs = 100 if is_kill else 60 if fault in SHARED_FAULTS else 40
    return Scenario(f"messages: {fault}", runs, 50 if is_kill else 20, run)


def _task_scenario(name: str, fault: str, runs: int, *, has_standby: bool) -> Scenario:
    async def run(zygote: Zygote, runs: int, seed: int, folder: Path) -> Figures:
        cell = TaskCell(f"tasks: {name}", (fault,), runs, seed, has_standby)
        return await run_task_cell(zygote, cell, folder)

    return Scenario(f"tasks: {name}", runs, 20, run)


def _task_scenarios() -> list[Scenario]:
    """Kills at each boundary with and without a standby, zombies, links, the store."""
    runs = {f"{role} {point}": 34 for role in ROLES for point in POINTS}
    runs |= {f"{done} {role}": 20 for done in ("kill", "freeze") for role in ROLES}
    runs |= {f"zombie {role}": 30 for role in ROLES} | {"kill driver": 20}
    found: list[Scenario] = []
    for fault, count in runs.items():
        found.append(_task_scenario(fault, fault, count, has_standby=False))
        found.append(_task_scenario(f"{fault} (standby)", fault, count, has_standby=True))
    return found + [_task_scenario(fault, fault, 40, has_standby=True) for fault in SHARED_FAULTS]


def _knowledge_scenario(fault: str) -> Scenario:
    async def run(zygote: Zygote, runs: int, seed: int, folder: Path) -> Figures:
        return await run_knowledge_cell(zygote, KnowledgeCell(fault, runs, seed), folder)

    return Scenario(f"knowledge: {fault}", 20, 10, run)


def _state_scenario(fault: str) -> Scenario:
    async def run(zygote: Zygote, runs: int, seed: int, folder: Path) -> Figures:
        return await run_state_cell(zygote, StateCell(fault, runs, seed), folder)

    return Scenario(f"state: {fault}", 20, 10, run)


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in [
        *[_message_scenario(fault) for fault in MESSAGE_FAULTS],
        *_task_scenarios(),
        *[_knowledge_scenario(fault) for fault in KNOWLEDGE_FAULTS],
        *[_state_scenario(fault) for fault in STATE_FAULTS],
        Scenario("malformed frames", 10_000, 5_000, run_frames_cell),
        Scenario("cancellation storm", 20_000, 10_000, run_storm_cell),
        Scenario("kills under Ray", 24, 24, run_ray_cell),
    ]
}


def plan_jobs(only: str, runs: int, done: Mapping[str, int], *, seed: int) -> list[Job]:
    """Return the cells that are still to be run, those of different scenarios in turn."""
    columns: list[list[Job]] = []
    for scenario in SCENARIOS.values():
        if only not in scenario.name:
            continue
        left = (runs or scenario.runs) - done.get(scenario.name, 0)
        column: list[Job] = []
        while left > 0:
            size = min(left, scenario.runs_a_cell)
            number = done.get(scenario.name, 0) + len(column)
            column.append(Job(scenario, size, seed * 1_000_000 + number))
            left -= size
        columns.append(column)
    longest = max(map(len, columns), default=0)
    return [column[row] for row in range(longest) for column in columns if row < len(column)]
