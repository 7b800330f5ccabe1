"""What the steps of the task campaign share: a board for each task, and how it is judged.

Each step leaves one line, which names the attempt that its result names too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from cluster.kernel.events import Event, StepFinished
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.folding import Fold
from cluster.kernel.vocabulary import Finding, Program
from cluster.memory.state.host.codec import unpacked
from cluster.memory.state.port import StateLog
from cluster.state import SharedState, merge
from cluster.state.naming import document_name
from tests.chaos.figures import Figures


class TaskBoard(SharedState):
    """Has a line of each step, and how many there are."""

    said: Annotated[list[str], merge.append]
    spent: Annotated[int, merge.total]


def line_of(step: StepId, generation: int) -> str:
    """Return what an attempt leaves on the board, and in its result."""
    return f"{step}.{generation}"


async def fold_of_board(log: StateLog, task: TaskId) -> Fold:
    """Fold a task's board, which is short."""
    name = document_name(TaskBoard, task=task)
    fold = Fold()
    fold.extend(unpacked(name, each) for each in (await log.read(name)).entries)
    return fold


def judge_board(task: str, events: Iterable[Event], fold: Fold, figures: Figures) -> None:
    """What a journaled result says was written is there, and each step has written once."""
    said = fold.fields.get("said") or []
    assert isinstance(said, list)
    lines = [str(each) for each in said]
    steps = Counter(line.partition(".")[0] for line in lines)
    twice = sum(count - 1 for count in steps.values())
    if twice or fold.fields.get("spent", 0) != len(lines):
        figures.applied_twice += 1
        figures.note(f"the board of {task}: {fold.fields.get('spent')} are spent on {lines}")
    for event in events:
        line = _told(event.detail.value) if isinstance(event.detail, StepFinished) else ""
        if line:
            figures.acked += 1
            figures.lost += line not in lines
        if line and line not in lines:
            figures.note(f"the board of {task} has {lines} without {line}")


def _told(value: object) -> str:
    """Return the line that a result names; "" where the step has failed."""
    match value:
        case Finding(text):
            return text
        case Program(source):
            return source
    return ""
