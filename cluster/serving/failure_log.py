"""Why tasks have failed, in the log: once for each task, however often its end is read.

What is kept of a task is read again for a week, by clients that poll as well. Kept by
`cluster.serving.ingress`, asked by the routes and by `cluster.serving.response_story`.
"""

from __future__ import annotations

from typing import Final

from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Failure
from cluster.serving.problems import Problem, problem_of

TASKS_LOGGED_MAX: Final = 1_000


class FailureLog:
    """Knows whose failure this replica has logged, of the latest `TASKS_LOGGED_MAX` tasks."""

    def __init__(self) -> None:
        self._logged: dict[TaskId, None] = {}  # in the order in which they were logged

    def problem_of(self, task: TaskId, failure: Failure) -> Problem:
        """As that of `problems`; the log has it under the id of the request that met it first."""
        is_logged = task in self._logged
        self._logged[task] = None
        if len(self._logged) > TASKS_LOGGED_MAX:
            del self._logged[next(iter(self._logged))]
        return problem_of(failure, may_log=not is_logged)
