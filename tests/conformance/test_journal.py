"""The journal and its twin keep the same promises."""

from __future__ import annotations

import pytest

from cluster.memory.journal.local import LocalJournal
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.store.redis import RedisStore
from tests.conformance.journal_contract import PROMISES, Promise
from tests.support.clock import ManualClock

each_promise = pytest.mark.parametrize(
    "promise", [pytest.param(promise, id=promise.__name__) for promise in PROMISES]
)


@each_promise
async def test_the_local_journal_keeps_its_promises(promise: Promise) -> None:
    await promise(LocalJournal(ManualClock()))


@pytest.mark.integration
@each_promise
async def test_the_redis_journal_keeps_its_promises(
    promise: Promise, redis_store: RedisStore
) -> None:
    await promise(RedisJournal(redis_store, "cluster"))
