"""A record as events: folded again they are the answer that was given."""

from __future__ import annotations

import json

import pytest

from cluster.kernel.errors import WireError
from cluster.kernel.events import Answered, Clarified, Detail, Event, Failed, Thought, WasCancelled
from cluster.kernel.feed import StepThoughts, TaskRecord, TaskSummary
from cluster.kernel.ids import NO_AGENT, NO_STEP, StepId, TaskId
from cluster.kernel.tasks.recorded import events_of_record
from cluster.kernel.tasks.report import TaskReport
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    Failure,
    Program,
    Run,
    StepProgram,
    Support,
)

TASK = TaskId("0123456789abcdef0123456789abcdef")
ANSWER = Answer(
    "It is 42 [1].",
    (Citation("a.md", 3, 4, "42"), Citation("b.pdf", 1, 1, "so", page=7)),
    (
        StepProgram(StepId("c1"), Program("print(42)", Run(0, "42\n", ""))),
        StepProgram(StepId("c2"), Program("print(1)")),
    ),
    ("no model",),
    (Claim("It is 42.", Support.QUOTED, (0,), (0,)), Claim("So.", Support.UNVERIFIED)),
)


def recorded(report_json: str) -> TaskRecord:
    summary = TaskSummary(TASK, "why?", "answered")
    thoughts = (StepThoughts("r1", "researcher-0", "hm", is_reasoning=True),)
    return TaskRecord(summary, report_json, thoughts)


def report_of(detail: Detail) -> TaskReport:
    report = TaskReport(TASK)
    report.observe(Event(2.5, TASK, NO_AGENT, NO_STEP, detail))
    return report


@pytest.mark.parametrize(
    "detail",
    [
        Answered(ANSWER),
        Answered(Answer("")),
        Failed(Failure("deadline", "it is over")),
        Clarified("which sky?"),
        WasCancelled("enough"),
    ],
)
def test_what_a_task_has_ended_with_is_what_its_record_says(detail: Detail) -> None:
    report = report_of(detail)

    events = list(events_of_record(recorded(json.dumps(report.to_json()))))

    again = TaskReport(TASK)
    for event in events:
        again.observe(event)
    assert (again.status, again.answer, again.failure) == (
        report.status,
        report.answer,
        report.failure,
    )
    assert events[-1].at_s == 2.5


def test_the_goal_comes_first_and_then_what_was_thought_at_each_step() -> None:
    report_json = json.dumps(report_of(Answered(ANSWER)).to_json())

    first, thought, *_ = events_of_record(recorded(report_json))

    assert first.kind == "submitted"
    assert (thought.agent, thought.step) == ("researcher-0", "r1")
    assert thought.detail == Thought("hm", is_reasoning=True)


@pytest.mark.parametrize(
    "report_json", ["", "[]", "{}", '{"status": "answered"}', '{"status": "failed", "error": null}']
)
def test_a_report_that_is_none_of_ours_is_told(report_json: str) -> None:
    with pytest.raises(WireError, match=f"record of task {TASK} can't be read"):
        list(events_of_record(recorded(report_json)))
