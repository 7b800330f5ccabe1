"""What the agents of this example share, and the agents: two Researchers and a Coder.

Each field of the board says how edits that were made at the same time become one.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from agents import (
    FOR_A_PERSON,
    Assignment,
    ConflictRequest,
    Finding,
    Program,
    Turn,
    handles,
    merges,
)
from agents.coder import Coder
from agents.researcher import Researcher
from cluster.state import SharedState, merge


class Fact(BaseModel):
    """A sentence of the documents, and where it stands."""

    text: str
    source: str


class Board(SharedState):
    """What is known so far; one for each task."""

    facts: Annotated[dict[str, Fact], merge.by_key]
    """By the place where they stand: a conflict only where two write the same place differently."""
    log: Annotated[list[str], merge.append]
    quotes: Annotated[int, merge.total]
    headline: Annotated[str, merge.siblings]
    """Of two headlines the Coder chooses one."""
    title: Annotated[str, merge.siblings]
    """Of two titles a person chooses one."""


class BoardResearcher(Researcher):
    """A Researcher that puts what it finds on the board, whoever else does so meanwhile."""

    @handles(Assignment)
    async def research(self, assignment: Assignment, turn: Turn) -> Finding:
        """Find, as every Researcher does, with the board in hand: others write to it as well."""
        async with turn.state(Board) as board:
            finding = await super().research(assignment, turn)
            for cited in finding.citations:
                place = f"{cited.source}:{cited.start_line}"
                board.facts[place] = Fact(text=cited.quote, source=cited.source)
            board.quotes += len(finding.citations)
            board.log.append(f"{turn.step} by {turn.agent}: {assignment.instruction}")
            board.headline = assignment.instruction.rstrip("?.").capitalize()
            board.title = f"Notes of {turn.agent}"
        return finding


class BoardCoder(Coder):
    """A Coder that notes what its program printed, and to whom the headline belongs."""

    @handles(Assignment)
    async def write(self, assignment: Assignment, turn: Turn) -> Program:
        """Write a program, as every Coder does."""
        program = await super().write(assignment, turn)
        async with turn.state(Board) as board:
            said = program.run.stdout.strip() if program.run is not None else "nothing"
            board.log.append(f"{turn.step} by {turn.agent}: the program printed {said}")
        return program

    @merges(Board.headline)
    async def shortest(self, conflict: ConflictRequest, turn: Turn) -> object:  # noqa: ARG002
        """Return the shortest of the headlines."""
        return min(conflict.rivals, key=lambda rival: len(str(rival.content)))

    @merges(Board.title)
    async def leave(self, conflict: ConflictRequest, turn: Turn) -> object:  # noqa: ARG002
        """Leave the title to whoever runs the example."""
        return FOR_A_PERSON
