"""Tasks that are left and rejoined, by commands that are processes of their own: nothing is lost.

Real Redis, gRPC and agents; Ray only where the whole cluster is killed and comes up again.
"""

from __future__ import annotations

import asyncio
import json
import signal
from asyncio.subprocess import Process
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster
from cluster.kernel.errors import UsageError
from cluster.placement.resident.file import remove_file
from cluster.settings import load
from tests.support.attached import TIMEOUT_S, Machine
from tests.support.commands import Surroundings, surroundings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

GOAL = "Which colour does the sky of Fleetmind have?"
SLOW = "simulated:?ttft_s=1.5"
SILENT = "simulated:?ttft_s=60"


@pytest.fixture
def knowledge(tmp_path: Path) -> str:
    text = "# Sky\n\nThe sky of Fleetmind has the colour of teal.\n"
    (tmp_path / "sky.md").write_text(text, encoding="utf-8")
    return "sky.md"


async def detached(machine: Machine, *arguments: str) -> str:
    """Hand a goal in and return its task's id."""
    ended = await machine.fleetmind("run", GOAL, "--detach", *arguments)
    assert ended.exit_code == 0, ended.err
    return ended.out.strip()


async def first_line(process: Process) -> dict[str, object]:
    """Return the first event that a command writes to stdout."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT_S):
        line: dict[str, object] = json.loads(await process.stdout.readline())
    return line


@pytest.mark.parametrize("model", [SLOW])
async def test_who_submitted_a_task_is_killed_and_others_see_all_of_it(
    machine: Machine, knowledge: str
) -> None:
    submitter = await machine.start("run", GOAL, "--detach", "--knowledge", knowledge)
    assert submitter.stdout is not None
    task = (await submitter.stdout.readline()).decode().strip()
    if submitter.returncode is None:
        submitter.kill()
    await submitter.wait()

    listed = await machine.fleetmind("tasks", "--status", "running")
    early, late = await machine.start("watch", task, "--events", "-"), ""
    ended = await machine.ended(early)
    late = (await machine.fleetmind("watch", task[:16], "--events", "-")).out
    answer = await machine.fleetmind("watch", task)
    whole = await machine.fleetmind("watch", task, "--json")

    assert listed.out.startswith(f"{task}  ")
    assert listed.out.endswith(f"running    {GOAL}\n")
    kinds = [json.loads(line)["kind"] for line in ended.out.splitlines()]
    assert (kinds[0], kinds[-1], ended.exit_code) == ("submitted", "answered", 0)
    assert {"thought", "step_started", "step_finished"} <= set(kinds)
    assert late == ended.out
    assert "teal" in answer.out
    assert json.loads(whole.out)["status"] == "answered"
    assert json.loads(whole.out)["steps"]
    after = await machine.fleetmind("tasks", "--json")
    [known] = json.loads(after.out)["tasks"]
    assert (known["task"], known["status"], known["detached"]) == (task, "answered", True)


@pytest.mark.parametrize("model", [SILENT])
@pytest.mark.usefixtures("signals_of_a_terminal")
async def test_watching_is_left_with_ctrl_c_and_the_task_is_ended_by_its_id(
    machine: Machine,
) -> None:
    task = await detached(machine)
    left = await machine.start("watch", task, "--events", "-")
    staying = await machine.start("watch", task, "--events", "-")
    await first_line(left)
    await first_line(staying)

    left.send_signal(signal.SIGINT)
    interrupted = await machine.ended(left)
    still = await machine.fleetmind("tasks", "--status", "running")
    cancelled = await machine.fleetmind("cancel", task[:16])
    told = await machine.ended(staying)
    again = await machine.fleetmind("cancel", task)

    assert interrupted.exit_code == 130
    assert interrupted.err.splitlines()[-2:] == [
        f"fleetmind: task {task} goes on; `fleetmind watch` follows it again",
        "fleetmind: interrupted",
    ]
    assert still.out.startswith(task)
    assert (cancelled.exit_code, cancelled.out) == (0, f"cancelled {task}\n")
    assert told.exit_code == 1
    assert json.loads(told.out.splitlines()[-1])["kind"] == "cancelled"
    assert "ended with `fleetmind cancel`" in told.err
    assert again.out == f"ended already (cancelled): {task}\n"


@pytest.mark.parametrize("model", [SILENT])
@pytest.mark.usefixtures("signals_of_a_terminal")
async def test_a_task_of_a_plain_run_is_watched_and_ends_with_that_run(machine: Machine) -> None:
    run = await machine.start("run", GOAL, "--events", "-")
    task = str((await first_line(run))["task"])
    watching = await machine.start("watch", task, "--events", "-")
    await first_line(watching)

    run.send_signal(signal.SIGINT)
    await machine.ended(run)
    told = await machine.ended(watching)

    assert json.loads(told.out.splitlines()[-1])["kind"] == "cancelled"
    assert told.exit_code == 1


async def test_a_program_leaves_a_task_and_another_one_has_its_answer(
    machine: Machine, tmp_path: Path, knowledge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Cluster(configuration=load(environment={})) as cluster:
        submitted = await cluster.submit(GOAL, knowledge=[knowledge], detached=True)

    async with Cluster(configuration=load(environment={})) as cluster:
        task = await cluster.task(submitted.id)
        kinds = [event.kind async for event in task]
        answer = await task
        with pytest.raises(UsageError, match="no task 'nonsense' is known"):
            await cluster.task("nonsense")

    assert (kinds[0], kinds[-1]) == ("submitted", "answered")
    assert "teal" in answer.text
    assert machine is not None


async def test_what_can_not_be_is_one_sentence(machine: Machine) -> None:
    ended = await asyncio.gather(
        machine.fleetmind("run", GOAL, "--detach", "--model", "simulated:?ttft_s=1"),
        machine.fleetmind("run", GOAL, "--detach", "--address", "10.1.2.3:6379"),
        machine.fleetmind("watch", "0123456789abcdef0123456789abcdef"),
        machine.fleetmind("cancel", "01234567"),
    )
    remove_file()
    alone = await machine.fleetmind("run", GOAL, "--detach")

    assert [(each.exit_code, each.out) for each in (*ended, alone)] == [(2, "")] * 5
    sentences = [each.lines[-1] for each in (*ended, alone)]
    assert "the cluster that is up has another model.uri" in sentences[0]
    assert "the cluster that is up has another ray.address" in sentences[1]
    assert "no task 0123456789abcdef0123456789abcdef is known" in sentences[2]
    assert "no task 01234567 is known" in sentences[3]
    assert sentences[4].endswith("run `fleetmind up`")


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


async def test_a_cluster_that_comes_up_after_a_crash_goes_on_with_the_tasks(
    here: Surroundings,
) -> None:
    model = ("--model", "simulated:?ttft_s=4")
    up = await here.fleetmind("up", *model)
    assert up.exit_code == 0, up.err
    cut = (await here.fleetmind("run", GOAL, "--detach")).out.strip()
    watching = await here.start("watch", cut, "--events", "-")
    await first_line(watching)

    here.kill()  # the cluster, its store, and whoever watches
    await watching.wait()
    offline = await here.fleetmind("watch", cut)
    again = await here.fleetmind("up", *model)
    ended = await here.fleetmind("watch", cut, "--events", "-")
    await here.fleetmind("down")
    listed = await here.fleetmind("tasks")
    kept = await here.fleetmind("watch", cut, "--json")

    assert offline.exit_code == 2
    assert f"no cluster is up that works on task {cut}" in offline.err
    assert again.exit_code == 0, again.err
    assert ended.exit_code == 0, (ended, listed, kept)
    kinds = [json.loads(line)["kind"] for line in ended.out.splitlines()]
    assert (kinds[0], kinds[-1], ended.exit_code) == ("submitted", "answered", 0)
    assert kinds.count("submitted") == 1
    assert listed.out.startswith(cut)
    assert "answered" in listed.out
    assert (kept.exit_code, json.loads(kept.out)["status"]) == (0, "answered")
