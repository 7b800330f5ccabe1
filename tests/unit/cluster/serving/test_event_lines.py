"""What clients are told of events: all that the fields say, and no address of the server's."""

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
    "detail",
    [
        *(FellBack(what, PLACE) for what in ("model", "plan", "research", "code", "answer")),
        FellBack("merge", PLACE),
        FellBack("the weather", PLACE),
        Hedged("model", 1.5, PLACE),
        Hedged("researcher", 1.5, PLACE),
        StepStarted(2, PLACE),
    ],
)
def test_why_it_went_another_way_is_told_without_the_servers_addresses(
    detail: FellBack | Hedged | StepStarted,
) -> None:
    event = event_of(detail)

    line, whole = line_of(event, FailureLog()), event_to_json(event)

    assert line is not None
    assert whole is not None
    assert line["reason"]
    assert "10.0.0.7" not in json.dumps(line)
    assert {**line, "reason": PLACE} == whole


def test_what_has_fallen_back_has_a_reason_of_its_own() -> None:
    kinds = ["model", "plan", "research", "code", "answer", "merge", "the weather"]
    lines = [line_of(event_of(FellBack(what, PLACE)), FailureLog()) for what in kinds]

    assert len({line["reason"] for line in lines if line is not None}) == len(kinds)


@pytest.mark.parametrize("detail", [StepStarted(), Hedged("model", 1.5), Thought("hm")])
def test_what_names_no_reason_is_told_as_it_is(detail: AgentDetail | StepStarted) -> None:
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
