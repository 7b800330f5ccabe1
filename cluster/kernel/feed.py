"""A task's feed: all of its events in one order, each with a cursor to go on reading after.

Pure. The owner of a task appends to its feed, anybody may read it, and nobody who reads it keeps
the task from anything. What the journal has is facts, and is kept for whoever goes on with the
task; the feed has thoughts too, and is kept for whoever watches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


class Cursor(NamedTuple):
    """The place of an event in its task's feed; later ones are greater."""

    term: int
    """Of the task's owner who has written it, from 1."""
    number: int
    """From 1 without gaps within a term."""

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the cursor that `str` gave.

        Raises:
            ValueError: the text is none.
        """
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:40]!r} is no cursor: it is two numbers, as in 1.42")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        """Return it as people and programs are shown it, as in ``1.42``."""
        return f"{self.term}.{self.number}"


BEFORE_ALL: Final = Cursor(0, 0)
RUNNING: Final = "running"
"""The status of a task that has not ended."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What happened between two events of a task is no longer kept; in no journal."""

    kind: ClassVar[str] = "gap"
    after: str
    """Cursor of the last event that whoever reads has."""
    before: str
    """Cursor of the first one that is kept; empty where none is."""


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What a list of tasks shows of each; instants are Unix seconds."""

    task: str
    goal: str
    status: str
    """``running``, or as in the FIXED object of ``--json``."""
    owner: str = ""
    """As `cluster.kernel.submission.Submission.owner`."""
    is_detached: bool = False
    submitted_wall_s: float = 0.0
    ended_wall_s: float = 0.0
    """0 while it runs."""


@dataclass(frozen=True, slots=True)
class StepThoughts:
    """What one agent has thought aloud at one step, all of it in one piece."""

    step: str
    agent: str
    text: str
    is_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What is kept of a task that has ended."""

    summary: TaskSummary
    report_json: str
    """The FIXED object of ``--json``, with its timings."""
    thoughts: tuple[StepThoughts, ...] = ()
