"""Agents without a model that write different verdicts; a factory for a real cluster's settings.

The Researcher has the Coder write one while it writes its own: neither has seen the other's. The
field belongs to the Coder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cluster.kernel.decisions import ConflictDecision, ConflictRequest
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
from tests.support.notice_board import Board

PLAN = Plan((Step(StepId("a"), "researcher", "say yes"),))


class DisputingAgent:
    """Plays all three parts."""

    purpose = "has an opinion"

    async def handle(self, message: object, turn: Turn) -> object:
        match message:
            case PlanRequest():
                return PlanProposal(PLAN)
            case ComposeRequest():
                return Answer((await turn.open(Board)).verdict)
            case ConflictRequest(rivals=rivals):
                return ConflictDecision(
                    json.dumps(" and ".join(str(each.content) for each in rivals))
                )
            case Assignment():
                return await self._write("yes", turn, Finding("no"))
        assert isinstance(message, Finding)
        return await self._write(message.text, turn)

    async def _write(self, verdict: str, turn: Turn, other: Finding | None = None) -> Finding:
        async with turn.state(Board) as board:
            board.verdict = verdict
            if other is not None:
                await turn.ask("coder", other)
        return Finding(verdict)

    def handlers(self) -> Mapping[type, object]:
        kinds = (PlanRequest, ComposeRequest, ConflictRequest, Assignment, Finding)
        return dict.fromkeys(kinds, self)

    def subscribes(self) -> tuple[str, ...]:
        return ()

    def pure(self) -> tuple[str, ...]:
        return ()

    def decides(self) -> tuple[str, ...]:
        return ("Board.verdict",)

    async def warm(self) -> None:
        """Nothing is loaded late."""

    async def close(self) -> None:
        """Nothing is open."""


def build(_class_path: str, **_parts: object) -> DisputingAgent:
    """Build an agent, as the factory in the settings does."""
    return DisputingAgent()
