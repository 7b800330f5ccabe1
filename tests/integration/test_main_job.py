"""The main job on a whole cluster: a goal in, a cited and executed answer out.

Everything is real (Ray, Redis, gRPC streams, the sandbox, processes) but the words of the model,
which come over HTTP from `benchmarks.model_server`: its plan has two independent research steps and
a program that needs both.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from benchmarks.model_server_process import ModelServerProcess
from cluster.transport.grpc_exchange import METHOD
from tests.support.commands import ROOT, Ended
from tests.support.fixed_json import ANSWERED, EVENT_KEYS, EVENT_KINDS, departures
from tests.support.resident import ResidentCluster, resident_cluster

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

KNOWLEDGE = "examples/knowledge"
GOAL = (
    "How do I find the three largest numbers of a list, and what does a Counter give for an "
    "element that never occurred? Show a program that prints the three largest with heapq.nlargest."
)
PLAN = [
    {
        "id": "r1",
        "agent": "researcher",
        "instruction": "How are the largest numbers of a list found without sorting everything?",
        "needs": [],
    },
    {
        "id": "r2",
        "agent": "researcher",
        "instruction": "What does a Counter give for an element that never occurred?",
        "needs": [],
    },
    {
        "id": "c1",
        "agent": "coder",
        "instruction": "Write a program that prints the three largest numbers with heapq.nlargest.",
        "needs": ["r1", "r2"],
    },
]
SUPPORTED = "Looking up an element that never occurred gives 0 and raises no error"
OTHER_NUMBER = "Looking up an element that never occurred gives 7 and raises no error"
CONTRADICTED = "Looking up an element that never occurred raises an error"
SCRIPT = {
    "manager": {"plan": {"text": json.dumps({"steps": PLAN}), "tokens": 1}},
    "researcher": {"r2": f"{CONTRADICTED} [1]. {SUPPORTED} [1]. {OTHER_NUMBER} [1]."},
}
ASKED = [
    ("coder", "c1"),
    ("manager", "answer"),
    ("manager", "plan"),
    ("researcher", "r1"),
    ("researcher", "r2"),
]
AGENTS = ("manager-0", "researcher-0", "coder-0")
TRACE = re.compile("00-([0-9a-f]{32})-[0-9a-f]{16}-0[01]")
TTFT_S = 0.5
"""In no time after the plan both Researchers are asked; within this, neither has an answer."""
WAIT_S = 60.0


@dataclass(frozen=True)
class Answered:
    """A task that was run to its answer."""

    whole: dict[str, Any]
    """What ``--json`` printed."""
    notes: str
    """What went to stderr."""
    events: list[dict[str, Any]]
    """The lines of ``--events``."""
    requests: list[dict[str, Any]]
    """What the model's server logged of it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServerProcess]:
    folder = tmp_path_factory.mktemp("model")
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    with ModelServerProcess(folder, TTFT_S, 400.0, script=script) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(
    server: ModelServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ResidentCluster]:
    with resident_cluster(
        tmp_path_factory.mktemp("cluster"),
        OPENAI_BASE_URL=server.base_url,
        FLEETMIND_MODEL="openai:simulated",
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def answered(
    server: ModelServerProcess, cluster: ResidentCluster, tmp_path_factory: pytest.TempPathFactory
) -> Answered:
    lines = tmp_path_factory.mktemp("events") / "events.jsonl"
    ended = run(cluster, GOAL, "--knowledge", KNOWLEDGE, "--events", str(lines))
    whole = answer_of(ended)
    events = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    requests = logged(server, whole["task"], whole["usage"]["model_calls"])
    return Answered(whole, ended.err, events, requests)


def run(cluster: ResidentCluster, *arguments: str) -> Ended:
    return cluster.fleetmind("run", *arguments, "--json")


def answer_of(ended: Ended) -> dict[str, Any]:
    """Return the one object that a run printed, which ended well."""
    assert ended.exit_code == 0, ended.err
    whole: dict[str, Any] = json.loads(ended.out)
    return whole


def logged(server: ModelServerProcess, task: str, calls: int) -> list[dict[str, Any]]:
    """Return a task's requests, once the server has written all of them into its log."""
    gives_up_at = time.monotonic() + WAIT_S
    while len(entries := server.entries(task)) < calls and time.monotonic() < gives_up_at:
        time.sleep(0.02)
    return entries


# ---- the answer ----------------------------------------------------------------------------------


def test_a_run_prints_exactly_the_promised_object(answered: Answered) -> None:
    assert list(departures(answered.whole, ANSWERED)) == []
    assert answered.whole["status"] == "answered"
    assert answered.whole["plan"]["steps"] == PLAN
    assert [step["outcome"] for step in answered.whole["steps"]] == ["finished"] * 3
    assert answered.whole["usage"]["model_calls"] == len(ASKED)


def test_every_quote_stands_verbatim_at_its_lines(answered: Answered) -> None:
    cited = {citation["source"] for citation in answered.whole["citations"]}
    assert {f"{KNOWLEDGE}/heaps.md", f"{KNOWLEDGE}/counting.html"} <= cited
    for citation in answered.whole["citations"]:
        lines = (ROOT / citation["source"]).read_text(encoding="utf-8").splitlines()
        place = "\n".join(lines[citation["start_line"] - 1 : citation["end_line"]])
        assert citation["quote"] in place
        assert citation["quote"].strip()
        assert not (citation["source"].endswith(".html") and re.search("<|>", citation["quote"]))


def test_every_citation_is_cited_and_none_is_missing(answered: Answered) -> None:
    marks = {int(mark) for mark in re.findall(r"\[(\d+)\](?!\()", prose(answered.whole["answer"]))}

    assert marks == set(range(1, len(answered.whole["citations"]) + 1))


def prose(answer: str) -> str:
    """Return an answer without its blocks of code."""
    return re.sub(r"^```.*?^```", "", answer, flags=re.MULTILINE | re.DOTALL)


def test_only_what_the_sources_say_reaches_the_answer(answered: Answered) -> None:
    assert SUPPORTED in answered.whole["answer"]
    assert OTHER_NUMBER not in answered.whole["answer"]
    assert CONTRADICTED not in answered.whole["answer"]
    assert any("a source says otherwise" in text for text in answered.whole["degraded"])
    supports = {claim["text"]: claim["support"] for claim in answered.whole["claims"]}
    assert supports[f"{SUPPORTED}."] in ("quoted", "paraphrased")


def test_the_program_ran_and_printed_what_was_asked_for(answered: Answered) -> None:
    program = answered.whole["programs"][-1]

    assert (program["step"], program["language"], program["exit_code"]) == ("c1", "python", 0)
    assert "heapq.nlargest(3, " in program["source"]
    assert program["stdout"] == "three largest: [99, 88, 71]\n"
    assert program["stdout"].strip() in answered.whole["answer"]


def test_a_program_that_ran_is_offered_with_what_it_leaves_open(cluster: ResidentCluster) -> None:
    whole = answer_of(run(cluster, GOAL, "--knowledge", f"{KNOWLEDGE}/searching.txt"))

    assert list(departures(whole, ANSWERED)) == []
    assert [program["exit_code"] for program in whole["programs"]] == [0]
    assert any("The program was not seen to" in text for text in whole["degraded"])


# ---- the model's requests ------------------------------------------------------------------------


def test_every_request_says_who_asks_and_why(answered: Answered) -> None:
    headers = [request["headers"] for request in answered.requests]

    asked = sorted((each["X-Fleetmind-Agent"], each["X-Fleetmind-Step"]) for each in headers)
    traces = [
        re.fullmatch("00-([0-9a-f]{32})-[0-9a-f]{16}-0[01]", h["traceparent"]) for h in headers
    ]
    assert asked == ASKED
    assert len({trace and trace[1] for trace in traces}) == 1
    assert all(traces)
    for request in answered.requests:
        role = request["headers"]["X-Fleetmind-Agent"].capitalize()
        assert request["prompt"][0]["role"] == "system"
        assert request["prompt"][0]["content"].startswith(f"You are the {role}")
        assert request["options"]["stream"] is True


def test_independent_steps_overlap_and_the_program_waits_for_both(answered: Answered) -> None:
    at = {request["headers"]["X-Fleetmind-Step"]: request for request in answered.requests}
    research = (at["r1"], at["r2"])

    assert at["plan"]["last_token"] <= min(each["received"] for each in research)
    assert max(each["received"] for each in research) < min(each["ended_at"] for each in research)
    assert max(each["last_token"] for each in research) <= at["c1"]["received"]
    assert at["c1"]["last_token"] <= at["answer"]["received"]


# ---- events --------------------------------------------------------------------------------------


def test_events_are_lines_with_their_place(answered: Answered) -> None:
    events = answered.events

    assert all(tuple(event)[: len(EVENT_KEYS)] == EVENT_KEYS for event in events)
    assert {event["kind"] for event in events} <= EVENT_KINDS
    assert {event["task"] for event in events} == {answered.whole["task"]}
    assert [event["at_s"] for event in events] == sorted(event["at_s"] for event in events)
    assert (events[0]["kind"], events[-1]["kind"]) == ("submitted", "answered")
    assert events[-1]["answer"] == answered.whole["answer"]


def test_thoughts_come_while_their_step_runs(answered: Answered) -> None:
    kinds: dict[str, list[str]] = {}
    for event in answered.events:
        kinds.setdefault(event["step"], []).append(event["kind"])

    for step in ("r1", "r2", "c1"):
        assert kinds[step][:2] == ["step_planned", "step_started"]
        assert kinds[step][2] == "thought"
        assert kinds[step][-1] == "step_finished"
    assert {*kinds["plan"], *kinds["answer"]} == {"thought"}
    assert kinds["c1"][-3:] == ["program", "ran", "step_finished"]


# ---- the cluster ---------------------------------------------------------------------------------


def test_ray_shows_the_agents_alive(cluster: ResidentCluster) -> None:
    actors = cluster.actors()

    assert {name: actor["state"] for name, actor in actors.items()} == {
        f"fleetmind/{agent}": "ALIVE" for agent in AGENTS
    }
    assert len({actor["pid"] for actor in actors.values()}) == len(AGENTS)


def test_status_shows_the_agents(cluster: ResidentCluster) -> None:
    ended = cluster.fleetmind("status")

    assert ended.exit_code == 0, ended.err
    assert set(addresses(ended.out)) == set(AGENTS)
    assert cluster.resident["dashboard_url"] in ended.out


def addresses(status: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S+) +serving at ([^ ,]+)", status, re.MULTILINE))


def test_a_second_up_says_that_one_is_up(cluster: ResidentCluster) -> None:
    before = cluster.resident

    ended = cluster.fleetmind("up")

    assert (ended.exit_code, ended.out) == (2, "")
    assert "a cluster is up already" in ended.err
    assert cluster.resident == before


@pytest.mark.parametrize("sent", [(), (("authorization", "Bearer guessed"),)])
async def test_a_stream_without_the_clusters_token_is_refused(
    cluster: ResidentCluster, sent: tuple[tuple[str, str], ...]
) -> None:
    address = addresses(cluster.fleetmind("status").out)["manager-0"]
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.stream_stream(METHOD)(metadata=sent, timeout=WAIT_S)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()

    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_killed_researcher_costs_an_attempt_and_no_task(cluster: ResidentCluster) -> None:
    victim = cluster.actors()["fleetmind/researcher-0"]["pid"]
    events: list[dict[str, Any]] = []
    arguments = (GOAL, "--knowledge", KNOWLEDGE, "--deadline", "60", "--events", "-")
    with cluster.start("run", *arguments) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                events.append(json.loads(line))
                if victim and (events[-1]["kind"], events[-1]["step"]) == ("thought", "r1"):
                    os.kill(victim, signal.SIGKILL)
                    victim = 0
            exit_code = process.wait(WAIT_S)
        finally:
            process.kill()

    again = [event for event in events if event["kind"] == "step_started" and event["attempt"] > 1]
    assert (exit_code, events[-1]["kind"]) == (0, "answered")
    assert {event["step"] for event in again} <= {"r1", "r2"}
    assert {(event["attempt"], event["agent"]) for event in again} == {(2, "researcher-0")}
    following = answer_of(run(cluster, GOAL, "--knowledge", KNOWLEDGE))
    assert [(step["outcome"], step["attempts"]) for step in following["steps"]] == [
        ("finished", 1)
    ] * 3
    assert cluster.actors()["fleetmind/researcher-0"]["state"] == "ALIVE"


# ---- examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        (["ask_a_folder.py"], [f"[1] {ROOT / KNOWLEDGE}/heaps.md:8-8"]),
        (["drive.py"], ["step_finished", "printed: three largest: [99, 88, 71]"]),
        (["two_tasks.py"], ["# How does binary search work?", "# What is the median of a list?"]),
        (["own_endpoint.py", "simulated"], ["note: No documents back the research"]),
    ],
)
def test_an_example_runs(cluster: ResidentCluster, example: list[str], shown: list[str]) -> None:
    script, *arguments = example
    ended = cluster.command([sys.executable, f"examples/{script}", *arguments])

    assert (ended.exit_code, ended.err) == (0, "")
    for text in shown:
        assert text in ended.out


