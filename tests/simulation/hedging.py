"""Pure steps that are given to a second replica: which replicas are slow, and what must hold.

Half of the seeds know how long a Researcher's steps take, and have replicas that are much slower;
all of it is drawn apart, and the seeds that once failed run without, as they did.
"""

from __future__ import annotations

import random
from collections import Counter

from agents.agent import Agent
from cluster.kernel.errors import UsageError
from cluster.kernel.events import (
    MODEL,
    AgentDetail,
    Event,
    Hedged,
    Spent,
    StepFinished,
    StepStarted,
)
from cluster.kernel.ids import AgentId, StepId
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.turn import Turn
from cluster.runtime.tasks.context import Experience
from tests.simulation.faults import KEPT_SEEDS
from tests.simulation.ledger import Ledger, View

HEDGED_SHARE = 0.5
SLOW_SHARE = 0.4
"""Of the processes of Researchers."""
PACES = (6.0, 25.0)
"""So many times as long a slow one's model takes."""
STEPS_KNOWN = 40
STEP_S = (0.05, 0.4)
"""What the simulated models take for one."""


def has_hedges(seed: int) -> bool:
    """Say whether a seed has all this."""
    return seed not in KEPT_SEEDS and random.Random(f"has hedges {seed}").random() < HEDGED_SHARE


def experience_of(seed: int) -> Experience:
    """Return what a Manager has learned before the run."""
    made = Experience()
    if has_hedges(seed):
        rng = random.Random(f"experience {seed}")
        for _ in range(STEPS_KNOWN):
            made.hedger(RESEARCHER).learn(rng.uniform(*STEP_S))
    return made


def pace_of(seed: int, role: str, name: str) -> float:
    """Return how many times as long as usual the model of a process takes."""
    rng = random.Random(f"pace {seed} {name}")
    if not has_hedges(seed) or role != RESEARCHER or rng.random() >= SLOW_SHARE:
        return 1.0
    return rng.uniform(*PACES)


def judge_trespass(agent: Agent, turn: Turn, ledger: Ledger) -> None:
    """O2: a pure step can publish nothing."""
    try:
        turn.publish("trespass", 1)
    except UsageError as error:
        if f"{type(agent).__name__}." in str(error):
            return
    ledger.violate("O2", f"the pure step {turn.step} of {turn.task} could publish")


class HedgedSteps:
    """What the driver of a task has seen of those of its steps that two replicas did."""

    def __init__(self, view: View, ledger: Ledger) -> None:
        self._view = view
        self._ledger = ledger
        self._second: dict[StepId, AgentId] = {}
        """Who was asked as well, since the step was begun last."""
        self._shown: Counter[StepId] = Counter()
        """How much was seen of that one's work."""

    def judge(self) -> None:
        """O2: at most one more is asked, and the work of that one is seen where it has won."""
        for event in self._view.events:
            match event.detail:
                case StepStarted():
                    self._second.pop(event.step, None)
                    self._shown[event.step] = 0
                case Hedged(what) if what != MODEL:
                    self._hedge(event)
                case StepFinished(failure=None) if event.step in self._second:
                    self._end(event)
                case _ if self._is_of_second(event):
                    self._shown[event.step] += 1

    def _is_of_second(self, event: Event) -> bool:
        """Say whether an event tells of the work of a second replica; what that costs is told."""
        is_work = isinstance(event.detail, AgentDetail) and not isinstance(event.detail, Spent)
        return is_work and event.agent == self._second.get(event.step)

    def _hedge(self, event: Event) -> None:
        self._ledger.hedging["asked as well"] += 1
        if event.step in self._second:
            self._ledger.violate("O2", f"a third replica does {event.step} of {event.task}")
        self._second[event.step] = event.agent

    def _end(self, event: Event) -> None:
        if event.agent == self._second.pop(event.step):
            self._ledger.hedging["won"] += 1
        elif self._shown[event.step]:
            what = f"step {event.step} of {event.task} is by {event.agent}, and another's is shown"
            self._ledger.violate("O2", what)
