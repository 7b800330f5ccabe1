"""A second look at an answer, once it is out: what is asked of a Manager, and what it says."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.events import Corrected
from cluster.kernel.ids import TaskId


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Asks a Manager to look again at what a task has answered; its journal has all it needs."""

    task: TaskId


@dataclass(frozen=True, slots=True)
class Corrections:
    """No event: what a Manager says to a `SecondLook`."""

    found: tuple[Corrected, ...] = ()
