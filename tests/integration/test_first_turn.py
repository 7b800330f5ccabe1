"""A warm agent's first turn finds what it needs: it imports, asks, dials and tests nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from agents.models.simulated.script import Line
from benchmarks.model_server import model_server
from tests.support.sandbox import real_sandbox

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2]
LINES = {
    "manager": {
        "plan": Line(
            '{"steps": [{"id": "a", "agent": "researcher", "instruction": "x", "needs": []}]}'
        ),
        "answer": Line("The Zephyr cache holds 512 entries [1]."),
    },
    "researcher": {"*": Line("The Zephyr cache holds 512 entries [1].")},
    "coder": {"*": Line("```python\nprint(42)\n```")},
}
FIRST_TURN = """
import asyncio, json, sys
from agents import Assignment, Finding, Passage
from agents.factory import build_agent
from cluster.kernel.ids import StepId
from cluster.kernel.sections import AnswerSettings, ModelSettings, SandboxSettings
from cluster.kernel.vocabulary import Citation, ComposeRequest, Plan, PlanRequest, Role, Step
from cluster.kernel.vocabulary import StepResult
from tests.support.fake_tools import FakeKnowledge
from tests.support.recording_turn import RecordingTurn

PASSAGE = Passage("docs/zephyr.md", 1, 1, "The Zephyr cache holds 512 entries.")
GOAL = "How many entries does the Zephyr cache hold?"
STEP = Step(StepId("a"), "researcher", GOAL)
CITED = Citation(PASSAGE.source, 1, 1, PASSAGE.text)
FOUND = StepResult(STEP.id, "researcher", Finding(PASSAGE.text + " [1]", (CITED,)))
ASKED = {
    "Manager": [
        PlanRequest(GOAL, (Role("researcher", "finds"),)),
        ComposeRequest(GOAL, Plan((STEP,)), (FOUND,)),
    ],
    "Researcher": [Assignment(STEP.id, GOAL, GOAL, collection="c")],
    "Coder": [Assignment(STEP.id, "Print 42.", "Print 42.", collection="c")],
}

async def main():
    name, base_url = sys.argv[1:]
    agent = build_agent(
        f"agents.{name.lower()}:{name}",
        model=ModelSettings(uri="openai:", base_url=base_url),
        api_key="k",
        knowledge=FakeKnowledge(PASSAGE),
        sandbox=SandboxSettings(),
        answer=AnswerSettings(),
    )
    await agent.warm()
    sandbox = agent.parts.sandbox
    tested, waiting = sandbox._refusal, list(sandbox._warm._waiting)
    known = set(sys.modules)
    for message in ASKED[name]:
        step = {PlanRequest: "plan", ComposeRequest: "answer"}.get(type(message), "a")
        await agent.handle(message, RecordingTurn(f"{name.lower()}-0", step))
    print(json.dumps([sorted(set(sys.modules) - known), tested, len(waiting)]), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await agent.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("name", ["Manager", "Researcher", "Coder"])
async def test_the_first_turn_finds_all_it_needs(name: str) -> None:
    async with real_sandbox(), model_server(lines=LINES) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            FIRST_TURN,
            name,
            server.base_url,
            cwd=PROJECT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        imported, tested, waiting = json.loads(await process.stdout.readline())
        assert imported == []
        assert (server.listed, server.connections()) == (1, 1)
        assert server.log
        if name == "Coder":
            assert (tested, waiting) == ("", 1)
        await process.communicate(b"\n")
