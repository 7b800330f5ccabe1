"""The scenarios of the campaign by name, how often each is run, and how they are cut into cells."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.figures import Figures
from tests.chaos.message_cell import MESSAGE_FAULTS, MessageCell, run_message_cell
from tests.chaos.zygote import Zygote

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

    is_quick = fault.startswith(("kill", "crash"))
    return Scenario(
        f"messages: {fault}", 100 if not is_quick else 200, 50 if is_quick else 20, run
    )


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in [_message_scenario(fault) for fault in MESSAGE_FAULTS]
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
