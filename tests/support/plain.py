"""A cluster of plain processes in tests: what runs in it, and tasks that are followed to an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from benchmarks.plain_cluster import PlainCluster, descendants
from cluster.kernel.events import Event
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.settings.values import Settings

Holds = Callable[[Event], bool]

COLD = replace(Settings(), sandbox=replace(Settings().sandbox, warm=False))
"""The settings of a cluster whose sandboxes are counted: none waits for a program."""


def sandboxes(cluster: PlainCluster) -> list[str]:
    """The command lines of the Coder's sandboxes and of what runs in them."""
    below = descendants(cluster.hosts["coder-0"].pid).values()
    return [command for command in below if "read -r sign group" not in command]


@dataclass
class Followed:
    """A submitted task with the events it has had."""

    task: SubmittedTask
    events: list[Event] = field(default_factory=list)

    async def until(self, holds: Holds) -> None:
        """Read on to the first event that is so."""
        async for event in self.task:
            self.events.append(event)
            if holds(event):
                return
        raise AssertionError(f"it ended before: {[event.kind for event in self.events]}")

    async def ended(self) -> Event:
        """Read on to the terminal event, of which there is one."""
        if not (self.events and self.events[-1].is_terminal):
            await self.until(lambda event: event.is_terminal)
        [ending] = [event for event in self.events if event.is_terminal]
        return ending


async def followed(driver: Driver, goal: str, timeout_s: float = 60.0) -> Followed:
    """Submit a goal."""
    return Followed(await driver.submit(goal, collection="", timeout_s=timeout_s))


def said(step: str) -> Holds:
    """Say whether an event is the first or another piece of a step's text."""
    return lambda event: event.kind == "thought" and event.step == step


def is_(kind: str) -> Holds:
    """Say whether an event is of a kind."""
    return lambda event: event.kind == kind
