"""The log of why tasks have failed: a line for each, and not for each time that it is read."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Failure
from cluster.serving.failure_log import TASKS_LOGGED_MAX, FailureLog
from cluster.serving.problems import problem_of

FAILURE = Failure("model", "the model endpoint http://10.0.0.7/v1 failed (500)")


def test_a_failure_is_logged_when_it_is_met_first_and_told_alike_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures = FailureLog()

    told = [failures.problem_of(TaskId("a"), FAILURE).to_json() for _ in range(3)]

    assert told == [problem_of(FAILURE, may_log=False).to_json()] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "10.0.0.7" in caplog.text


def test_it_remembers_the_latest_tasks_only(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog()
    tasks = [TaskId(str(number)) for number in range(TASKS_LOGGED_MAX + 1)]
    for each in tasks:
        failures.problem_of(each, FAILURE)
    caplog.clear()

    failures.problem_of(tasks[-1], FAILURE)
    failures.problem_of(tasks[1], FAILURE)
    assert not caplog.records

    failures.problem_of(tasks[0], FAILURE)
    assert len(caplog.records) == 1
