"""Whether what a step saw has changed is asked of a real server, which may be away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import StepId
from cluster.kernel.reads import DocumentChange, Reads, Saw
from cluster.kernel.tasks.staleness import News
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.wire import record_to_bytes
from cluster.memory.namespaces.port import SourceChange
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from cluster.runtime.tasks.freshness import StoreFreshness
from tests.support.shared_documents import TASK, spend, step

pytestmark = pytest.mark.integration

STEP = StepId("a")
BOARD, MANUALS = f"task/{TASK}/Board", "manuals"


@pytest.fixture
async def here(redis_store: RedisStore) -> AsyncIterator[Documents]:
    documents = Documents(RedisStateLog(redis_store), SystemClock())
    yield documents
    await documents.close()


async def learn(namespaces: RedisNamespaces, document: str) -> int:
    await namespaces.store_documents({document: b"text"})
    base = (await namespaces.heads([MANUALS]))[MANUALS].version
    record = record_to_bytes(SourceRecord("a.md", "/srv/a.md"))
    return (await namespaces.apply(MANUALS, [SourceChange("key", base, document, record)])).version


def saw(version: int) -> Saw:
    reads = Reads()
    reads.state(BOARD, 0, ["spent"])
    reads.passages(MANUALS, version, [("a.md", "1" * 32)])
    return reads.saw()


async def test_what_others_have_written_and_learned_since_is_known(
    redis_store: RedisStore, here: Documents
) -> None:
    namespaces = RedisNamespaces(redis_store)
    before = await learn(namespaces, "1" * 32)
    freshness = StoreFreshness(here, namespaces)
    assert (await freshness.news(saw(before), TASK, STEP)).sources == ()

    other = Documents(RedisStateLog(redis_store), SystemClock())
    rival = await step(other, "b")
    spend(await other.open(BOARD), rival)
    await other.flush(rival)
    after = await learn(namespaces, "2" * 32)
    news = await freshness.news(saw(before), TASK, STEP)
    await other.close()

    assert [state.changed for state in news.states] == [("spent",)]
    assert news.sources == (DocumentChange(MANUALS, ("a.md",), before, after),)


async def test_what_a_store_that_is_away_does_not_tell_is_unknown(
    redis_store: RedisStore, here: Documents
) -> None:
    await here.open(BOARD)
    await redis_store.close()

    news = await StoreFreshness(here, RedisNamespaces(redis_store)).news(saw(1), TASK, STEP)

    assert news == News(unknown=(BOARD, MANUALS))
