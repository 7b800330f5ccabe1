"""Who decides a conflict, and what nobody need be asked about. Pure.

A person's value is never undone by an agent: it stands against those of agents, and between two
persons only a person decides. Called by `cluster.runtime.tasks.conflicts`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.kernel.state.conflicts import Conflict, Sibling

RESOLUTION = "merge/"
"""What the step of a decision by an agent begins with; the rest says what it decides."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A person has said what is to stand."""

    sibling: Sibling


@dataclass(frozen=True, slots=True)
class ToBeAsked:
    """Whoever the field belongs to is to decide."""


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """Only a person can decide."""


Judgement: TypeAlias = Settled | ToBeAsked | LeftOpen


def judged(conflict: Conflict) -> Judgement:
    """Return what is to become of a conflict."""
    by_persons = [each for each in conflict.siblings if each.writer.is_person]
    if len(by_persons) > 1:
        return LeftOpen()
    return Settled(by_persons[0]) if by_persons else ToBeAsked()


def deciding_task(document: str, conflict: Conflict) -> TaskId:
    """Return the task whose Manager has a conflict decided; `NO_TASK` where nobody has it decided.

    It is the document's own, or, of a document of the cluster, the one that has written to it last:
    of several one is to decide.
    """
    scope, _, rest = document.partition("/")
    if scope == "task":
        return TaskId(rest.partition("/")[0])
    tasks = [each.writer.task for each in conflict.siblings if each.writer.task != NO_TASK]
    return tasks[-1] if tasks else NO_TASK


def resolution_step(document: str, incarnation: int, conflict: Conflict) -> StepId:
    """Return what a decision of a conflict is called, the same for whoever makes it.

    So the first of several counts, and one that is made again after a crash is the same.
    """
    versions = ",".join(str(each.writer.version) for each in conflict.siblings)
    key = "" if conflict.key is None else f"[{conflict.key}]"
    decided = f"{document}\n{incarnation}\n{conflict.field}{key}\n{versions}"
    return StepId(RESOLUTION + hashlib.sha256(decided.encode()).hexdigest()[:32])
