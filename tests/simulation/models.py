"""The simulated models, sandbox and knowledge: they say what the goal asks for, and fail by seed.

A goal spells out its plan, as in ``Compare them [r1 c1:r1]``: step r1 for a researcher, step c1
for a coder with r1's result. So every Manager's model makes the same plan of the same goal. Texts
carry the number of the call that made them, which tells two executions of a step apart.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncGenerator, Sequence

from agents.models.port import Delta, Finish, Note, Request
from agents.prompts import MANAGER_PLAN_REST
from cluster.kernel.errors import AgentFailed, ModelError
from cluster.kernel.lookup import Lookup
from cluster.kernel.vocabulary import Run
from tests.simulation.faults import Faults

_PLAN = re.compile(r"\[([a-z0-9:, ]+)\]")
_AGENT = {"r": "researcher", "c": "coder"}
PIECES = 3
PLAN_PIECES = 6
"""Steps are sealed one after another, and what goes wrong does so between them too."""
TTFT_S = (0.01, 0.15)
PIECE_S = (0.005, 0.08)
SLOWLY = "slowly"
"""In a goal: its plan takes so long that steps begin and end meanwhile."""
SLOW_PIECES = 20
SLOW_PIECE_S = (0.02, 0.25)
STALL_S = 30.0
STALL_CHECKS = 60
GARBAGE = ("", "{", "\x00\ufffd[[[", "```\n", '{"steps": [{"id": 1}]}', "NOT FOUND", "a " * 400)


def plan_of(goal: str) -> list[dict[str, object]]:
    """Return the steps that a goal spells out."""
    found = _PLAN.search(goal)
    steps: list[dict[str, object]] = []
    for word in found[1].split() if found else []:
        step, _, needs = word.partition(":")
        steps.append(
            {
                "id": step,
                "agent": _AGENT[step[0]],
                "instruction": f"Say what {step} is.",
                "needs": needs.split(",") if needs else [],
            }
        )
    return steps


def renamed(steps: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the same steps under other ids, as a model may say them that is asked for the rest."""
    text = json.dumps(steps)
    for step in steps:
        text = text.replace(f'"{step["id"]}"', f'"{step["id"]}x"')
    again: list[dict[str, object]] = json.loads(text)
    return again


def _tempo(request: Request) -> tuple[int, tuple[float, float]]:
    """Return in how many pieces a text comes, and how long each takes."""
    if request.asker.step != "plan":
        return PIECES, PIECE_S
    if SLOWLY in request.messages[-1].text:
        return SLOW_PIECES, SLOW_PIECE_S
    return PLAN_PIECES, PIECE_S


class Calls:
    """Counts the calls of all models of a run."""

    def __init__(self) -> None:
        self.made = 0


class SimModel:
    """`agents.models.port.Model` on virtual time."""

    def __init__(self, faults: Faults, rng: random.Random, calls: Calls) -> None:
        self._faults = faults
        self._random = rng
        self._calls = calls
        self.pace = 1.0
        """How many times as long as usual everything takes, until all faults end."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Note | Finish, None]:
        """Yield what the asker's step needs, or something worse."""
        rng, happens = self._random, self._faults.happens
        self._calls.made += 1
        text = self._text(request, self._calls.made)
        for note in self._notes(request, self._calls.made):
            yield note
        await asyncio.sleep(rng.uniform(*TTFT_S) * self._pace_now)
        if happens("model error"):
            raise ModelError("the model endpoint answered 500")
        if happens("model garbage"):
            text = rng.choice(GARBAGE)
        pieces, piece_s = _tempo(request)
        size = -(-len(text) // pieces) or 1
        for number in range(pieces):
            if happens("model stall"):
                await self._stall()
            if number and happens("model stream cut"):
                raise ModelError("the model's stream broke")
            yield Delta(text[number * size : (number + 1) * size])
            await asyncio.sleep(rng.uniform(*piece_s) * self._pace_now)
        yield self._finish(pieces)

    @property
    def _pace_now(self) -> float:
        return self.pace if self._faults.are_on else 1.0

    async def _stall(self) -> None:
        """Say nothing for long, or until all faults end."""
        for _ in range(STALL_CHECKS):
            if self._faults.are_on:
                await asyncio.sleep(STALL_S / STALL_CHECKS)

    def _notes(self, request: Request, call: int) -> Sequence[Note]:
        """Return what is to be said of a call before its text."""
        return ()

    def _finish(self, pieces: int) -> Finish:
        return Finish("stop", 10, pieces)

    def _text(self, request: Request, call: int) -> str:
        asker = request.asker
        match asker.agent, asker.step:
            case "manager", "plan":
                system, user = request.messages[0].text, request.messages[-1].text
                steps = plan_of(user)
                if system == MANAGER_PLAN_REST and call % 2:
                    steps = renamed(steps)
                return json.dumps({"steps": steps})
            case "manager", _:
                return f"The answer was written by call {call}."
            case "coder", step:
                return f"```python\nprint('{step} by call {call}')\n```\n"
            case _, step:
                return f"Step {step} was thought by call {call}."

    async def warm(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        """Nothing to give back."""


class SimSandbox:
    """Runs nothing, and says that it printed what the program says."""

    unavailable_because = ""
    libraries: Sequence[str] = ()

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self._faults = faults
        self._random = rng

    async def warm(self) -> None:
        """Nothing is started."""

    async def run(self, source: str, timeout_s: float) -> Run:
        """End the program after a while."""
        await asyncio.sleep(self._random.uniform(0.005, 0.05))
        if self._faults.happens("sandbox error"):
            raise AgentFailed("the sandbox could not be started")
        return Run(0, source[7:-3] + "\n", "", 0.01)

    async def close(self) -> None:
        """Nothing runs."""


class NoKnowledge:
    """Finds nothing."""

    async def search(self, collection: str, query: str, limit: int = 5) -> Lookup:
        """Return no passages."""
        return Lookup()

    def is_current(self, found: Lookup) -> bool:
        """Nothing changes."""
        return True

    async def examples(self, collection: str, query: str, limit: int = 3) -> Lookup:
        """Return no examples."""
        return Lookup()
