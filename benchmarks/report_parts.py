"""The agents of the bench 'report': the real ones, over a knowledge whose look-ups take 100 ms.

Named in the settings as the factory of parts, and called in each agent's process. When a tool was
at work is written to the file that `LOG_VARIABLE` names, one line of JSON a use, by
`time.monotonic`, which is the model server's clock too.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents import factory
from agents.agent import Agent
from agents.tools.ports import Knowledge, Sandbox
from benchmarks.workloads import SEARCH_S, passage_text
from cluster.kernel.lookup import Lookup
from cluster.kernel.sections import AnswerSettings, ModelSettings, SandboxSettings
from cluster.kernel.vocabulary import Passage, Run

FACTORY = "benchmarks.report_parts:build_agent"
LOG_VARIABLE = "FLEETMIND_BENCH_TOOLS"

_step: ContextVar[str] = ContextVar("step", default="")
"""What the tools are used for; whatever runs for a turn inherits it."""


class NotedKnowledge:
    """Finds one passage for whatever it is asked, as slowly as the peers' look-ups."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._knowledge, name)

    async def search(self, collection: str, query: str, limit: int = 5) -> Lookup:  # noqa: ARG002
        """Return the passage."""
        started = time.monotonic()
        await asyncio.sleep(SEARCH_S)
        _note("search", started, time.monotonic())
        return Lookup((Passage("report.md", 1, 4, passage_text()),))

    async def examples(self, collection: str, query: str, limit: int = 3) -> Lookup:  # noqa: ARG002
        """Find nothing, at once: the peers look nothing up for a program either."""
        return Lookup()

    def is_current(self, found: Lookup) -> bool:  # noqa: ARG002 - the port
        """Say that nothing has changed."""
        return True


class NotedSandbox:
    """The real one."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)

    async def run(self, source: str, timeout_s: float) -> Run:
        """Run a program; what counts is the time that the run itself has taken."""
        run = await self._sandbox.run(source, timeout_s)
        ended = time.monotonic()
        _note("sandbox", ended - run.duration_s, ended)
        return run


def _note(tool: str, started: float, ended: float) -> None:
    noted = {"tool": tool, "step": _step.get(), "started": started, "ended": ended}
    with Path(os.environ[LOG_VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(noted) + "\n")


def _for_its_step(method: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    async def noted(message: object, *rest: object) -> object:
        _step.set(str(getattr(message, "step", "")))
        return await method(message, *rest)

    return noted


def build_agent(
    class_path: str,
    *,
    model: ModelSettings,
    api_key: str,
    knowledge: Knowledge,
    sandbox: SandboxSettings,
    answer: AnswerSettings,
    **others: Any,
) -> Agent:
    """Return a new agent of the class that ``module:Class`` names."""
    agent = factory.build_agent(
        class_path,
        model=model,
        api_key=api_key,
        knowledge=NotedKnowledge(knowledge),
        sandbox=sandbox,
        answer=answer,
        **others,
    )
    agent.parts = replace(agent.parts, sandbox=NotedSandbox(agent.parts.sandbox))
    for name in ("handle", "prepare"):
        if hasattr(agent, name):
            setattr(agent, name, _for_its_step(getattr(agent, name)))
    return agent
