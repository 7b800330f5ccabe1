"""What a client is told of a task's events: the FIXED lines, without the server's addresses.

Why something failed, fell back or began again is said in sentences for whoever runs the server,
which may quote an endpoint's address. Clients are told it by the kind of event and what it is of.
Called by `cluster.serving.tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cluster.kernel.events import (
    MODEL,
    Event,
    Failed,
    FellBack,
    Hedged,
    StepFinished,
    StepStarted,
)
from cluster.kernel.tasks.report import JsonObject, event_to_json
from cluster.kernel.vocabulary import Failure
from cluster.serving.failure_log import FailureLog
from cluster.serving.problems import Problem, problem_of

_FELL_BACK: Final[Mapping[str, str]] = {
    MODEL: "a call of a model did not go as planned: it was delayed, made anew or shortened, "
    "or its answer is another model's or lacks a proper end",
    "plan": "the model's plan was replaced, added to or cut short",
    "research": "sentences of the documents stand in place of the model's, or beside them",
    "code": "the program is an example of the documents",
    "answer": "the answer is put together from the results as they stand",
    "merge": "a policy that merges shared state is at fault",
}
"""By what has fallen back."""
_PLAINER: Final = "something was replaced by something plainer"
"""Of all else, which the agents of users name."""
_SLOW: Final = "no whole answer had come by then"
_AGAIN: Final = "the attempt before it failed, was lost, or was made from what has changed since"


def line_of(event: Event, failures: FailureLog) -> JsonObject | None:
    """Return the FIXED line of an event as a client is told it; None where it isn't shown."""
    line = event_to_json(event)
    if line is None:
        return None
    match event.detail:
        case Failed(failure):
            line["error"] = error_of(failure, failures.problem_of(event.task, failure))
        case StepFinished(failure=Failure() as failure):
            line["error"] = error_of(failure, problem_of(failure, may_log=False))
        case FellBack(what):
            line["reason"] = _FELL_BACK.get(what, _PLAINER)
        case Hedged(reason=reason):
            line["reason"] = _SLOW if reason else ""
        case StepStarted(reason=reason):
            line["reason"] = _AGAIN if reason else ""
    return line


def error_of(failure: Failure, problem: Problem) -> dict[str, str]:
    """Return the ``error`` of the FIXED object as a client is told it."""
    return {"kind": failure.kind, "message": problem.message}
