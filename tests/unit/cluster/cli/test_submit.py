"""``fleetmind submit``: which flags go along, and what comes of the job's stdout."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

import pytest

from cluster.cli.console import Console
from cluster.cli.options import Options
from cluster.cli.submit import answer_from_json, flags_of_job, separated
from cluster.kernel.events import Answered, PlanReady, Submitted
from cluster.kernel.ids import StepId
from cluster.kernel.tasks.report import TaskReport, event_to_json
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    Plan,
    Program,
    Run,
    Step,
    StepProgram,
    Support,
)
from cluster.workflows import Workflow
from tests.support.scripted_link import TASK, event

ANSWER = Answer(
    "So [1].\u2028",
    (Citation("a.md", 1, 2, "a quote"),),
    (StepProgram(StepId("c1"), Program("print(1)", Run(0, "1\n", ""))),),
    ("plainly",),
    (
        Claim("So.", Support.QUOTED, (0,)),
        Claim("It prints 1.", Support.QUOTED, programs=(0,)),
        Claim("Or not.", Support.UNVERIFIED),
    ),
)


def stdout_of_job(answer: Answer) -> str:
    """What a run writes with ``--events - --json``."""
    answered = event(0.5, Answered(answer))
    report = TaskReport(TASK)
    report.observe(answered)
    return "".join(json.dumps(line) + "\n" for line in (event_to_json(answered), report.to_json()))


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        (Options("submit"), ()),
        (Options("submit", json=True), ("--json",)),
        (Options("submit", events="-"), ("--events", "-")),
        (Options("submit", events="-", json=True), ("--events", "-", "--json")),
        (Options("submit", events="here.jsonl"), ("--events", "-", "--json")),
        (Options("submit", save_plan="plan.toml"), ("--events", "-", "--json")),
        (Options("submit", json=True, namespace="n"), ("--namespace", "n", "--json")),
        (Options("submit", thoughts="all"), ("--thoughts", "all")),
    ],
)
def test_what_is_written_here_comes_with_the_stdout_of_the_job(
    options: Options, flags: tuple[str, ...]
) -> None:
    assert flags_of_job(options) == flags


def test_an_answer_survives_the_way_through_json() -> None:
    whole = cast("dict[str, Any]", json.loads(stdout_of_job(ANSWER).splitlines()[-1]))

    assert answer_from_json(whole) == ANSWER


@pytest.mark.parametrize("told", ["proven", ""])
def test_a_support_of_another_version_is_unverified(told: str) -> None:
    whole = cast("dict[str, Any]", json.loads(stdout_of_job(ANSWER).splitlines()[-1]))
    whole["claims"][0]["support"] = told

    assert answer_from_json(whole).claims[0] == Claim("So.", Support.UNVERIFIED, (0,))


@pytest.mark.parametrize("is_json", [True, False])
def test_events_are_parted_from_the_answer(tmp_path: Path, *, is_json: bool) -> None:
    path = tmp_path / "events.jsonl"
    out = io.StringIO()
    options = Options("submit", events=str(path), json=is_json)

    separated(options, Console(out, io.StringIO()))(stdout_of_job(ANSWER))

    [line] = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["kind"] == "answered"
    if is_json:
        assert json.loads(out.getvalue())["status"] == "answered"
    else:
        assert out.getvalue().startswith("So [1].")


@pytest.mark.parametrize("events", [None, "-"])
def test_the_plan_of_a_job_is_saved_here_and_its_stdout_is_as_without(
    tmp_path: Path, events: str | None
) -> None:
    plan = Plan((Step(StepId("a"), "coder", "do it"),))
    report = TaskReport(TASK)
    told = [
        event(0.0, Submitted("why?")),
        event(0.1, PlanReady(plan)),
        event(0.5, Answered(ANSWER)),
    ]
    for each in told:
        report.observe(each)
    lines = "".join(f"{json.dumps(event_to_json(each))}\n" for each in told)
    out = io.StringIO()
    options = Options("submit", events=events, save_plan=str(tmp_path / "plan.toml"))

    separated(options, Console(out, io.StringIO()))(f"{lines}{json.dumps(report.to_json())}\n")

    assert Workflow.load(tmp_path / "plan.toml") == Workflow(plan, "why?")
    assert out.getvalue() == lines if events else out.getvalue().startswith("So [1].")
