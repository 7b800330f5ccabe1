"""Endpoints with manners of their own: whole tasks end with the same answer, and say what was odd.

Real agents, engine and adapter; the endpoint is a server of this file that says what a good model
would, each time in another manner.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agents import Run
from agents.models.policies.uncapped import UncappedModel
from cluster.kernel.events import ProgramWritten, StepStarted
from tests.support.agents import AgentCluster, Outcome, endpoint
from tests.support.fake_tools import FakeSandbox

pytestmark = pytest.mark.integration

GOAL = (
    "Which load does the crane of Belmor lift? Write a program that uses heapq to print the three "
    "smallest of 5, 1, 9, 2."
)
LIFTS = "The crane of Belmor lifts a load of 40 tonnes"
PAGE = f"# Belmor\n\nThe harbour of Belmor opened in 1887. {LIFTS}.\n"
PROGRAM = "import heapq\nprint(heapq.nsmallest(3, [5, 1, 9, 2]))\n"
DRAFT = "import heapq\nprint(heapq.nlargest(3, [5, 1, 9, 2]))\n"
PLAN = {
    "steps": [
        {"id": "r1", "agent": "researcher", "instruction": "Find the load.", "needs": []},
        {"id": "c1", "agent": "coder", "instruction": "Print the three.", "needs": ["r1"]},
    ]
}
SAID = {
    ("manager", "plan"): json.dumps(PLAN),
    ("researcher", "r1"): f"{LIFTS} [1].",
    ("coder", "c1"): f"```python\n{PROGRAM}```",
    ("manager", "answer"): f"{LIFTS} [1].",
}
DONE = b"data: [DONE]\n\n"


@dataclass
class Asked:
    """A request, and what a good model would say."""

    text: str
    body: dict[str, Any]
    number: int
    """How often the step has been asked before."""

    @property
    def system(self) -> str:
        """The system prompt."""
        return str(self.body["messages"][0]["content"])


Manner = Callable[[Asked], list[bytes]]


def chunk(reason: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def said(text: str, reason: str | None = None) -> list[bytes]:
    """A text in pieces of seven characters."""
    return [chunk(reason, content=text[at : at + 7]) for at in range(0, len(text), 7)]


def plain(asked: Asked) -> list[bytes]:
    return [*said(asked.text), chunk("stop"), DONE]


def thinking(opening: str, closing: str, filler: str = "") -> Manner:
    """Thoughts in the text, with the prompt's own words and drafts of plans and programs."""

    def streamed(asked: Asked) -> list[bytes]:
        drafts = f"{asked.system}\nSo:\n```python\n{DRAFT}```\nOr {json.dumps(PLAN)[:70]} ...\n"
        thought = f"{opening}Okay. {filler}{drafts}{filler}\n{closing}\n\n"
        return [*said(thought), *plain(asked)]

    return streamed


def spends_its_bound(asked: Asked) -> list[bytes]:
    if "max_tokens" not in asked.body:
        return [chunk(reasoning="Hm. " * 500), *plain(asked)]
    return [chunk(reasoning="Hm. " * 300), chunk("length"), DONE]


def framed(asked: Asked) -> list[bytes]:
    odd = b"id: 7\nevent: ping\nretry: 3000\n\n: ping\n\ndata:\n\n"
    return [odd, *(b"id: 8\n: x\n" + each + odd for each in plain(asked))]


def cut_once(asked: Asked) -> list[bytes]:
    return said("Half of it ") if not asked.number else plain(asked)


def error_once(asked: Asked) -> list[bytes]:
    if asked.number:
        return plain(asked)
    return [*said("Half of it "), b'data: {"error": "the model ran out of memory"}\n\n']


def ends(reason: str | None, *last: bytes) -> Manner:
    def streamed(asked: Asked) -> list[bytes]:
        return [*said(asked.text), *([chunk(reason)] if reason else []), *(last or (DONE,))]

    return streamed


def stop_always(asked: Asked) -> list[bytes]:
    return [chunk("stop", role="assistant", content=""), *said(asked.text, "stop"), DONE]


