"""A Manager that is watched: when a step's last byte came, when it was decided on, when durable.

`build_agent` is named in the settings as the factory of parts and called in the process of the
bench, so that its model can say when it has handed a byte over; `watch` has the engine say the
rest. All by one clock, `time.perf_counter`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agents.agent import Agent, Parts
from agents.factory import load_agent_class
from agents.models.port import Delta, Finish, Request
from agents.models.simulated.model import SimulatedModel
from agents.tools.sandbox.bubblewrap import build_sandbox
from cluster.kernel.events import Event, StepFinished, StepStarted
from cluster.kernel.ids import PLAN_STEP
from cluster.kernel.sections import SandboxSettings
from cluster.kernel.tasks.history import DoStep
from cluster.runtime.tasks.plan_run import PlanRun
from cluster.runtime.tasks.task_story import TaskStory

FACTORY = "benchmarks.dispatch_parts:build_agent"
GOAL = "What is a heap?"
PAUSE_S = 0.002
"""Between two pieces of a plan."""
FAN_OUT = 5
_PIECE_LENGTH = 12


@dataclass(slots=True)
class Moments:
    """What was seen of all steps, by their ids, which no two tasks share."""

    written: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    """When the result was there, and its append began."""
    decided: dict[str, float] = field(default_factory=dict)
    durable: dict[str, float] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    """Of the steps that need one: which."""

    def released(self, step: str) -> float:
        """Return when the last byte was there that a step needed."""
        need = self.needs.get(step)
        return max(self.written[step], self.ended[need] if need else 0.0)

    def lags_ms(self, reached: dict[str, float], *, fan_out: bool | None = None) -> list[float]:
        """Return how long after its release each step got somewhere.

        Only those that need another step, or only the others, where that is given.
        """
        return [
            (at - self.released(step)) * 1000
            for step, at in reached.items()
            if step in self.written and fan_out in (None, step in self.needs)
        ]


moments = Moments()
_numbers = itertools.count(1)


class WrittenPlan:
    """One plan as it is streamed: a step, five that need it, five at once.

    The last five are completed by one piece, as a fast endpoint sends them.
    """

    def __init__(self, number: int) -> None:
        first = f"r{number}n0"
        waiting = [f"r{number}n{index}" for index in range(1, FAN_OUT + 1)]
        together = [f"r{number}n{index}" for index in range(FAN_OUT + 1, 2 * FAN_OUT + 1)]
        moments.needs |= dict.fromkeys(waiting, first)
        self._pieces = ['{"steps": [']
        for step in (first, *waiting):
            text = _text(step, moments.needs.get(step))
            self._pieces += [
                text[at : at + _PIECE_LENGTH] for at in range(0, len(text), _PIECE_LENGTH)
            ]
            self._pieces[-1:] = [self._pieces[-1] + ", "]
        self._pieces.append(", ".join(_text(step, None) for step in together) + "]}")
        self._completed: dict[int, list[str]] = {len(self._pieces) - 1: together}
        self._complete_singly((first, *waiting))

    def _complete_singly(self, steps: tuple[str, ...]) -> None:
        closing = [at for at, piece in enumerate(self._pieces[:-1]) if "}" in piece]
        self._completed |= {at: [step] for at, step in zip(closing, steps, strict=True)}

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Give the pieces, and note when those that complete steps are handed over."""
        for at, piece in enumerate(self._pieces):
            await asyncio.sleep(PAUSE_S)
            now = time.perf_counter()
            for step in self._completed.get(at, ()):
                moments.written[step] = now
            yield Delta(piece)

    @property
    def tokens(self) -> int:
        """How many pieces there are."""
        return len(self._pieces)


def _text(step: str, need: str | None) -> str:
    told = GOAL if step.endswith("n0") else f"Find out about topic {step} of the report"
    planned = {
        "id": step,
        "agent": "researcher",
        "instruction": told,
        "needs": [need] if need else [],
    }
    return json.dumps(planned)


class PlanningModel(SimulatedModel):
    """Writes such plans, and says the rest at once."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Finish, None]:
        """Yield the reply piece by piece, then Finish."""
        if request.asker.step != PLAN_STEP:
            async for item in super().stream(request):
                yield item
            return
        plan = WrittenPlan(next(_numbers))
        async for delta in plan.deltas():
            yield delta
        yield Finish("stop", completion_tokens=plan.tokens)


def build_agent(class_path: str, *, sandbox: SandboxSettings, knowledge: Any, **_: object) -> Agent:
    """Return a new agent of the class that ``module:Class`` names, with such a model."""
    parts = Parts(model=PlanningModel(), knowledge=knowledge, sandbox=build_sandbox(sandbox))
    return load_agent_class(class_path)(parts)


@contextmanager
def watch() -> Iterator[None]:
    """Have the engines of this process say when they decide on a step, and when that is durable."""
    start, record = getattr(PlanRun, "_start"), TaskStory.record  # noqa: B009 - for ruff
    setattr(PlanRun, "_start", _noting_decision(start))  # noqa: B010 - for mypy
    setattr(TaskStory, "record", _noting_record(record))  # noqa: B010 - for mypy
    try:
        yield
    finally:
        setattr(PlanRun, "_start", start)  # noqa: B010 - for mypy
        setattr(TaskStory, "record", record)  # noqa: B010 - for mypy


def _noting_decision(start: Callable[..., None]) -> Callable[..., None]:
    def noted(self: object, order: DoStep) -> None:
        start(self, order)
        moments.decided.setdefault(order.step.id, time.perf_counter())

    return noted


def _noting_record(record: Callable[..., Any]) -> Callable[..., Any]:
    async def noted(self: object, detail: object, *rest: Any, **named: Any) -> Event:
        if isinstance(detail, StepFinished):
            moments.ended[rest[0]] = time.perf_counter()
        event: Event = await record(self, detail, *rest, **named)
        if isinstance(detail, StepStarted):
            moments.durable[event.step] = time.perf_counter()
        return event

    return noted
