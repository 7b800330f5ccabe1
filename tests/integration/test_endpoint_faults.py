"""Endpoints that fail, plans that are none, steps that never end: how a whole task ends then.

Real agents, engine and driver in one process; their models are endpoints of the scripted server.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from agents.models.port import Model
from agents.models.simulated.script import Line, Lines
from benchmarks.model_server import ModelServer, model_server
from cluster.kernel.turn import Turn
from tests.support.agents import AgentCluster, ModelByStep, Outcome, endpoint

pytestmark = pytest.mark.integration

GOAL = "Which load does the crane of Belmor lift?"
PAGE = """# Belmor

The harbour of Belmor opened in 1887. The crane of Belmor lifts a load of 40 tonnes.

The lighthouse of Belmor is painted red.
"""
LIFTS = "The crane of Belmor lifts a load of 40 tonnes"
KEY = "sk-very-secret-key"
ROLES = ("manager", "researcher", "coder")
PATIENCE_S = 10.0
"""Until the deadline of a task that meets it: a twentieth of it does for all that is no waiting.
Tests wait for it side by side where there are several."""


@pytest.fixture
async def cluster() -> AsyncIterator[AgentCluster]:
    async with AgentCluster() as made:
        yield made


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "belmor.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


@pytest.fixture
def closed_url() -> Iterator[str]:
    """The URL of an endpoint that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


async def ask(
    cluster: AgentCluster, page: Path, model: Model, *, timeout_s: float = 60.0
) -> Outcome:
    """Have all agents ask one model, and give them a goal."""
    for role in ROLES:
        await cluster.add_real(role, model)
    return await cluster.outcome(GOAL, timeout_s, collection=await cluster.learn(page))


