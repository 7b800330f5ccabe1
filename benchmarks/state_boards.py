"""The documents that `benchmarks.bench_state` reads and edits: 20 KB, in two shapes.

`Board` is what a team fills together, a hundred facts and some of every other kind of field;
`Outline` nests its models. Both are filled with the same text in each run, and every edit of theirs
leaves them as large as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel

from cluster.kernel.state.values import canonical
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.state import SharedState, merge
from cluster.state.editing import Editing, edits_between

FACTS = 100
NOTES = 40
SECTIONS = 29
POINTS = 4
QUOTE = "The share of renewable energy in gross electricity use rose to 51.8 percent in 2023."


class Fact(BaseModel):
    """What a Researcher has found."""

    text: str
    source: str
    lines: tuple[int, int]
    confidence: float = 1.0
    seen: int = 0


class Board(SharedState):
    """A board with a field for each way of merging."""

    facts: Annotated[dict[str, Fact], merge.by_key]
    sources: Annotated[list[str], merge.union]
    notes: Annotated[list[str], merge.append]
    draft: Annotated[str, merge.text]
    title: Annotated[str, merge.latest]
    best: Annotated[float, merge.maximum]
    spent: Annotated[int, merge.total]
    verdict: str = ""


class Point(BaseModel):
    """One thing that a section says."""

    claim: str
    facts: list[str]
    is_checked: bool = False


class Section(BaseModel):
    """A part of an answer."""

    heading: str
    points: list[Point]


class Outline(SharedState):
    """An answer under way: models within models within a dict."""

    sections: Annotated[dict[str, Section], merge.by_key]
    spent: Annotated[int, merge.total]


@dataclass(frozen=True, slots=True)
class Change:
    """An edit of one field, by what it is called in the figures."""

    name: str
    state: type[SharedState]
    make: Callable[[Any, int, Any], None]
    """Edits a model; the number makes each edit another one."""
    prepare: Callable[[int], Any] = int
    """Makes what is put into the model, before the clock runs: that is the program's own work."""


def fact_name(number: int) -> str:
    """Return the key of a fact."""
    return f"energy/{number:03}"


def fact(number: int, seen: int = 0) -> Fact:
    """Return a fact of about 160 bytes."""
    return Fact(
        text=f"{QUOTE} [{number}]",
        source=f"energy/report-{number}.md",
        lines=(number, number + 2),
        confidence=0.9,
        seen=seen,
    )


def board() -> Board:
    """Return a board of 20 KB."""
    return Board(
        facts={fact_name(number): fact(number) for number in range(FACTS)},
        sources=[f"energy/report-{number}.md" for number in range(NOTES)],
        notes=[f"{number}: {QUOTE[:40]}" for number in range(NOTES)],
        draft="\n".join(QUOTE for _ in range(12)),
        title="Renewable energy in Europe",
        best=0.0,
        spent=0,
    )


def outline() -> Outline:
    """Return an outline of 20 KB."""

    def section(number: int) -> Section:
        points = [
            Point(
                claim=f"{QUOTE} {each}", facts=[fact_name(number * POINTS + at) for at in range(3)]
            )
            for each in range(POINTS)
        ]
        return Section(heading=f"Of {number}", points=points)

    sections = {f"section-{number}": section(number) for number in range(SECTIONS)}
    return Outline(sections=sections, spent=0)


def _put_fact(board: Board, number: int, made: Fact) -> None:
    board.facts[fact_name(number % FACTS)] = made


def _see_fact(board: Board, number: int, _: object) -> None:
    board.facts[fact_name(number % FACTS)].seen += 1


def _check_point(outline: Outline, number: int, _: object) -> None:
    point = outline.sections[f"section-{number % SECTIONS}"].points[number % POINTS]
    point.is_checked = not point.is_checked


def _spend(board: Board, number: int, _: object) -> None:
    del number
    board.spent += 1


def _name(board: Board, _: int, made: str) -> None:
    board.title = made


def _title(number: int) -> str:
    return f"Renewable energy in Europe, {number % 100}"


CHANGES = (
    Change("increment", Board, _spend),
    Change("text", Board, _name, _title),
    Change("entry", Board, _put_fact, fact),
    Change("entry_in_place", Board, _see_fact),
    Change("nested", Outline, _check_point),
)


def edit(
    document: Document, attempt: EditAttempt, change: Change, number: int, made: object = None
) -> None:
    """Edit a document as a turn does: begin, change the model, and have that be an edit."""
    seen = document.version
    editing = Editing(change.state, document.fields)
    change.make(editing.model, number, made)
    document.edit(attempt, editing.finish(), at=seen)


def fill(document: Document, attempt: EditAttempt, state: SharedState) -> None:
    """Let an empty document be what a model is."""
    document.edit(attempt, edits_between({}, state))


def size_of(document: Document) -> int:
    """Return how many bytes of JSON a document has."""
    return len(canonical(dict(document.fields)))
