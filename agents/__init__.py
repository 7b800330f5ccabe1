"""The agents: Manager, Researcher, Coder, and the base class of your own.

from agents import Agent, Program, Turn, handles

class Reviewer(Agent):
    purpose = "Reviews the program that the Coder wrote."

    @handles(Program)
    async def review(self, program: Program, turn: Turn) -> Review: ...
"""

from __future__ import annotations

from agents.agent import Agent, Parts, handles
from agents.deciding import FOR_A_PERSON, merges
from agents.declared import knowledge, results
from agents.routing.functions import RouteCall, route
from agents.subscribing import TopicView, subscribes
from cluster.kernel.decisions import ConflictRequest
from cluster.kernel.ids import StepId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    Citation,
    ComposeRequest,
    Failure,
    Finding,
    Passage,
    Plan,
    PlanProposal,
    PlanRequest,
    Program,
    Run,
    Step,
    StepResult,
)

__all__ = [
    "FOR_A_PERSON",
    "Agent",
    "Answer",
    "Assignment",
    "Citation",
    "ComposeRequest",
    "ConflictRequest",
    "Failure",
    "Finding",
    "Parts",
    "Passage",
    "Plan",
    "PlanProposal",
    "PlanRequest",
    "Program",
    "RouteCall",
    "Run",
    "Step",
    "StepId",
    "StepResult",
    "TopicView",
    "Turn",
    "handles",
    "knowledge",
    "merges",
    "results",
    "route",
    "subscribes",
]

__fleetmind__ = True
"""Tells this package from the one that `openai-agents` installs under the same name."""
