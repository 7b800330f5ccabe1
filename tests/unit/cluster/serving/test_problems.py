"""What each failure is over HTTP, and what is told of it."""

from __future__ import annotations

import pytest

from cluster.kernel import errors
from cluster.kernel.errors import ClusterError, Overloaded, TaskFailed
from cluster.kernel.vocabulary import Failure
from cluster.serving.problems import REQUEST, problem_of, too_many

KINDS = {
    each.kind
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, ClusterError)
}


@pytest.mark.parametrize("kind", sorted(KINDS | {"answer_changed"}))
def test_every_kind_of_failure_has_a_status_of_an_error(kind: str) -> None:
    problem = problem_of(Failure(kind, "why"))

    assert 400 <= problem.status < 600
    assert problem.headers["X-Should-Retry"] in {"true", "false"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("usage", 400),
        ("overloaded", 429),
        ("budget", 429),
        ("too_large", 413),
        ("deadline", 504),
        ("model", 502),
        ("store", 503),
        ("cancelled", 409),
        ("internal", 500),
        ("from_a_newer_version", 500),
    ],
)
def test_a_kind_has_its_status(kind: str, status: int) -> None:
    assert problem_of(Failure(kind, "why")).status == status


def test_a_failure_that_may_pass_says_when_to_try_again() -> None:
    problem = problem_of(Overloaded("all are busy", 2.2))

    assert problem.headers == {"X-Should-Retry": "true", "Retry-After": "3"}


def test_a_task_that_has_failed_is_not_done_again_by_itself() -> None:
    assert problem_of(Failure("model", "it broke")).headers == {"X-Should-Retry": "false"}


def test_the_failure_of_a_task_is_that_of_its_cause() -> None:
    error = TaskFailed("the task failed", Failure("deadline", "no time was left"))

    assert problem_of(error).code == "deadline"


PLACE = "the model endpoint http://10.0.0.7:8000/v1 failed (500); try again later"


@pytest.mark.parametrize(
    "kind",
    ["model", "store", "placement", "deadline", "delivery", "peer_unavailable", "stopped"],
)
def test_a_client_is_not_told_the_servers_addresses_and_the_log_is(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    named = REQUEST.set("abc-1")

    problem = problem_of(Failure(kind, PLACE))
    REQUEST.reset(named)

    assert "10.0.0.7" not in problem.message
    assert (problem.code, bool(problem.message)) == (kind, True)
    [line] = [record.getMessage() for record in caplog.records]
    assert line == f"request abc-1: an error of kind {kind}: {PLACE}"


@pytest.mark.parametrize("kind", ["usage", "too_large", "overloaded", "budget", "cancelled"])
def test_a_client_is_told_what_is_wrong_with_its_request(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert problem_of(Failure(kind, "the goal is empty")).message == "the goal is empty"
    assert not caplog.records


def test_what_is_wrong_inside_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    problem = problem_of(Failure("agent_failed", "KeyError: 'x'"))

    assert "KeyError" not in problem.message
    assert "KeyError" in caplog.text


def test_what_is_too_much_says_when_and_whether_to_ask_again() -> None:
    soon, later = too_many("no more"), too_many("no", retry_after_s=9.1, may_be_repeated=False)

    assert soon.headers == {"Retry-After": "1", "X-Should-Retry": "true"}
    assert later.headers == {"Retry-After": "10", "X-Should-Retry": "false"}


def test_an_error_has_openais_shape() -> None:
    assert too_many("no more").to_json() == {
        "error": {
            "message": "no more",
            "type": "rate_limit_error",
            "param": None,
            "code": "overloaded",
        }
    }
