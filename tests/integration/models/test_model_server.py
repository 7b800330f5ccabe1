"""The benchmarks' model server as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.local.side_process import side_process
from agents.models.policies.limited import LimitedModel
from agents.models.port import Asker, Delta, Finish, Message, Model, Request
from agents.models.simulated.script import Line
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.workloads import WORKLOADS
from cluster.kernel.errors import ModelError

pytestmark = pytest.mark.integration

SERVER = [sys.executable, "-m", "benchmarks.model_server"]


async def test_it_streams_on_schedule_and_logs_each_request(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    request = Request((Message("system", "You are the Coder."),), Asker("t", "coder", "c1"))
    timing = ["--ttft-s", "0.05", "--tokens-per-s", "1000", "--log", str(log)]

    async with side_process([*SERVER, *timing]) as base_url:
        model = OpenAIModel("report", base_url)
        items = [item async for item in model.stream(request)]
        await model.close()

    (entry,) = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert items[-1] == Finish("stop", prompt_tokens=4, completion_tokens=300)
    assert entry["ended"] == "finished"
    assert entry["tokens"] == 300
    assert entry["headers"]["X-Fleetmind-Step"] == "c1"
    assert entry["first_token"] - entry["received"] >= 0.05
    assert entry["last_token"] - entry["received"] >= 0.05 + 0.299


async def test_several_tokens_come_at_once_when_the_last_of_them_is_due(
    tmp_path: Path,
) -> None:
    arguments = ("--tokens-per-event", "7")
    request = Request((Message("system", "You are the Coder."),), Asker("t", "coder", "c1"))

    with ModelServerProcess(tmp_path, 0.05, 1000.0, arguments=arguments) as server:
        model = OpenAIModel("report", server.base_url)
        items = [item async for item in model.stream(request)]
        await model.close()
        (entry,) = server.entries("t")

    deltas = [item.text for item in items if isinstance(item, Delta)]
    assert "".join(deltas) == WORKLOADS["report"]["coder"]["c1"].text
    assert len(deltas) == 43
    assert items[-1] == Finish("stop", prompt_tokens=4, completion_tokens=300)
    assert len(entry["written"]) == 300
    assert entry["first_token"] - entry["received"] >= 0.05 + 0.006


async def test_a_slow_call_takes_ten_times_as_long_and_is_counted(tmp_path: Path) -> None:
    with ModelServerProcess(tmp_path, 0.01, 10_000.0, arguments=("--slow-share", "1")) as server:
        model = OpenAIModel("simulated", server.base_url)
        await asyncio.to_thread(server.say, {"coder": {"c1": Line("one two three")}})
        assert await said(model, "c1") == "one two three"
        await model.close()
        counts = server.counts()
        (entry,) = server.entries("t")

    assert (counts["requests"], counts["slow"]) == (1, 1)
    assert entry["first_token"] - entry["received"] >= 0.1


async def said(model: Model, step: str, priority: float = 0.0) -> str:
    request = Request((), Asker("t", "coder", step), priority=priority)
    return "".join([item.text async for item in model.stream(request) if isinstance(item, Delta)])


async def test_what_it_says_can_be_changed_between_tasks(tmp_path: Path) -> None:
    with ModelServerProcess(tmp_path, 0.0, 1000.0) as server:
        model = OpenAIModel("simulated", server.base_url)
        for text in ("one", "another"):
            await asyncio.to_thread(server.say, {"coder": {"c1": Line(text)}})
            assert await said(model, "c1") == text
        await model.close()


async def test_a_limited_model_sends_its_requests_one_after_another(tmp_path: Path) -> None:
    with ModelServerProcess(tmp_path, 0.02, 1000.0) as server:
        model = LimitedModel(OpenAIModel("simulated", server.base_url), 1)
        urgency = {"first": 0.0, "low": 1.0, "high": 2.0}
        await asyncio.gather(*(said(model, step, each) for step, each in urgency.items()))
        await model.close()

    entries = sorted(server.log(), key=lambda entry: float(entry["received"]))
    assert [entry["headers"]["X-Fleetmind-Step"] for entry in entries] == ["first", "high", "low"]
    for entry, later in pairwise(entries):
        assert later["received"] >= entry["last_token"]


async def test_a_server_that_does_not_start_is_reported_with_its_last_words() -> None:
    with pytest.raises(ModelError, match=r"ended with 2: .*unrecognized arguments: --nonsense"):
        async with side_process([*SERVER, "--nonsense"]):
            pass


async def test_a_server_that_is_never_ready_is_given_up_and_stopped() -> None:
    waiting = [sys.executable, "-c", "import signal; signal.pause()"]

    with pytest.raises(ModelError, match=r"was not ready within 0\.1 s"):
        async with side_process(waiting, timeout_s=0.1):
            pass
