"""What a client is told of a task's events: the FIXED lines, and of failures no server's address.

Why something failed is said in a sentence for whoever runs the server: clients are told it by its
kind. Called by `cluster.serving.tasks`.
"""

from __future__ import annotations

from cluster.kernel.events import Event, Failed, StepFinished
from cluster.kernel.tasks.report import JsonObject, event_to_json
from cluster.kernel.vocabulary import Failure
from cluster.serving.failure_log import FailureLog
from cluster.serving.problems import Problem, problem_of


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
    return line


def error_of(failure: Failure, problem: Problem) -> dict[str, str]:
    """Return the ``error`` of the FIXED object as a client is told it."""
    return {"kind": failure.kind, "message": problem.message}
