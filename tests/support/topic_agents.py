"""Agents that publish prices and act on them; classes for the settings of a real cluster."""

from __future__ import annotations

from typing import Annotated

from agents import Agent, Answer, Assignment, Finding, TopicView, Turn, handles, subscribes
from agents.manager import Manager
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import ComposeRequest, Plan, PlanProposal, PlanRequest, Step
from cluster.state import SharedState, merge


class Offers(SharedState):
    """What the buyer makes of prices."""

    cheapest: Annotated[dict[str, int], merge.by_key]
    woken: Annotated[int, merge.total]


class Market(Manager):
    """Has two sellers say their prices at once, and answers with what the buyer found."""

    @handles(PlanRequest)
    async def plan(self, request: PlanRequest, turn: Turn) -> PlanProposal:
        """Plan a step for each seller."""
        steps = [Step(StepId(name), "seller", "Say a price.") for name in ("a", "b")]
        return PlanProposal(Plan(tuple(steps)))

    @handles(ComposeRequest)
    async def compose(self, request: ComposeRequest, turn: Turn) -> Answer:
        """Say what was found, and whether more often than there were prices."""
        offers = await turn.open(Offers)
        return Answer(f"{dict(offers.cheapest)} {1 <= offers.woken <= 6}")


class Seller(Agent):
    """Says prices."""

    purpose = "says prices"

    @handles(Assignment)
    async def sell(self, assignment: Assignment, turn: Turn) -> Finding:
        """Say three prices, each lower."""
        for price in (30, 20, 10 if assignment.step == "a" else 15):
            turn.publish("prices", {"seller": assignment.step, "price": price})
        return Finding("said")


class Buyer(Agent):
    """Looks for the lowest price."""

    purpose = "looks for the lowest price"

    @subscribes("prices")
    async def look(self, topic: TopicView, turn: Turn) -> None:
        """Note the lowest price of all that were said so far."""
        lowest = min(topic.values, key=lambda said: said["price"])
        async with turn.state(Offers) as offers:
            offers.cheapest[lowest["seller"]] = lowest["price"]
            offers.woken += 1
