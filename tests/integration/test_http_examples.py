"""The examples that follow a task over HTTP, at a server whose connections are cut."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.kernel.events import Answered, StepStarted, Thought
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer
from cluster.serving.ports import Caller
from tests.support.fake_desk import At, FakeDesk, FakeGate, app_of
from tests.support.http_server import cutting, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WAIT_S = 60.0
STEPS = 6
CUT_AFTER_BYTES = 1_000
"""More than the head of an answer and an event, and less than all events."""
PAGE = """
const elements = {};
globalThis.document = { getElementById: (id) => elements[id] ??= {
  value: "", text: "", append(piece) { this.text += piece; }, textContent: "" } };
for (const id of ["server", "token", "goal"]) document.getElementById(id).value = process.env[id];
%s
elements.form.onsubmit({ preventDefault() {} }).then(() => console.log(JSON.stringify({
  state: elements.state.textContent, thoughts: elements.thoughts.text,
  answer: elements.answer.textContent })));
"""
"""What a page is to the script of one, as far as the example goes."""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    steps = [At(StepId(f"r{number}"), StepStarted()) for number in range(STEPS)]
    thoughts = [Thought(f"thought {number}. ") for number in range(STEPS)]
    desk = FakeDesk([*steps, *thoughts, Answered(Answer("A heap is a tree."))])
    app = app_of(desk, FakeGate({"good": Caller("alice", frozenset({"ask"}))}))
    async with served(app) as port, cutting(port, CUT_AFTER_BYTES) as cut:
        yield f"http://127.0.0.1:{cut}"
    await desk.aclose()


async def ran(*command: str, **environment: str) -> str:
    """What a program has printed, which has to end well."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        async with asyncio.timeout(WAIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


async def test_a_program_that_is_cut_off_sees_each_event_once(url: str) -> None:
    out = await ran(sys.executable, str(EXAMPLES / "follow_over_http.py"), url, "good")

    assert "cut after 1." in out
    assert re.findall(r"(r\d) +step_started", out) == [f"r{number}" for number in range(STEPS)]
    assert out.endswith("A heap is a tree.\n")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page")
async def test_a_page_that_is_cut_off_shows_each_event_once(url: str) -> None:
    page = (EXAMPLES / "stream.html").read_text("utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)

    out = await ran("node", "-e", PAGE % script, server=url, token="good", goal="What is a heap?")

    assert json.loads(out) == {
        "state": "answered",
        "thoughts": "".join(f"thought {number}. " for number in range(STEPS)),
        "answer": "A heap is a tree.",
    }


def test_the_page_needs_about_thirty_lines() -> None:
    page = (EXAMPLES / "stream.html").read_text("utf-8")
    [script] = re.findall(r"<script>\n(.*?)</script>", page, re.DOTALL)

    assert len(script.splitlines()) <= 35