FAULTS = {
    "401": (1, "refused the API key (401: Incorrect API key provided: [key])"),
    "429-after-3600": (1, "it asks to wait 3600 s and "),
    "500": (3, "failed (500: scripted to answer 500), 3 times; try again later"),
    "garbage": (1, "sent text/html instead of an event stream; check that the base URL"),
    "bad-json": (1, 'sent what is no event stream of chat chunks ({"choices": [); check that'),
    "odd-json": (3, "ended its stream without an answer, 3 times; look at the endpoint's log"),
    "cut": (3, "broke the connection off, 3 times; look at the endpoint's log"),
    "cut-clean": (3, "cut its stream off before the end of the answer, 3 times; look at the"),
    "error-event": (3, "reported an error instead of going on (the model ran out of memory), 3"),
    "error-first": (3, "reported an error instead of going on (the model crashed), 3 times"),
    "empty": (3, "ended its stream without an answer, 3 times; look at the endpoint's log"),
    "content-filter": (1, "stopped its answer by its content filter; rephrase the goal"),
}
"""By fault: how many requests are made, and what is said of the endpoint."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_endpoint_that_fails_ends_the_task_with_a_sentence_about_it(
    cluster: AgentCluster, page: Path, fault: str
) -> None:
    requests, sentence = FAULTS[fault]
    async with model_server() as server:
        url = server.fault_url(fault)

        outcome = await ask(cluster, page, endpoint(url, KEY))

        assert outcome.failure.kind == "model"
        assert outcome.failure.message.startswith(f"the model endpoint {url} ")
        assert sentence in outcome.failure.message
        assert KEY not in outcome.failure.message
        assert len(server.log) == requests


NEVER_ENDING = {"hang": "had not answered when the ", "stall": "was still answering when the "}


async def test_an_endpoint_that_never_ends_leaves_what_the_documents_say(page: Path) -> None:
    async def outcome_of(url: str) -> Outcome:
        async with AgentCluster() as cluster:
            return await ask(cluster, page, endpoint(url, KEY), timeout_s=PATIENCE_S)

    async with model_server() as server:
        urls = [server.fault_url(fault) for fault in NEVER_ENDING]
        outcomes = await asyncio.gather(*map(outcome_of, urls))

    for url, said, outcome in zip(urls, NEVER_ENDING.values(), outcomes, strict=True):
        assert LIFTS in outcome.answer.text
        for what in ("The standard workflow replaces the model's plan: ", "The research shows "):
            [reason] = [each for each in outcome.answer.degraded if each.startswith(what)]
            assert f"the model endpoint {url} {said}" in reason


async def test_an_endpoint_that_never_ends_fails_a_task_without_documents() -> None:
    async def outcome_of(url: str) -> Outcome:
        async with AgentCluster() as cluster:
            for role in ROLES:
                await cluster.add_real(role, endpoint(url, KEY))
            return await cluster.outcome(GOAL, timeout_s=PATIENCE_S)

    async with model_server() as server:
        urls = [server.fault_url(fault) for fault in NEVER_ENDING]
        outcomes = await asyncio.gather(*map(outcome_of, urls))

    for url, outcome in zip(urls, outcomes, strict=True):
        assert outcome.failure.kind == "deadline"
        assert outcome.failure.message.startswith(f"the model endpoint {url} ")


async def test_an_endpoint_that_refuses_connections_is_named(
    cluster: AgentCluster, page: Path, closed_url: str
) -> None:
    outcome = await ask(cluster, page, endpoint(closed_url))

    said = f"the model endpoint {closed_url} refuses connections, 3 times; start it, or check"
    assert outcome.failure.kind == "model"
    assert outcome.failure.message.startswith(said)


async def test_an_endpoint_that_wants_a_key_says_which_variable_gives_it(
    cluster: AgentCluster, page: Path
) -> None:
    async with model_server() as server:
        outcome = await ask(cluster, page, endpoint(server.fault_url("401")))

    assert "wants an API key" in outcome.failure.message
    assert outcome.failure.message.endswith("; set OPENAI_API_KEY to one it accepts")


@pytest.mark.parametrize("fault", ["cutx1", "cut-cleanx2", "error-eventx1"])
async def test_a_plan_that_breaks_off_is_asked_for_again(
    cluster: AgentCluster, page: Path, fault: str
) -> None:
    async with model_server() as server:
        outcome = await ask(cluster, page, endpoint(server.fault_url(fault)))

    assert LIFTS in outcome.answer.text
    assert outcome.answer.citations
    assert [entry.step for entry in server.log[:2]] == ["plan", "plan"]
    assert "asked again from the beginning" in outcome.degraded


@pytest.mark.parametrize("fault", ["429x2", "429-after-0.01x2", "500x2", "emptyx2"])
async def test_a_fault_that_passes_costs_nothing_but_another_attempt(
    cluster: AgentCluster, page: Path, fault: str
) -> None:
    async with model_server() as server:
        outcome = await ask(cluster, page, endpoint(server.fault_url(fault)))

    assert LIFTS in outcome.answer.text
    assert outcome.answer.citations
    assert outcome.degraded == ""


async def test_an_endpoint_without_room_is_waited_for_and_the_answer_says_so(
    cluster: AgentCluster, page: Path
) -> None:
    async with model_server() as server:
        url = server.fault_url("503x7")
        outcome = await ask(cluster, page, endpoint(url))

    assert LIFTS in outcome.answer.text
    said = f"the model endpoint {url} is not ready yet (503: scripted to answer 503)"
    assert [each for each in outcome.answer.degraded if said in each]


MADE_OF = {"r1": "The research shows", "answer": "The answer"}
"""By step, how it is said that the model did not make it."""


@pytest.mark.parametrize(
    "fault", ["401", "500", "garbage", "cut", "cut-clean", "error-event", "empty"]
)
@pytest.mark.parametrize("step", ["r1", "answer"])
async def test_a_step_whose_model_fails_is_made_of_what_is_known_and_nothing_half_said(
    cluster: AgentCluster, page: Path, fault: str, step: str
) -> None:
    await check_what_is_known(cluster, page, fault, step)


async def test_a_step_whose_model_hangs_is_made_of_what_is_known(page: Path) -> None:
    async with AgentCluster() as one, AgentCluster() as other:
        await asyncio.gather(
            check_what_is_known(one, page, "hang", "r1"),
            check_what_is_known(other, page, "hang", "answer"),
        )


async def check_what_is_known(cluster: AgentCluster, page: Path, fault: str, step: str) -> None:
    """Have the model of one step fail, and expect what the documents say in its place."""
    half_said = "The lighthouse of Belmor is painted red [1]."
    lines: Lines = {
        "researcher": {"*": Line(f"{LIFTS} [1].")},
        "manager": {"answer": Line(f"{LIFTS} [1].")},
    }
    halves: Lines = {role: {"*": Line(f"{half_said} {half_said}")} for role in ROLES}
    async with model_server(lines=lines) as sound, model_server(lines=halves) as faulty:
        url = faulty.fault_url(fault)
        model = ModelByStep(endpoint(sound.base_url), {step: endpoint(url)})

        outcome = await ask(cluster, page, model, timeout_s=PATIENCE_S if fault == "hang" else 60.0)

    assert LIFTS in outcome.answer.text
    assert "lighthouse" not in outcome.answer.text
    assert f"{MADE_OF[step]} " in outcome.degraded
    assert f"the model endpoint {url} " in outcome.degraded
    again = [said for said in outcome.answer.degraded if "asked again from the beginning" in said]
    assert len(outcome.answer.degraded) - len(again) == 1
    assert bool(again) == (fault in {"cut", "cut-clean", "error-event"})


# ---- plans -----------------------------------------------------------------------------------


def plan(*steps: Mapping[str, object]) -> str:
    whole = [
        {"instruction": f"Look into page {number}.", "needs": [], **step}
        for number, step in enumerate(steps)
    ]
    return json.dumps({"steps": whole})


MENDED = {
    "a cycle": (
        plan(
            {"id": "a", "agent": "researcher", "needs": ["b"]},
            {"id": "b", "agent": "researcher", "needs": ["a"]},
        ),
        2,
        "Step 'b' does not wait for 'a': it would wait for itself.",
    ),
    "an unknown agent": (
        plan({"id": "a", "agent": "astrologer"}),
        1,
        "Step 'a' was for 'astrologer', which is no agent; the researcher does it.",
    ),
    "a thousand steps": (
        plan(*({"id": f"s{number}", "agent": "researcher"} for number in range(1_000))),
        12,
        "The plan had more than 12 steps; the further ones were cut.",
    ),
    "words without quotes": (
        '{"steps": [{"id": "a", "agent": researcher, "instruction": Look into it,}]}',
        1,
        "",
    ),
}
"""By what is wrong: the plan, how many steps become of it, and what is said."""


@pytest.mark.parametrize("name", MENDED)
async def test_a_plan_is_mended_where_it_is_wrong(
    cluster: AgentCluster, page: Path, name: str
) -> None:
    text, steps, reason = MENDED[name]
    lines: Lines = {
        "manager": {"plan": Line(text), "answer": Line(f"{LIFTS} [1].")},
        "researcher": {"*": Line(f"{LIFTS} [1].")},
    }
    async with model_server(lines=lines) as server:
        outcome = await ask(cluster, page, endpoint(server.base_url))

    assert outcome.planned == ["researcher"] * steps
    assert LIFTS in outcome.answer.text
    assert outcome.degraded == reason


NO_PLANS = {
    "a step without an instruction": (
        '{"steps": [{"id": "a", "agent": researcher}]}',
        "there is none in its text",
    ),
    "half a step": ('{"steps": [{"id": "a", "agent": "resea', "it breaks off in its first step"),
    "prose": ("First I would look into the documents.", "there is none in its text"),
    "a megabyte of garbage": ("x{[" * 350_000, "there is none in its text"),
    "a megabyte in one step": (
        plan({"id": "a", "agent": "researcher", "instruction": "x" * 1_000_000}),
        "it breaks off in its first step",
    ),
    "nothing": ("", "there is none in its text"),
}


@pytest.mark.parametrize("name", NO_PLANS)
async def test_where_no_plan_can_be_read_the_standard_workflow_is_used(
    cluster: AgentCluster, page: Path, name: str
) -> None:
    text, reason = NO_PLANS[name]
    lines: Lines = {"manager": {"plan": Line(text, tokens=min(len(text), 200))}}
    async with model_server(lines=lines) as server:
        outcome = await ask(cluster, page, endpoint(server.base_url))

    assert outcome.planned == ["researcher"]
    assert LIFTS in outcome.answer.text
    assert outcome.degraded == f"The standard workflow replaces the model's plan: {reason}."


# ---- steps without a result ------------------------------------------------------------------

BOTH = plan(
    {"id": "r1", "agent": "researcher", "instruction": GOAL},
    {"id": "c1", "agent": "coder", "instruction": "Write a program that prints 42."},
)
PROGRAM = "```python\nprint(42)\n```"
PRETENDING = f"{LIFTS} [1]. The program printed 42."


async def never(_message: object, _turn: Turn) -> object:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@pytest.fixture
async def pretender() -> AsyncIterator[ModelServer]:
    """A server whose Manager claims to know what the Researcher was to find."""
    lines: Lines = {
        "manager": {"plan": Line(BOTH), "answer": Line(PRETENDING)},
        "coder": {"*": Line(PROGRAM)},
    }
    async with model_server(lines=lines) as server:
        yield server


async def test_what_the_answer_says_of_a_step_that_never_answered_is_marked(
    cluster: AgentCluster, pretender: ModelServer
) -> None:
    for role in ("manager", "coder"):
        await cluster.add_real(role, endpoint(pretender.base_url))
    await cluster.add("researcher-0", never)

    outcome = await cluster.outcome(f"{GOAL} Write a program that prints 42.", PATIENCE_S / 2)

    assert f"{LIFTS} [unverified]. The program printed 42." in outcome.answer.text
    assert outcome.answer.citations == ()
    assert "Step r1 (researcher) failed: " in outcome.degraded


async def test_what_the_answer_says_of_a_step_whose_agent_died_is_marked(
    cluster: AgentCluster, pretender: ModelServer
) -> None:
    has_begun = asyncio.Event()

    async def begin(message: object, turn: Turn) -> object:
        has_begun.set()
        return await never(message, turn)

    for role in ("manager", "coder"):
        await cluster.add_real(role, endpoint(pretender.base_url))
    researcher = await cluster.add("researcher-0", begin)
    goal = f"{GOAL} Write a program that prints 42."
    running = asyncio.ensure_future(cluster.outcome(goal, PATIENCE_S / 2))
    await has_begun.wait()

    await researcher.abort()
    outcome = await running

    assert f"{LIFTS} [unverified]." in outcome.answer.text
    assert outcome.answer.citations == ()
    assert "Step r1 (researcher) failed: " in outcome.degraded


async def test_a_task_whose_only_step_never_ends_fails_at_its_deadline(
    cluster: AgentCluster,
) -> None:
    async with model_server() as server:
        await cluster.add_real("manager", endpoint(server.base_url))
        await cluster.add("researcher-0", never)

        outcome = await cluster.outcome(GOAL, timeout_s=0.5)

    assert outcome.failure.kind == "deadline"


# ---- what the sources don't say --------------------------------------------------------------

SAID = (
    f"{LIFTS} [1]. The harbour of Belmor did not open in 1887 [1]. "
    "The crane of Belmor lifts a load of 45 tonnes [1]."
)


@pytest.mark.parametrize("speaker", ["researcher", "manager", "both"])
async def test_of_three_cited_sentences_only_the_supported_one_reaches_the_answer(
    cluster: AgentCluster, page: Path, speaker: str
) -> None:
    sound = f"{LIFTS} [1]."
    lines: Lines = {
        "researcher": {"*": Line(sound if speaker == "manager" else SAID)},
        "manager": {"answer": Line(sound if speaker == "researcher" else SAID)},
    }
    async with model_server(lines=lines) as server:
        outcome = await ask(cluster, page, endpoint(server.base_url))

    text = outcome.answer.text
    assert (text.count(LIFTS), text.count("45"), text.count("1887")) == (1, 0, 0)
    [citation] = outcome.answer.citations
    quoted = PAGE.splitlines()[citation.start_line - 1 : citation.end_line]
    assert citation.quote in "\n".join(quoted)
    assert LIFTS in citation.quote
    assert outcome.degraded.count("because a source says otherwise") >= 2
