"""``fleetmind run`` as a process of its own against a resident cluster: real Redis, gRPC, agents.

Everything but Ray, which attaching must not need: the hosts of the agents run in this process.
"""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.support.attached import AGENTS, TIMEOUT_S, Machine
from tests.support.packed import pdf_of

GOAL = "Which colour does the sky of Fleetmind have?"

pytestmark = pytest.mark.integration


@pytest.fixture
def knowledge(tmp_path: Path) -> str:
    text = "# Sky\n\nThe sky of Fleetmind has the colour of teal.\n"
    (tmp_path / "sky.md").write_text(text, encoding="utf-8")
    return "sky.md"


async def test_a_run_attaches_and_answers_with_citations_that_hold(
    machine: Machine, knowledge: str, tmp_path: Path
) -> None:
    ended = await machine.fleetmind("run", GOAL, "--knowledge", knowledge, "--json")

    whole = json.loads(ended.out)
    assert (ended.exit_code, whole["status"]) == (0, "answered")
    assert "teal" in whole["answer"]
    lines = (tmp_path / knowledge).read_text(encoding="utf-8").splitlines()
    for citation in whole["citations"]:
        cited = "\n".join(lines[citation["start_line"] - 1 : citation["end_line"]])
        assert citation["quote"] in cited
    assert whole["citations"]
    assert whole["usage"]["model_calls"] >= 2
    assert "starting" not in ended.err


async def test_what_was_learned_is_what_a_run_without_knowledge_answers_from(
    machine: Machine, knowledge: str
) -> None:
    learned = await machine.fleetmind("learn", knowledge)
    ended = await machine.fleetmind("run", GOAL)

    assert learned.exit_code == 0
    assert ended.exit_code == 0
    assert "teal" in ended.out
    assert "sky.md:" in ended.out


async def test_a_pdf_is_learned_and_cited_by_its_page_and_a_broken_one_is_told(
    machine: Machine, tmp_path: Path
) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "rust.pdf").write_bytes(pdf_of("About iron.", "The rust of iron is maroon."))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4, and no more")

    learned = await machine.fleetmind("learn", "books")
    ended = await machine.fleetmind("run", "What colour is the rust of iron?")

    assert "Left out: 1 broken PDF" in learned.err
    assert "maroon" in ended.out
    assert "rust.pdf, page 2, line 1" in ended.out


async def test_what_was_forgotten_is_in_no_answer_of_a_cluster_that_has_loaded_it(
    machine: Machine, knowledge: str, tmp_path: Path
) -> None:
    (tmp_path / "sea.md").write_text("# Sea\n\nThe sea is deep.\n", encoding="utf-8")
    await machine.fleetmind("learn", knowledge, "sea.md", "--namespace", "nature")
    before = await machine.fleetmind("run", GOAL, "--namespace", "nature")

    forgotten = await machine.fleetmind("forget", knowledge, "--namespace", "nature", "--purge")
    after = await machine.fleetmind("run", GOAL, "--namespace", "nature")

    assert "teal" in before.out
    assert "removed the journals of 1 task " in forgotten.out
    assert (after.exit_code, "teal" in after.out) == (0, False)


async def test_events_come_as_lines_with_their_place(machine: Machine, knowledge: str) -> None:
    ended = await machine.fleetmind("run", GOAL, "--knowledge", knowledge, "--events", "-")

    events = [json.loads(line) for line in ended.out.splitlines()]
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds[-1]) == ("submitted", "answered")
    assert {"plan_ready", "step_started", "thought", "step_finished"} <= set(kinds)
    assert {event["task"] for event in events} == {events[0]["task"]}
    assert all({"at_s", "task", "kind", "agent", "step"} <= set(event) for event in events)


@pytest.mark.parametrize("model", ["simulated:?ttft_s=60"])
@pytest.mark.parametrize(
    ("number", "exit_code", "how"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.usefixtures("signals_of_a_terminal")
async def test_a_signal_ends_a_run_with_its_code_and_one_line(
    machine: Machine, number: signal.Signals, exit_code: int, how: str
) -> None:
    process = await machine.start("run", GOAL, "--events", "-")
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT_S):
        first = await process.stdout.readline()  # the task has begun

    process.send_signal(number)
    ended = await machine.ended(process)

    assert json.loads(first)["kind"] == "submitted"
    assert ended.exit_code == exit_code
    assert ended.err.splitlines()[-1] == f"fleetmind: {how}"
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("model", ["simulated:?ttft_s=60"])
async def test_a_run_ends_at_once_when_the_cluster_goes_and_nobody_says_so(
    machine: Machine,
) -> None:
    process = await machine.start("run", GOAL, "--events", "-")
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT_S):
        await process.stdout.readline()  # the task has begun

    await machine.vanish()
    ended = await machine.ended(process)

    assert json.loads(ended.out.splitlines()[-1])["kind"] == "cancelled"
    assert ended.exit_code == 1
    assert ended.err.splitlines()[-1] == "fleetmind: the cluster was stopped"


@pytest.mark.parametrize("model", ["simulated:?ttft_s=60"])
async def test_a_passed_deadline_is_124_and_says_so(machine: Machine) -> None:
    ended = await machine.fleetmind("run", "Qwfpg zxcdv?", "--deadline", "0.5", "--json")

    whole = json.loads(ended.out)
    assert ended.exit_code == 124
    assert (whole["status"], whole["error"]["kind"]) == ("failed", "deadline")


async def test_status_shows_the_agents(machine: Machine) -> None:
    ended = await machine.fleetmind("status")

    assert ended.exit_code == 0, ended.err
    for agent in AGENTS:
        assert f"{agent}" in ended.out
    assert "simulated:" in ended.out


async def test_status_marks_an_agent_that_has_died_before_its_lease_ends(machine: Machine) -> None:
    await machine.kill("coder-0")
    ended = await machine.fleetmind("status")

    assert ended.exit_code == 1
    assert "coder-0    not answering at " in ended.out
    assert "manager-0  serving at " in ended.out
