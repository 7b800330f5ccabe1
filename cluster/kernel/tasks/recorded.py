"""What the record of a task still says when its feed is gone, as the events that say the same.

Pure: the inverse of the FIXED object of `cluster.kernel.tasks.report`, as far as its outcome goes.
Who did what when is in the object itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.kernel.errors import WireError
from cluster.kernel.events import (
    Answered,
    Clarified,
    Detail,
    Event,
    Failed,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.feed import TaskRecord
from cluster.kernel.ids import NO_AGENT, NO_STEP, AgentId, StepId, TaskId
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


def events_of_record(record: TaskRecord) -> Iterator[Event]:
    """Yield the goal, what was thought at each step, in one piece, and what the task ended with.

    Raises:
        WireError: the report is none of ours.
    """
    task = TaskId(record.summary.task)
    try:
        report = json.loads(record.report_json)
        ended, at_s = _ended(report), float(report["timing"]["wall_s"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"the report in the record of task {task} can't be read") from error
    yield Event(0.0, task, NO_AGENT, NO_STEP, Submitted(record.summary.goal))
    for each in record.thoughts:
        thought = Thought(each.text, each.is_reasoning)
        yield Event(0.0, task, AgentId(each.agent), StepId(each.step), thought)
    yield Event(at_s, task, NO_AGENT, NO_STEP, ended)


# The JSON that another process wrote: what it lacks, or has otherwise, raises above.
def _ended(report: Mapping[str, Any]) -> Detail:
    if report["status"] == "answered":
        return Answered(_answer(report))
    message = str(report["error"]["message"])
    if report["status"] == "clarify":
        return Clarified(message)
    if report["status"] == "cancelled":
        return WasCancelled(message)
    return Failed(Failure(str(report["error"]["kind"]), message))


def _answer(report: Mapping[str, Any]) -> Answer:
    return Answer(
        str(report["answer"]),
        tuple(Citation(**each) for each in report["citations"]),
        tuple(map(_program, report["programs"])),
        tuple(map(str, report["degraded"])),
        tuple(map(_claim, report["claims"])),
    )


def _program(each: Mapping[str, Any]) -> StepProgram:
    exit_code = each["exit_code"]
    run = None if exit_code is None else Run(exit_code, each["stdout"], each["stderr"])
    return StepProgram(StepId(each["step"]), Program(each["source"], run, each["language"]))


def _claim(each: Mapping[str, Any]) -> Claim:
    support = Support(each["support"])
    return Claim(each["text"], support, tuple(each["citations"]), tuple(each["programs"]))
