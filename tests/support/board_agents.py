"""Agents without a model that fill one board; a factory for the settings of a real cluster."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.kernel.ids import StepId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
)
from tests.support.notice_board import Board, Rates

STEPS = tuple(
    Step(StepId(name), role, f"note {name}")
    for name, role in (("a", "researcher"), ("b", "coder"), ("c", "researcher"))
)


class BoardAgent:
    """Plans a step for each of the notes, notes what it is told to, and tells what is noted."""

    purpose = "notes what it is told to"

    async def handle(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            return PlanProposal(Plan(STEPS))
        if isinstance(message, ComposeRequest):
            board = await turn.open(Board)
            return Answer(f"{sorted(board.facts)} {board.spent} {sorted(set(board.said))}")
        assert isinstance(message, Assignment)
        async with turn.state(Board) as board, turn.state(Rates) as rates:
            board.facts[message.step] = message.instruction
            board.spent += 10
            board.said.append(turn.agent)
            rates.known[message.step] = len(turn.peek(Rates).known)
        return Finding(message.instruction)

    def subscribes(self) -> tuple[str, ...]:
        return ()

    def pure(self) -> tuple[str, ...]:
        return ()

    def handlers(self) -> Mapping[type, object]:
        return dict.fromkeys((PlanRequest, ComposeRequest, Assignment), self)

    def decides(self) -> tuple[str, ...]:
        return ()

    async def warm(self) -> None:
        """Nothing is loaded late."""

    async def close(self) -> None:
        """Nothing is open."""


def build(_class_path: str, **_parts: object) -> BoardAgent:
    """Build an agent, as the factory in the settings does."""
    return BoardAgent()