def test_an_agent_of_ones_own_takes_part(cluster: ResidentCluster) -> None:
    ended = cluster.command(
        [sys.executable, "examples/own_agent/ask.py"], FLEETMIND_MODEL="simulated:"
    )

    assert (ended.exit_code, ended.err) == (0, "")
    assert "reviewer-0 finished" in ended.out
    assert "It printed:" in ended.out


def test_a_team_that_fills_one_board_merges_and_has_its_conflicts_decided(
    cluster: ResidentCluster,
) -> None:
    ended = cluster.command(
        [sys.executable, "examples/shared_board/fill.py"],
        FLEETMIND_MODEL="simulated:?ttft_s=0.5",  # both Scouts are at it at once
    )

    assert (ended.exit_code, ended.err) == (0, "")
    assert "merged cited, findings, said" in ended.out
    assert "conflict in title: " in ended.out
    assert "\nTitle: How does nlargest work? / What is a heap?\n" in ended.out
    assert "verdict of task/" in ended.out.partition("Degraded: ")[2]
    assert "\nVerdict: start with the heap\nCited: 6\n" in ended.out


# ---- knowledge -----------------------------------------------------------------------------------


def test_what_was_read_once_is_not_embedded_again(
    cluster: ResidentCluster, answered: Answered
) -> None:
    second = run(cluster, GOAL, "--knowledge", KNOWLEDGE)
    learned = cluster.fleetmind("learn", KNOWLEDGE)
    without = answer_of(run(cluster, GOAL))

    assert "reading the knowledge" in answered.notes
    assert "reading the knowledge" not in second.err
    assert answer_of(second)["citations"] == answered.whole["citations"]
    assert learned.out.startswith("learned 0 files, knew 6 already;")
    # What was learned is cited by paths that can be opened from any folder.
    assert without["citations"] == [
        {**each, "source": str(ROOT / each["source"])} for each in answered.whole["citations"]
    ]
