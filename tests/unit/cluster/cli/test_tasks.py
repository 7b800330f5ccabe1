"""``fleetmind tasks``, ``watch`` and ``cancel`` against a scripted cluster."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cluster.cli import tasks as commands
from cluster.cli.console import Console
from cluster.cli.entry import execute
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.events import Clarified, Event, Failed, Submitted, Thought
from cluster.kernel.feed import Gap
from cluster.kernel.vocabulary import Failure
from tests.support.scripted_link import ANSWERED, TASK, ScriptedLink, event

OTHER = "0123456789abcdef0123456789abcdee"
BEGUN = (event(0.0, Submitted("why?")), event(0.1, Thought("hm"), "plan"))


class Ran:
    """How a command line ended and what it wrote."""

    def __init__(self, link: ScriptedLink, name: str, *arguments: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        command = getattr(commands, name)
        self.exit_code = execute(
            [name, *arguments],
            Console(out, err),
            lambda options, console: command(options, console, attach=link.join),
        )
        self.out, self.err = out.getvalue(), err.getvalue()


def link_with(
    *listed: tuple[str, str], events: Sequence[Event] = (), report_json: str = ""
) -> ScriptedLink:
    """A resident cluster whose tasks have these ids and statuses."""
    link = ScriptedLink(events, is_resident=True, report_json=report_json)
    for task, status in listed:
        asyncio.run(link.list("why is the sky of this planet blue?", status, task, time.time()))
    return link


def test_tasks_are_lines_with_the_newest_first() -> None:
    ran = Ran(link_with((OTHER, "answered"), (TASK, "running")), "tasks")

    assert ran.exit_code == 0
    assert ran.out.splitlines() == [
        f"{TASK}  0 s ago  running    why is the sky of this planet blue?",
        f"{OTHER}  0 s ago  answered   why is the sky of this planet blue?",
    ]


def test_a_long_goal_is_shortened_and_steers_no_terminal() -> None:
    link = ScriptedLink()
    asyncio.run(link.list("\33[31m" + "red and more of it " * 9, "failed"))

    [line] = Ran(link, "tasks").out.splitlines()

    assert "\33" not in line
    assert line.endswith("red and more of it red and more of it red and more ...")


def test_only_tasks_of_a_status_are_listed_where_that_is_asked_for() -> None:
    link = link_with((OTHER, "answered"), (TASK, "running"))

    assert Ran(link, "tasks", "--status", "answered").out.startswith(OTHER)
    assert Ran(link, "tasks", "--status", "failed").out == "no task is listed as failed\n"
    refused = Ran(link, "tasks", "--status", "gone")

    assert refused.exit_code == 2
    assert "invalid choice: 'gone'" in refused.err


def test_where_no_task_was_given_that_is_said() -> None:
    ran = Ran(ScriptedLink(), "tasks")

    assert (ran.exit_code, ran.out) == (0, "no task was given yet\n")


def test_tasks_as_json_are_one_object() -> None:
    ran = Ran(link_with((TASK, "answered")), "tasks", "--json")

    [listed] = json.loads(ran.out)["tasks"]
    assert (listed["task"], listed["status"], listed["detached"]) == (TASK, "answered", True)
    assert listed["goal"] == "why is the sky of this planet blue?"
    assert listed["ended_at"] is None


def test_more_tasks_than_one_page_are_all_listed() -> None:
    ids = [f"{number:032x}" for number in range(1, 252)]

    ran = Ran(link_with(*((each, "answered") for each in ids)), "tasks")

    assert [line[:32] for line in ran.out.splitlines()] == ids[::-1]


def test_watching_shows_what_has_happened_and_prints_the_answer() -> None:
    link = link_with((TASK, "answered"), events=(*BEGUN, *ANSWERED))

    ran = Ran(link, "watch", TASK)

    assert (ran.exit_code, ran.out) == (0, "It is 42.\n")
    assert ran.err.splitlines()[1:] == [
        "   0.00s manager-0 planning",
        "   0.10s manager-0 [plan] thinking",
        "   0.50s manager-0 [plan] thought 2 characters",
        "   0.50s manager-0 [plan] answered",
    ]
    assert not link.is_open


def test_watching_writes_events_and_one_object_as_run_does() -> None:
    link = link_with((TASK, "answered"), events=(*BEGUN, *ANSWERED))

    ran = Ran(link, "watch", TASK, "--json", "--events", "events.jsonl", "--thoughts", "none")

    assert json.loads(ran.out)["status"] == "answered"
    lines = Path("events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["submitted", "thought", "answered"]
    assert "thinking" not in ran.err


def test_what_is_no_longer_kept_is_in_the_object_nevertheless() -> None:
    link = link_with(
        (TASK, "answered"),
        events=(event(0.0, Gap("0.0", "")), *ANSWERED),
        report_json='{"status": "answered", "plan": "whole"}',
    )

    ran = Ran(link, "watch", TASK, "--json")

    assert json.loads(ran.out)["plan"] == "whole"
    assert "what happened is no longer kept, only what it came to" in ran.err


@pytest.mark.parametrize(
    ("detail", "exit_code"),
    [
        (Failed(Failure("model", "it went wrong")), 1),
        (Clarified("which sky?"), 3),
        (Failed(Failure("deadline", "it is over")), 124),
    ],
)
def test_watching_exits_as_a_run_does(detail: Failed | Clarified, exit_code: int) -> None:
    link = link_with((TASK, "failed"), events=(*BEGUN, event(0.3, detail)))

    assert Ran(link, "watch", TASK).exit_code == exit_code


@pytest.mark.parametrize(
    ("number", "exit_code", "how"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.usefixtures("signals_of_a_terminal")
def test_a_signal_ends_the_watching_and_not_the_task(
    number: signal.Signals, exit_code: int, how: str
) -> None:
    link = link_with((TASK, "running"), events=BEGUN)
    link.on_wait = lambda: os.kill(os.getpid(), number)

    ran = Ran(link, "watch", TASK, "--json")

    assert ran.exit_code == exit_code
    assert ran.err.splitlines()[-2:] == [
        f"fleetmind: task {TASK} goes on; `fleetmind watch` follows it again",
        f"fleetmind: {how}",
    ]
    assert json.loads(ran.out)["status"] == "running"
    assert (link.tasks[0].reasons, link.cancelled) == ([], [])


def test_the_beginning_of_an_id_will_do_where_no_other_one_begins_so() -> None:
    link = link_with(
        ("0123456789abcdef0123456789abcd00", "failed"), (TASK, "answered"), events=ANSWERED
    )

    assert Ran(link, "watch", TASK[:31].upper()).out == "It is 42.\n"
    several = Ran(link, "watch", "0123456789")

    assert several.exit_code == 2
    assert several.err.endswith("several tasks' ids begin with 0123456789: give more of it\n")


@pytest.mark.parametrize("command", ["watch", "cancel"])
@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("fedcba", "no task fedcba is known: `fleetmind tasks` lists those that are"),
        (OTHER, f"no task {OTHER} is known: `fleetmind tasks` lists those that are"),
        ("", "'' is no task's id: `fleetmind tasks` lists them"),
        ("../../etc/passwd", "'../../etc/passwd' is no task's id: `fleetmind tasks` lists them"),
        ("0" * 33, f"{'0' * 32!r} is no task's id: `fleetmind tasks` lists them"),
        ("\33[2J*", "' [2J*' is no task's id: `fleetmind tasks` lists them"),
    ],
)
def test_an_id_that_is_none_is_one_sentence(command: str, task: str, sentence: str) -> None:
    ran = Ran(link_with((TASK, "running")), command, task)

    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == f"fleetmind: {sentence}"


@pytest.mark.parametrize("command", ["watch", "cancel"])
def test_a_task_that_ran_when_its_cluster_went_says_how_it_goes_on(command: str) -> None:
    link = link_with((TASK, "running"))
    link.is_resident = False

    ran = Ran(link, command, TASK)

    assert ran.exit_code == 2
    assert ran.err.endswith(
        f"no cluster is up that works on task {TASK}: after `fleetmind up` it goes on\n"
    )
    assert (link.tasks, link.cancelled) == ([], [])


def test_what_ended_before_its_cluster_went_can_be_watched() -> None:
    link = link_with((TASK, "answered"), events=ANSWERED)
    link.is_resident = False

    assert Ran(link, "watch", TASK).out == "It is 42.\n"


def test_a_task_is_cancelled_by_its_id() -> None:
    link = link_with((TASK, "running"), events=BEGUN)

    ran = Ran(link, "cancel", TASK[:8])

    assert (ran.exit_code, ran.out) == (0, f"cancelled {TASK}\n")
    assert link.cancelled == ["ended with `fleetmind cancel`"]


def test_a_task_that_has_ended_is_not_cancelled_and_that_is_said() -> None:
    listed = link_with((TASK, "answered"))
    meanwhile = link_with((TASK, "running"), events=ANSWERED)

    ended = [Ran(link, "cancel", TASK) for link in (listed, meanwhile)]

    assert [each.exit_code for each in ended] == [0, 0]
    assert [each.out for each in ended] == [f"ended already (answered): {TASK}\n"] * 2
    assert listed.cancelled == []


@pytest.mark.parametrize("arguments", [("tasks",), ("watch", TASK), ("cancel", TASK)])
def test_a_store_that_does_not_answer_is_one_sentence(arguments: tuple[str, ...]) -> None:
    link = ScriptedLink(refusal=StoreUnavailable("redis://h:1 does not answer"))

    ran = Ran(link, *arguments)

    assert (ran.exit_code, ran.out) == (1, "")
    assert ran.err == "fleetmind: redis://h:1 does not answer\n"
