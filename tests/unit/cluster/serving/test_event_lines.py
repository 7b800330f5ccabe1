"""What clients are told of events: all of it, but for the address in a failure's sentence."""

from __future__ import annotations

import json

import pytest

from cluster.kernel.events import (
    AgentDetail,
    Event,
    FellBack,
    Hedged,
    OwnerDetail,
    Spent,
    StepFinished,
    StepStarted,
    Thought,
)
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.report import event_to_json
from cluster.kernel.vocabulary import Failure
from cluster.serving.event_lines import line_of
from cluster.serving.failure_log import FailureLog

PLACE = "researcher-1: the model endpoint http://10.0.0.7:8000/v1 failed (500)"


def event_of(detail: AgentDetail | OwnerDetail) -> Event:
    return Event(0.5, TaskId("a" * 32), AgentId("researcher-1"), StepId("r1"), detail)


@pytest.mark.parametrize(
    "detail", [StepStarted(2, PLACE), Hedged("model", 1.5), FellBack("model", PLACE), Thought("hm")]
)
def test_what_has_not_failed_is_told_as_it_is(detail: AgentDetail | StepStarted) -> None:
    event = event_of(detail)

    assert line_of(event, FailureLog()) == event_to_json(event)


def test_a_failed_step_is_told_by_its_kind_and_not_logged_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = line_of(event_of(StepFinished("failed", 3, Failure("model", PLACE))), FailureLog())

    assert line is not None
    assert "10.0.0.7" not in json.dumps(line)
    assert isinstance(error := line["error"], dict)
    assert error["kind"] == "model"
    assert not caplog.records


def test_what_is_not_for_users_has_no_line() -> None:
    assert line_of(event_of(Spent("model", 1.0)), FailureLog()) is None
