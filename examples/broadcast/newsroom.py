"""Agents that fill one paper: what matters to each of their steps, they declare with ``reads=``.

Their model is simulated: it takes its time and says nothing of use, so what they write is theirs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from agents import (
    Agent,
    Answer,
    Assignment,
    ComposeRequest,
    Failure,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
    StepId,
    Turn,
    handles,
)
from agents.manager import Manager
from cluster.state import SharedState, merge

REPORT, DESIGN, WRITE = StepId("report"), StepId("design"), StepId("write")
FACTS = {"built": "The bridge was built in 1894.", "length": "It is 244 metres long."}


class Paper(SharedState):
    """What they share within a task."""

    facts: Annotated[dict[str, str], merge.by_key]
    headline: Annotated[str, merge.text]
    story: Annotated[str, merge.text]


class Done(BaseModel):
    """What a step comes to, beside the paper."""

    note: str


class Editor(Manager):
    """Has every story reported, designed and written in this order."""

    @handles(PlanRequest)
    async def plan(self, request: PlanRequest, turn: Turn) -> PlanProposal:  # noqa: ARG002
        """Plan the same for every goal."""
        steps = (
            Step(REPORT, "reporter", "Find the facts."),
            Step(DESIGN, "designer", "Find a headline.", (REPORT,)),
            Step(WRITE, "writer", "Write the story.", (REPORT, DESIGN)),
        )
        return PlanProposal(Plan(steps))

    @handles(ComposeRequest)
    async def compose(self, request: ComposeRequest, turn: Turn) -> Answer:
        """Print the paper, and say which steps have failed: nobody else does."""
        degraded = tuple(
            f"Step {each.step} failed: {each.value.message}"
            for each in request.results
            if isinstance(each.value, Failure)
        )
        paper = await turn.open(Paper)
        return Answer(f"{paper.headline}\n{paper.story}", degraded=degraded)


class Reporter(Agent):
    """Finds facts."""

    purpose = "finds facts"

    @handles(Assignment)
    async def report(self, assignment: Assignment, turn: Turn) -> Done:
        """Note what is known."""
        await self.think(turn, "You are a reporter.", assignment.goal)
        async with turn.state(Paper) as paper:
            paper.facts.update(FACTS)
        return Done(note=f"{len(FACTS)} facts")


class Designer(Agent):
    """Finds headlines; one that was found too early will do."""

    purpose = "finds headlines"

    @handles(Assignment, reads=())
    async def design(self, assignment: Assignment, turn: Turn) -> Done:
        """Write a headline, with the number of facts where they are known by now."""
        facts = (await turn.open(Paper)).facts
        headline = f"{len(facts)} facts on a bridge" if facts else "News of a bridge"
        await self.think(turn, "You are a designer.", assignment.goal)
        async with turn.state(Paper) as paper:
            paper.headline = headline
        return Done(note=headline)


class Writer(Agent):
    """Writes stories, which must tell all the facts."""

    purpose = "writes stories"

    @handles(Assignment, reads=(Paper.facts,))
    async def write(self, assignment: Assignment, turn: Turn) -> Done:
        """Write what the facts say."""
        facts = (await turn.open(Paper)).facts
        story = " ".join(facts[name] for name in sorted(facts))
        await self.think(turn, "You are a writer.", assignment.goal)
        async with turn.state(Paper) as paper:
            paper.story = story
        return Done(note=story)
