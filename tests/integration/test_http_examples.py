"""The examples that follow a task over HTTP, at a server whose connections are cut."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request

from cluster.kernel.clock import SystemClock
from cluster.kernel.events import Answered, StepStarted, Thought
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer
from cluster.memory.store.local import LocalStore
from cluster.serving.app import build_app
from cluster.serving.pinned_post import pinned_post
from cluster.serving.ports import Caller
from cluster.serving.webhooks import Webhooks
from cluster.settings.values import ServeSettings
from tests.support.cut_link import cutting
from tests.support.fake_desk import At, FakeDesk, FakeGate, app_of, ingress_of
from tests.support.http_server import served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DOCS = (ROOT / "docs" / "http.md").read_text("utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
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
  state: elements.state.textContent, thoughts: document.getElementById("thoughts").text,
  answer: elements.answer.textContent,
  degraded: document.getElementById("degraded").textContent })));
"""
"""What a page is to the script of one, as far as the example goes."""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    steps = [At(StepId(f"r{number}"), StepStarted()) for number in range(STEPS)]
    thoughts = [Thought(f"thought {number}. ") for number in range(STEPS)]
    degraded = ("One step was late.", "Nothing is cited.")
    answered = Answered(Answer("A heap is a tree.", degraded=degraded))
    desk = FakeDesk([*steps, *thoughts, answered])
    app = app_of(desk, FakeGate({"good": Caller("alice", frozenset({"ask"}))}))
    async with served(app) as whole, cutting(port_of(whole), CUT_AFTER_BYTES) as cut:
        yield f"http://127.0.0.1:{cut}"
    await desk.aclose()


def port_of(url: str) -> int:
    """The port that a URL names."""
    return urlsplit(url).port or 0


async def ran(*command: str, **environment: str) -> str:
    """What a program has printed, which has to end well."""
    code, out, err = await ended(*command, **environment)
    assert (code, err) == (0, "")
    return out


async def ended(*command: str, **environment: str) -> tuple[int | None, str, str]:
    """How a program has ended, and what it has printed."""
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
    return process.returncode, out.decode(), err.decode()


async def test_a_program_that_is_cut_off_sees_each_event_once(url: str) -> None:
    out = await ran(sys.executable, str(EXAMPLES / "follow_over_http.py"), url, "good")

    assert "cut after 1." in out
    assert re.findall(r"(r\d) +step_started", out) == [f"r{number}" for number in range(STEPS)]
    shown = "A heap is a tree.\nDegraded: One step was late.\nDegraded: Nothing is cited.\n"
    assert out.endswith(shown)


async def test_a_program_with_a_wrong_token_ends_with_one_sentence(url: str) -> None:
    program = str(EXAMPLES / "follow_over_http.py")

    code, out, err = await ended(sys.executable, program, url, "wrong")

    said = f"{url} refuses: 401: the token is not known, or was revoked\n"
    assert (code, out, err) == (1, "", said)


async def test_a_program_without_a_server_ends_with_one_sentence() -> None:
    program, nowhere = str(EXAMPLES / "follow_over_http.py"), "http://127.0.0.1:1"

    code, out, err = await ended(sys.executable, program, nowhere)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"{nowhere} does not answer: ")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page")
async def test_a_page_that_is_cut_off_shows_each_event_once(url: str) -> None:
    page = (EXAMPLES / "stream.html").read_text("utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)

    out = await ran("node", "-e", PAGE % script, server=url, token="good", goal="What is a heap?")

    assert json.loads(out) == {
        "state": "answered",
        "thoughts": "".join(f"thought {number}. " for number in range(STEPS)),
        "answer": "A heap is a tree.",
        "degraded": "Degraded: One step was late.\nDegraded: Nothing is cited.",
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page")
async def test_a_page_asks_no_more_for_what_it_is_refused() -> None:
    page = (EXAMPLES / "stream.html").read_text("utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    app = FastAPI()

    @app.post("/v1/tasks")
    async def make() -> dict[str, str]:
        return {"events_url": "/gone"}

    @app.get("/gone", status_code=404)
    async def follow() -> dict[str, dict[str, str]]:
        return {"error": {"message": "no such task"}}

    async with served(app) as url:
        out = await ran("node", "-e", PAGE % script, server=url, token="good", goal="Why?")

    assert json.loads(out).items() >= {"state": "failed", "answer": "no such task"}.items()


async def test_a_notice_is_one_that_the_docs_check_accepts() -> None:
    [snippet] = re.findall(r"```python\n(import base64.*?)```", DOCS, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(compile(snippet, "http.md", "exec"), shown)  # noqa: S102 - it is our own page
    told: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    receiver = FastAPI()

    @receiver.post("/hook", status_code=204)
    async def receive(request: Request) -> None:
        await told.put((dict(request.headers), await request.body()))

    desk = FakeDesk([Answered(Answer("A heap is a tree."))])
    clock = SystemClock()
    post = partial(pinned_post, listed=("127.0.0.1",))
    webhooks = Webhooks(LocalStore(clock), desk, clock, post)
    settings = replace(ServeSettings(), webhook_hosts=("127.0.0.1",))
    ingress = replace(ingress_of(desk), webhooks=webhooks, settings=settings)
    async with served(receiver) as hook, served(build_app(ingress)) as url:
        order = {
            "goal": "What is a heap?",
            "webhook": {"url": f"{hook}/hook", "secret": SECRET},
        }
        async with httpx.AsyncClient(base_url=url) as client:
            made = (await client.post("/v1/tasks", json=order)).json()
            async with asyncio.timeout(WAIT_S):
                headers, body = await told.get()
            result = await client.get(json.loads(body)["data"]["result_url"])
    await desk.aclose()

    assert shown["is_ours"](headers, body, SECRET)
    assert not shown["is_ours"](headers, body + b" ", SECRET)
    assert headers["webhook-id"] == made["id"]
    assert result.json()["answer"] == "A heap is a tree."


def test_the_page_needs_about_thirty_lines() -> None:
    page = (EXAMPLES / "stream.html").read_text("utf-8")
    [script] = re.findall(r"<script>\n(.*?)</script>", page, re.DOTALL)

    assert len(script.splitlines()) <= 35
