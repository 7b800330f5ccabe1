"""What is shared in a run: boards on which everybody leaves marks, each of them one of a kind.

Whatever else an edit does, it adds its mark to the board's log and the mark's worth to what is
spent, so that a mark that was lost, or counts twice, is seen twice over.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from cluster.kernel.ids import TaskId
from cluster.kernel.state.edits import Edit
from cluster.kernel.vocabulary import Finding
from cluster.memory.state.host.document import Document
from cluster.memory.state.port import task_prefix
from cluster.state import SharedState, merge

KEYS = ("a", "b")
"""Of facts: so few that edits meet."""
BRIEF_TTL_S = 1.5


class Board(SharedState):
    """A field for each way of merging."""

    log: Annotated[list[str], merge.append]
    spent: Annotated[int, merge.total]
    best: Annotated[int, merge.maximum]
    tags: Annotated[set[str], merge.union]
    facts: Annotated[dict[str, str], merge.by_key]
    notes: Annotated[str, merge.text]
    verdict: Annotated[str, merge.siblings]
    title: Annotated[str, merge.latest]


class Place(NamedTuple):
    """A board, as agents name it."""

    key: str
    scope: str

    def name(self, task: TaskId) -> str:
        """Return what the log of the board is called for a task."""
        prefix = task_prefix(task) if self.scope == "task" else "cluster/"
        return f"{prefix}Board/{self.key}" if self.key else f"{prefix}Board"

    @property
    def ttl_s(self) -> float | None:
        """How long it lives after an edit."""
        return BRIEF_TTL_S if self.key == "brief" else None


OWN = Place("", "task")
COMMON = (Place("one", "cluster"), Place("two", "cluster"), Place("brief", "cluster"))
PLACES = (OWN, *COMMON)


def worth(mark: str) -> int:
    """Return what a mark adds to what is spent."""
    return 1 + int(mark[1:]) % 7


def leave(mark: str, board: Board, rng: random.Random) -> None:
    """Edit a board, some of its fields at random."""
    board.log = [*board.log, mark]
    board.spent += worth(mark)
    if rng.random() < 0.3:
        board.best = max(board.best, int(mark[1:]))
    if rng.random() < 0.3:
        board.tags = board.tags | {mark}
    if rng.random() < 0.4:
        _change_facts(mark, board, rng)
    if rng.random() < 0.3:
        lines = board.notes.splitlines(keepends=True)
        lines.insert(rng.randint(0, len(lines)), mark + "\n")
        board.notes = "".join(lines)
    if rng.random() < 0.3:
        board.verdict = mark
    if rng.random() < 0.2:
        board.title = mark


def _change_facts(mark: str, board: Board, rng: random.Random) -> None:
    key = rng.choice(KEYS)
    if key in board.facts and rng.random() < 0.2:
        del board.facts[key]
    else:
        board.facts[key] = mark


def mark_of(edit: Edit) -> str:
    """Return the mark that an edit leaves."""
    items = edit.fields["log"].delta["items"]
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], str):
        raise ValueError(f"an edit leaves one mark, not {items!r}")
    return items[0]


class Left(NamedTuple):
    """A mark that an attempt at a step has left, as its result says."""

    name: str
    mark: str


def finding(left: Iterable[Left]) -> Finding:
    """Return the result of a step that has left some marks."""
    return Finding(json.dumps([*left]))


def left_by(result: object) -> tuple[Left, ...]:
    """Return the marks that a result says were left; none for anything but a finding."""
    if not isinstance(result, Finding):
        return ()
    return tuple(Left(*each) for each in json.loads(result.text))


def pending_marks(document: Document) -> list[str]:
    """Return the marks that were left on a document here and aren't in its log yet."""
    return [mark_of(each.body) for each in document.pending if isinstance(each.body, Edit)]
