"""A team that fills one board: what its agents write at the same time is merged, not locked.

`fleet.toml` beside this file makes them the agents of a cluster, `fill.py` runs it.
"""

from __future__ import annotations

from typing import Annotated

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
from agents.manager import Manager
from agents.researcher import Researcher
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, PlanProposal, PlanRequest, Step
from cluster.state import SharedState, merge


class Board(SharedState):
    """What the team knows; each field says how two edits at once become one."""

    findings: Annotated[dict[str, str], merge.by_key]
    cited: Annotated[int, merge.total]
    said: Annotated[list[str], merge.append]
    title: str = ""
    """Merges by siblings, as a field that says nothing does: its owner decides, the Builder."""
    verdict: str = ""
    """The same, and nobody but a person decides."""


class Planner(Manager):
    """Has two Scouts look things up at once, and a Builder write the program."""

    @handles(PlanRequest)
    async def plan(self, request: PlanRequest, turn: Turn) -> PlanProposal:  # noqa: ARG002 - unused
        """Return a plan that needs no model."""
        scouts = (("r1", "What is a heap?"), ("r2", "How does nlargest work?"))
        steps = [Step(StepId(name), "researcher", question) for name, question in scouts]
        needs = tuple(step.id for step in steps)
        return PlanProposal(Plan((*steps, Step(StepId("c1"), "coder", request.goal, needs))))

    @merges(Board.verdict)
    async def leave(self, conflict: ConflictRequest, turn: Turn) -> object:  # noqa: ARG002 - unused
        """Decide nothing: a conflict stays open, with both values, until a person decides."""
        return FOR_A_PERSON


class Scout(Researcher):
    """Notes what it finds; the block may span awaits, and holds up nobody."""

    @handles(Assignment)
    async def research(self, assignment: Assignment, turn: Turn) -> Finding:
        """Look something up, and note it on the board."""
        async with turn.state(Board) as board:
            finding = await super().research(assignment, turn)
            board.findings[assignment.step] = finding.text
            board.cited += len(finding.citations)
            board.said.append(f"{turn.agent} has looked up {assignment.instruction!r}")
            board.title = assignment.instruction
            board.verdict = f"start with {assignment.step}"
        return finding


class Builder(Coder):
    """Writes the program, and decides what the board is called."""

    @handles(Assignment)
    async def code(self, assignment: Assignment, turn: Turn) -> Program:
        """Write the program, and note that on the board."""
        program = await super().code(assignment, turn)
        async with turn.state(Board) as board:
            board.said.append(f"{turn.agent} has written {len(program.source)} characters")
        return program

    @merges(Board.title)
    async def entitle(self, conflict: ConflictRequest, turn: Turn) -> str:  # noqa: ARG002 - unused
        """Make one title of all that were wanted."""
        return " / ".join(sorted(str(each.content) for each in conflict.rivals))
