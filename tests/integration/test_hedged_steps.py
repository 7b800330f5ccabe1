"""Real agents: a Researcher whose model says nothing is helped out by the other one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from agents.models.port import Request, StreamItem
from cluster.kernel.events import Answered, FindingReady, Hedged, StepFinished
from cluster.kernel.ids import StepId
from cluster.kernel.tasks.report import TaskReport
from cluster.kernel.vocabulary import Plan, Step
from cluster.runtime.tasks.context import Experience
from tests.support.agents import AgentCluster
from tests.support.scripted_model import ScriptedModel

FACT = "Caches keep what was read."
WORKFLOW = Plan((Step(StepId("look"), "researcher", "What do caches keep?"),))


class SilentModel(ScriptedModel):
    """Says nothing until it is told to stop, and notes that it was."""

    def __init__(self) -> None:
        super().__init__({})
        self.was_stopped = asyncio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        self.requests.append(request)
        try:
            await asyncio.Event().wait()
            yield await asyncio.Future()
        finally:
            self.was_stopped.set()


def known() -> Experience:
    experience = Experience()
    for _ in range(100):
        experience.hedger("researcher").learn(0.001)
    return experience


async def test_a_step_whose_replica_is_stuck_ends_with_the_other_one() -> None:
    silent = SilentModel()
    async with AgentCluster(experience=known()) as cluster:
        await cluster.add_real("manager", ScriptedModel({"manager": FACT}))
        await cluster.add_real("researcher", silent)
        await cluster.add_real("researcher", ScriptedModel({"researcher": FACT}), number=1)
        task = await cluster.submit("What do caches keep?", 60.0, workflow=WORKFLOW)
        events = [event async for event in task]
        await silent.was_stopped.wait()

    report = TaskReport(task.id)
    for event in events:
        report.observe(event)
    usage = report.to_json()["usage"]
    assert isinstance(events[-1].detail, Answered)
    assert [e.agent for e in events if isinstance(e.detail, Hedged)] == ["researcher-1"]
    assert [e.agent for e in events if isinstance(e.detail, StepFinished)] == ["researcher-1"]
    assert [e.detail.finding.text for e in events if isinstance(e.detail, FindingReady)] == [FACT]
    assert isinstance(usage, dict)
    assert usage["hedges"] == 1
    assert len(silent.requests) == 1