def in_parts(asked: Asked) -> list[bytes]:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    half = len(asked.text) // 2
    parts = [{"type": "text", "text": text} for text in (asked.text[:half], asked.text[half:])]
    return [chunk(content=[thought]), chunk(content=parts), chunk("stop"), DONE]


def whole(asked: Asked) -> list[bytes]:
    choice = {"message": {"role": "assistant", "content": asked.text}, "finish_reason": "stop"}
    return [json.dumps({"object": "chat.completion", "choices": [choice]}, indent=2).encode()]


QUIET: dict[str, Manner] = {
    "plain": plain,
    "thoughts in the text": thinking("<think>\n", "</think>"),
    "thoughts without an opening tag": thinking("", "</think>"),
    "long thoughts": thinking("<think>", "</think>", "Let me see. " * 400),
    "long thoughts without an opening tag": thinking("", "</think>", "Let me see. " * 400),
    "Mistral's tags": thinking("[THINK]", "[/THINK]"),
    "events of other kinds": framed,
    "no finish reason": ends(None),
    "eos_token": ends("eos_token"),
    "STOP": ends("STOP"),
    "Complete": ends("Complete"),
    "tool_calls": ends("tool_calls"),
    "stop without an end": ends("stop", b": bye\n\n"),
    "an error after the end": ends("stop", b'data: {"error": "gone"}\n\n'),
    "stop with every chunk": stop_always,
    "text in parts": in_parts,
    "no stream": whole,
}
"""Manners that cost nothing, and of which nothing is said."""
TOLD: dict[str, tuple[Manner, str]] = {
    "a bound spent on reasoning": (spends_its_bound, "tokens on reasoning, and was asked again"),
    "a stream cut once": (cut_once, "cut its stream off before the end of the answer, and was"),
    "an error once": (error_once, "(the model ran out of memory), and was asked again from"),
    "an unknown reason": (ends("moonset"), "for an unknown reason (moonset); it is used"),
}
"""Manners of which something is said."""


@dataclass
class Served:
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def served(manner: Manner) -> AsyncIterator[Served]:
    running = Served()

    async def complete(request: web.Request) -> web.StreamResponse:
        agent, step = (request.headers[f"X-Fleetmind-{name}"] for name in ("Agent", "Step"))
        number = running.asked[step]
        running.asked[step] += 1
        asked = Asked(SAID[agent, step], await request.json(), number)
        response = web.StreamResponse()
        response.content_type = "application/json" if manner is whole else "text/event-stream"
        await response.prepare(request)
        for block in manner(asked):
            await response.write(block)
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield running
    finally:
        await runner.cleanup()


async def outcome_of(manner: Manner, folder: Path) -> Outcome:
    """Give a goal to agents whose endpoint has this manner."""
    page = folder / "belmor.md"
    page.write_text(PAGE, encoding="utf-8")
    sandbox = FakeSandbox(lambda source: Run(0, f"{[1, 2, 5] if source == PROGRAM else 9}\n", ""))
    async with AgentCluster() as cluster, served(manner) as running:
        for role in ("manager", "researcher", "coder"):
            await cluster.add_real(role, UncappedModel(endpoint(running.url)), sandbox)
        return await cluster.outcome(GOAL, collection=await cluster.learn(page))


def check(outcome: Outcome) -> None:
    assert LIFTS in outcome.answer.text
    assert outcome.answer.citations
    assert "Half of it" not in outcome.answer.text
    started = [event.step for event in outcome.events if isinstance(event.detail, StepStarted)]
    assert sorted(set(started)) == ["c1", "r1"]
    written = [each.detail for each in outcome.events if isinstance(each.detail, ProgramWritten)]
    assert [each.source for each in written] == [PROGRAM]


@pytest.mark.parametrize("name", QUIET)
async def test_a_manner_that_is_known_makes_no_difference(name: str, tmp_path: Path) -> None:
    outcome = await outcome_of(QUIET[name], tmp_path)

    check(outcome)
    assert outcome.degraded == ""


@pytest.mark.parametrize("name", TOLD)
async def test_what_a_manner_has_cost_is_said_with_the_same_answer(
    name: str, tmp_path: Path
) -> None:
    manner, told = TOLD[name]

    outcome = await outcome_of(manner, tmp_path)

    check(outcome)
    assert told in outcome.degraded
