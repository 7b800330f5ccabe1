"""What a task may use, where its goal goes, and what answers it where the means are lacking.

Half of the seeds have tasks with bounds of tokens or cost, goals that a router sends elsewhere or
that nobody can plan, models that plainer ones stand in for, and answers of before. All of it is
drawn apart, and the seeds that once failed run without, as they did.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from agents.agent import Agent
from agents.models.port import Deed, Delta, Finish, Note, Request
from agents.routes import CHAT, Routes
from agents.routing.functions import RouteCall, RoutedFunction
from cluster.kernel.errors import AgentFailed
from cluster.kernel.ids import PLAN_STEP
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.routing import TEAM, Decision, Effort
from cluster.kernel.tasks.budget import NO_BUDGET, Budget
from cluster.kernel.vocabulary import Answer
from cluster.memory.kept_answers import KeptAnswer, Question, StoredAnswers
from cluster.memory.store.local import LocalStore
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore
from tests.simulation.faults import KEPT_SEEDS, Faults, Menu
from tests.simulation.ledger import CODEC, Ledger
from tests.simulation.loop import Process
from tests.simulation.means_oracles import MeansBooks
from tests.simulation.models import Calls, SimModel
from tests.simulation.store import run_at_once

MEANS_SHARE = 0.5
RATES = {
    "model falls back": (0.1, 0.8),
    "model withdraws": (0.01, 0.1),
    "function error": (0.05, 0.4),
    "function stall": (0.05, 0.3),
}
MENU = Menu(RATES, (), (), ("model", "function"))
NOTHING = Menu({}, (), (), ())
BOUNDS = (
    *(Budget(tokens_max=bound) for bound in (20, 35, 50, 70, 100)),
    *(Budget(cost_max=bound) for bound in (0.25, 0.5, 1.0, 1.5)),
)
COST = 0.25
"""Of each call: sums of it are exact."""
BOUND_SHARE = 0.5
FUNCTION = "refund"
WORDS = (f"@{FUNCTION}", f"@{FUNCTION}", f"@{CHAT}", f"@{RESEARCHER}")
WORD_SHARE = 0.4
UNCLEAR = "unclear"
UNCLEAR_SHARE = 0.12
SAME_SHARE = 0.4
"""Of the goals: those that have no number, so that another task may have the same."""
COLLECTIONS = ("", "", "docs@1", "docs@2")
REMEMBERED_SHARE = 0.6
MODEL = "simulated"
STALL_S = 30.0
STALL_CHECKS = 60
AGE_S = 5_000.0
_ROUTE = re.compile(r"@(\w+)")
_NUMBER = re.compile(r"into \d+")


def has_means(seed: int) -> bool:
    """Say whether a seed has all this."""
    return seed not in KEPT_SEEDS and random.Random(f"has means {seed}").random() < MEANS_SHARE


@dataclass(frozen=True, slots=True)
class TaskMeans:
    """A task's goal, documents and bounds."""

    goal: str
    collection: str = ""
    budget: Budget = NO_BUDGET


def task_means(seed: int, number: int, goal: str) -> TaskMeans:
    """Return what a task is given, of which its goal says what becomes of it."""
    if not has_means(seed):
        return TaskMeans(goal)
    rng = random.Random(f"task means {seed} {number}")
    budget = rng.choice(BOUNDS) if rng.random() < BOUND_SHARE else NO_BUDGET
    if rng.random() < SAME_SHARE:
        goal = _NUMBER.sub("into it", goal)
    if rng.random() < WORD_SHARE:
        goal = f"{rng.choice(WORDS)} {goal}"
    elif rng.random() < UNCLEAR_SHARE:
        goal = f"{goal} {UNCLEAR}"
    return TaskMeans(goal, rng.choice(COLLECTIONS), budget)


