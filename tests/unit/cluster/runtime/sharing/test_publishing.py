"""What a turn publishes is written in its order, before its result, or its result is void."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import Overloaded, StateDeleted, StoreUnavailable, UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.reads import Reads
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.documents import Documents
from cluster.runtime.sharing import publishing
from cluster.runtime.sharing.shared_documents import SharedDocuments
from tests.support.shared_documents import TASK, UnsteadyStateLog, until

NAME = "task/t/Topic/prices"


@pytest.fixture
def log() -> UnsteadyStateLog:
    return UnsteadyStateLog(SystemClock())


@pytest.fixture
async def documents(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    opened = Documents(log, SystemClock())
    yield opened
    await opened.close()


def turn(documents: Documents, step: str = "s") -> SharedDocuments:
    def begin() -> Awaitable[EditAttempt]:
        return documents.begin(TASK, StepId(step), "researcher-0")

    return SharedDocuments(documents, TASK, begin, Reads())


async def end(shared: SharedDocuments) -> None:
    """End a turn as the runtime does."""
    await shared.published(5.0)
    shared.finish()
    await shared.flush(5.0)


async def values(log: UnsteadyStateLog) -> object:
    """Return what a host finds that has just come."""
    reader = Documents(log, SystemClock())
    fields = (await reader.open(NAME)).fields
    await reader.close()
    return fields.get("values")


async def test_values_are_durable_in_their_order_when_the_turn_has_ended(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    shared = turn(documents)
    for value in range(5):
        shared.publish("prices", value)
    await end(shared)
    assert await values(log) == [0, 1, 2, 3, 4]


async def test_a_value_is_there_for_others_before_the_turn_has_ended(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    shared = turn(documents)
    shared.publish("prices", 1)
    await until(lambda: documents.peek(NAME) is not None and bool(documents.peek(NAME).version))  # type: ignore[union-attr]
    assert await values(log) == [1]
    shared.close()


async def test_what_a_later_attempt_publishes_stands_instead(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    for value in ("first", "second"):
        shared = turn(documents)
        shared.publish("prices", value)
        await end(shared)
    assert await values(log) == ["second"]


async def test_publishing_reads_nothing(documents: Documents) -> None:
    shared = turn(documents)
    shared.publish("prices", 1)
    await end(shared)
    assert shared.reads.saw().is_empty


async def test_an_error_is_the_turn_s_and_that_of_the_next_value(documents: Documents) -> None:
    await end(turn(documents, "other"))
    first = turn(documents, "first")
    first.publish("prices", 1)
    await end(first)
    await documents.delete(NAME)
    shared = turn(documents)
    shared.publish("prices", 2)
    with pytest.raises(StateDeleted):
        await shared.published(5.0)
    with pytest.raises(StateDeleted):
        shared.publish("prices", 3)
    shared.close()


async def test_a_store_that_is_away_makes_the_turn_fail_for_now(
    documents: Documents, log: UnsteadyStateLog
) -> None:
    log.is_down = True
    shared = turn(documents)
    shared.publish("prices", 1)
    with pytest.raises(StoreUnavailable):
        await shared.published(0.01)
    shared.close()


async def test_only_so_much_waits_for_the_store(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "WAITING_MAX", 3)
    shared = turn(documents)
    for value in range(3):
        shared.publish("prices", value)
    with pytest.raises(Overloaded, match="3 published values wait"):
        shared.publish("prices", 3)
    await end(shared)


async def test_nothing_is_published_after_the_end(documents: Documents) -> None:
    shared = turn(documents)
    await end(shared)
    with pytest.raises(UsageError, match="can't be edited any more"):
        shared.publish("prices", 1)
