"""The documents of the state campaign, what is written into them, and who notes it where.

Each edit leaves its name and an amount in one list, and adds the amount to a total: whoever reads
a document can see whether anything in it counts twice or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Final, Self

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.conflicts import Conflict
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import Value, canonical
from cluster.state import SharedState, merge
from cluster.state.naming import document_name

WORKERS = tuple(f"worker-{number}" for number in range(4))
PERSONS = ("person-0", "person-1")
WATCHERS = ("watcher-0",)
LATE_WATCHER = "watcher-1"
"""Joins when half of the faults are over."""
STEPS_A_TASK = 6
FLEETING_S = 1.5

Sight = list[int | str]
"""Incarnation, version, and digest of all that somebody knows of a document."""


class Board(SharedState, scope="cluster"):
    """A document with a field of each kind."""

    spent: Annotated[int, merge.total]
    said: Annotated[list[str], merge.append]
    facts: Annotated[dict[str, int], merge.by_key]
    tags: Annotated[list[str], merge.union]
    draft: Annotated[str, merge.text]
    verdict: Annotated[str, merge.siblings]
    status: Annotated[str, merge.latest]
    highest: Annotated[int, merge.maximum]


class Fleeting(Board, scope="cluster", ttl_s=FLEETING_S):
    """One that is gone soon after its last edit, and is then begun anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """A document."""

    of: type[Board]
    key: str

    @property
    def name(self) -> str:
        """What its log is called."""
        return document_name(self.of, self.key)


HOT: Final = (Place(Board, "hot-0"), Place(Board, "hot-1"))
OWN: Final = {worker: Place(Board, worker) for worker in WORKERS}
"""Edited by one worker, and by whoever does its steps again."""
MORTAL: Final = Place(Board, "mortal")
"""Deleted by some faults."""
FLEETING: Final = Place(Fleeting, "fleeting")
LASTING: Final = (*HOT, *OWN.values())
PLACES: Final = (*LASTING, MORTAL, FLEETING)

FIELD_SHARES: Final = {
    "facts": 0.3,
    "tags": 0.2,
    "draft": 0.1,
    "verdict": 0.1,
    "status": 0.1,
    "highest": 0.1,
}
"""How often an edit does something to a field beside the list and the total."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One edit: its name, and what it did."""

    id: str
    document: str
    amount: int
    fields: tuple[str, ...]

    @property
    def item(self) -> str:
        """What it leaves in the list."""
        return f"{self.id}={self.amount}"

    def to_plain(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "id": self.id,
            "document": self.document,
            "amount": self.amount,
            "fields": self.fields,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Self:
        """Read one."""
        match plain:
            case {"id": str(id_), "document": str(name), "amount": int(n), "fields": [*fields]}:
                return cls(id_, name, n, tuple(map(str, fields)))
        raise ValueError(f"no mark: {plain!r}")


def attempt_mark(step: StepId, generation: int, number: int) -> str:
    """Return the name of an edit by an attempt at a step."""
    return f"{step}.{generation}.{number}"


def author_of(mark: str) -> tuple[str, int]:
    """Return the step and the generation of an edit's name; a person has the generation 0."""
    step, generation, _ = mark.rsplit(".", 2)
    return step, int(generation)


def items_of(fields: Mapping[str, Value]) -> list[tuple[str, int]]:
    """Return the names and amounts of all edits that a document has."""
    said = fields.get("said") or []
    assert isinstance(said, list)
    parted = [str(item).partition("=") for item in said]
    return [(name, int(amount)) for name, _, amount in parted]


def fault_of(fields: Mapping[str, Value]) -> str:
    """Say what is wrong in a document, as anybody sees it at any time; "" for nothing."""
    items = items_of(fields)
    names = [name for name, _ in items]
    if len(set(names)) < len(names):
        return f"{len(names) - len(set(names))} edits are there twice"
    spent, total = fields.get("spent") or 0, sum(amount for _, amount in items)
    return "" if spent == total else f"{spent} are spent, and the edits come to {total}"


def digest(fold: Fold) -> str:
    """Return what is equal where all that is known of a document is."""
    return hashlib.sha256(canonical(fold.folded().to_plain())).hexdigest()


def chosen_fields(rng: Random, conflicts: Iterable[Conflict]) -> tuple[str, ...]:
    """Return what an edit does beside the list and the total.

    Who writes a text that is in conflict decides that, and other lines of it are gone: a person
    does that, and keeps all of them.
    """
    is_disputed = any(conflict.field == "draft" for conflict in conflicts)
    wanted = [name for name, share in FIELD_SHARES.items() if rng.random() < share]
    return tuple(name for name in wanted if not (name == "draft" and is_disputed))


def write_mark(board: Board, mark: Mark, section: str) -> None:
    """Edit a document; the section is where in its text."""
    board.spent += mark.amount
    board.said.append(mark.item)
    for name in mark.fields:
        match name:
            case "facts":
                board.facts[mark.id] = mark.amount
            case "tags":
                board.tags.append(mark.id)
            case "draft":
                board.draft = with_line(board.draft, section, mark.id)
            case "verdict":
                board.verdict = mark.id
            case "status":
                board.status = mark.id
            case "highest":
                board.highest = max(board.highest, mark.amount)


def with_line(text: str, section: str, line: str) -> str:
    """Return a text with a line more in a section, which is begun where there is none."""
    lines = text.split("\n")
    if section not in lines:
        lines += [section, ""]
    at = lines.index(section) + 1
    return "\n".join([*lines[:at], line, *lines[at:]])


def joined_texts(texts: Iterable[str]) -> str:
    """Return a text with all lines of some."""
    lines: dict[str, None] = {}
    for text in texts:
        lines.update(dict.fromkeys(text.split("\n")))
    return "\n".join(lines)


def task_of(step: StepId) -> TaskId:
    """Return the task of a step: some follow each other."""
    return TaskId(f"t{int(step.removeprefix('s')) // STEPS_A_TASK}")


def result_of(marks: Sequence[Mark]) -> bytes:
    """Return the result of a step: what it has edited."""
    return json.dumps([mark.to_plain() for mark in marks]).encode()


def marks_of(result: bytes) -> list[Mark]:
    """Read the result of a step."""
    return [Mark.from_plain(plain) for plain in json.loads(result)]


def halt_path(folder: Path) -> Path:
    """Return the file that tells all authors to begin nothing more."""
    return folder / "halt"


def heads_path(folder: Path) -> Path:
    """Return the file that tells all where the documents are when all is over."""
    return folder / "heads.json"


def seen_path(folder: Path, agent: str) -> Path:
    """Return the file in which a process says what it sees in the end."""
    return folder / f"seen-{agent}.json"
