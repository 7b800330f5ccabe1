"""A real agent of a simulated cluster, whose work goes into the books. Made by the world."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agents.agent import Agent
from cluster.kernel.events import Corrected
from cluster.kernel.second_look import Corrections
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    Claim,
    ComposeRequest,
    PlanRequest,
    Support,
    VerifyRequest,
)
from tests.simulation.hedging import judge_trespass
from tests.simulation.loop import Process

if TYPE_CHECKING:
    from tests.simulation.world import World


class Watched:
    """A real agent, whose work goes into the books."""

    def __init__(self, agent: Agent, world: World, process: Process) -> None:
        self.agent = agent
        self._world = world
        self._process = process

    async def handle(self, message: object, turn: Turn) -> object:
        """Pass a message to the agent."""
        ledger, process = self._world.ledger, self._process
        now = self._world.loop.time()
        match message:
            case Assignment():
                self._world.note(process, f"begins step {message.step} of {turn.task[-4:]}")
                ledger.on_start(process, message, turn.task, now)
                await self.on_begin(message, turn)
            case PlanRequest():
                ledger.on_plan(process, turn.task, message.sealed, now)
            case ComposeRequest():
                ledger.on_compose(message, turn.task)
                self._world.means.books.on_compose(message, turn.task)
            case VerifyRequest():
                ledger.on_look(message, turn.task)
                self._world.means.books.on_compose(message.composed, turn.task)
                if message.composed.lacks:
                    return Corrections()
                await self.agent.think(turn, "", "Look again.")
                return Corrections((Corrected(0, ""),))
        reply = await self.agent.handle(message, turn)
        if isinstance(reply, Answer) and self._world.looks_again:
            return replace(reply, claims=(Claim("It is so.", Support.UNVERIFIED),))
        if isinstance(message, Assignment):
            self._world.note(process, f"has done step {message.step} of {turn.task[-4:]}")
            ledger.on_done(process, turn.task, message.step, reply, self._world.loop.time())
            if self.agent.pure():
                judge_trespass(self.agent, turn, ledger)
        return reply

    async def on_begin(self, assignment: Assignment, turn: Turn) -> None:
        """An agent begins to work on a step."""
