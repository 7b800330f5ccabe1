"""What an error is on its way to its asker, and what it is there."""

from __future__ import annotations

import logging

import pytest

from cluster.kernel.errors import ClusterError, ModelError, TaskFailed
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Failure
from cluster.wire.failure import error_from_failure, failure_from_error
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.messaging.test_refusals import make_ask

SECRET = "https://user:hunter2@example.org refused us"


def travelled(error: BaseException) -> ClusterError:
    codec = MessageCodec()
    failure = codec.decode(*codec.encode(failure_from_error(error)))
    assert isinstance(failure, Failure)
    return error_from_failure(failure)


async def test_the_text_of_an_unknown_error_goes_to_the_log_and_not_to_the_user(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(message: object, turn: Turn) -> object:
        raise ValueError(SECRET)

    async with MemoryCluster() as cluster:
        for name in ("asker-0", "failing-0"):
            await cluster.add(name, fail)
        sender = cluster.senders["asker-0"]
        with caplog.at_level(logging.ERROR), pytest.raises(ClusterError) as caught:
            await sender.ask(make_ask(sender, "failing-0"))

    assert str(caught.value) == "the agent failed: ValueError, see its log"
    assert SECRET in caplog.text


def test_when_to_try_a_model_again_survives_the_way_through_an_answer() -> None:
    error = travelled(ModelError("the endpoint is busy", 30.0))
    assert (type(error), error.retry_after_s) == (ModelError, 30.0)


def test_what_a_failed_task_says_of_trying_again_survives_too() -> None:
    busy = Failure("overloaded", "busy", is_retryable=True, retry_after_s=2.5)
    error = travelled(TaskFailed("the task has failed", busy))
    assert isinstance(error, TaskFailed)
    assert (error.retry_after_s, error.failure.retry_after_s) == (2.5, 2.5)


@pytest.mark.parametrize("is_retryable", [False, True])
def test_a_failure_of_a_newer_version_says_as_much_of_trying_again(*, is_retryable: bool) -> None:
    error = error_from_failure(Failure("of_tomorrow", "who knows", is_retryable, 4.0))
    assert (error.is_retryable, error.retry_after_s) == (is_retryable, 4.0)