class Means:
    """What the tasks of a run are given, and the books of it."""

    def __init__(self, seed: int, others: Faults, ledger: Ledger, *, wall_s: float) -> None:
        self.is_on = has_means(seed)
        self.books = MeansBooks(ledger)
        self.faults = Faults(
            random.Random(f"means faults {seed}"),
            horizon_s=0.0,
            lease_s=1.0,
            menu=MENU if self.is_on else NOTHING,
        )
        self.faults.counts = others.counts
        self._random = random.Random(f"means {seed}")
        self._wall_s = wall_s

    def model(self, process: Process, faults: Faults, rng: random.Random, calls: Calls) -> SimModel:
        """Return the model of a process."""
        if not self.is_on:
            return SimModel(faults, rng, calls)
        return PricedSimModel(faults, rng, calls, process, self)

    def give_routes(self, agent: Agent) -> None:
        """Give a Manager its router."""
        if self.is_on:
            function = RoutedFunction(FUNCTION, (), self._refund)
            agent.routes = Routes(SimRouter(), {FUNCTION: function})

    async def _refund(self, goal: str, call: RouteCall) -> str:
        self.books.on_function(call, FUNCTION)
        await asyncio.sleep(self._random.uniform(0.005, 1.0))
        if self.faults.happens("function error"):
            raise AgentFailed("the function could not act")
        if self.faults.happens("function stall"):
            for _ in range(STALL_CHECKS):
                if self.faults.are_on:
                    await asyncio.sleep(STALL_S / STALL_CHECKS)
        return f"The function has seen to {goal!r}."

    def answers(self, store: Any) -> AnswersOfBefore | None:
        """Return the answers of before, as a Manager has them."""
        return AnswersOfBefore(StoredAnswers(store, CODEC), MODEL) if self.is_on else None

    def remember(self, store: LocalStore, tasks: Iterable[tuple[str, str]]) -> None:
        """Have some of the questions answered before; those of documents of an older version."""
        if not self.is_on:
            return
        kept = StoredAnswers(store, CODEC)
        for goal, collection in tasks:
            if self._random.random() < REMEMBERED_SHARE:
                question = Question(goal, COLLECTIONS[2] if collection else "", MODEL)
                answer = Answer(self.books.remembered(question))
                run_at_once(kept.keep(question, KeptAnswer(answer, self._wall_s - AGE_S)))


class SimRouter:
    """Decides by a word in the goal, in no time."""

    def decide(self, text: str) -> Decision:
        """Return where a goal goes."""
        found = _ROUTE.search(text)
        if found is None:
            return Decision("code", TEAM)
        return Decision(found[1], found[1], 1.0, Effort.QUICK)

    def warm(self) -> Future[None]:
        """Nothing to get ready."""
        ready: Future[None] = Future()
        ready.set_result(None)
        return ready


class PricedSimModel(SimModel):
    """A simulated model whose calls cost something, and that a plainer one may stand in for."""

    def __init__(
        self, faults: Faults, rng: random.Random, calls: Calls, process: Process, means: Means
    ) -> None:
        super().__init__(faults, rng, calls)
        self._process = process
        self._means = means
        self._numbers: dict[int, int] = {}
        """Of the calls for requests, by which object that is."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Note | Finish, None]:
        """Say what a simulated model says, or take it back in the middle."""
        async with aclosing(super().stream(request)) as items:
            async for item in items:
                yield item
                if isinstance(item, Delta) and self._means.faults.happens("model withdraws"):
                    raise self._means.books.taken_back(self._numbers[id(request)])

    def _notes(self, request: Request, call: int) -> tuple[Note, ...]:
        books, asker = self._means.books, request.asker
        self._numbers[id(request)] = call
        books.on_call(asker, call)
        if not self._means.faults.happens("model falls back"):
            return ()
        return (Note(Deed.FELL_BACK, books.fell_back(self._process, asker, call)),)

    def _text(self, request: Request, call: int) -> str:
        """Ask the user where the goal is unclear, as two of three calls find."""
        is_plan = request.asker.step == PLAN_STEP
        if is_plan and UNCLEAR in request.messages[-1].text and call % 3:
            return '{"clarify": "What is it that you want to know?"}'
        return super()._text(request, call)

    def _finish(self, pieces: int) -> Finish:
        return replace(super()._finish(pieces), cost=COST)
