"""The judge of the knowledge campaign counts what a store has, whatever still reaches it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.wire import record_to_bytes
from cluster.memory.namespaces.port import SourceChange
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from tests.chaos import knowledge_judge
from tests.chaos.figures import Figures
from tests.chaos.knowledge_judge import judge_store
from tests.chaos.knowledge_ledger import NAMESPACES
from tests.chaos.knowledge_writer import small_document

pytestmark = pytest.mark.integration

ONE = "1" * 32


async def put_late(store: RedisStore) -> None:
    """Write what a writer had sent before it was killed."""
    _, data = small_document("late", random.Random(1), np.random.default_rng(1))
    change = SourceChange("a", 0, ONE, record_to_bytes(SourceRecord("a", "/a")))
    await RedisNamespaces(store).apply(NAMESPACES[0], [change], documents={ONE: data})


async def test_what_comes_while_the_store_is_judged_is_no_leak(
    redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = knowledge_judge._judge_documents  # noqa: SLF001 - what lies between two looks

    async def after_a_write(store: RedisStore, *rest: Any) -> None:
        await put_late(store)
        await really(store, *rest)

    monkeypatch.setattr(knowledge_judge, "_judge_documents", after_a_write)
    figures = Figures("knowledge", 1)

    scans = await judge_store(redis_store, figures)

    assert (figures.leaked, figures.lost, figures.diverged) == (0, 0, 0)
    assert [each.document for each in scans[NAMESPACES[0]].live] == [ONE]
    assert figures.notes == [f"somebody wrote to {NAMESPACES[0]} while the store was judged"]


async def test_a_document_that_nothing_names_and_that_stays_is_a_leak(
    redis_store: RedisStore,
) -> None:
    await redis_store.put_many({f"knowledge/doc/{ONE}": b"left"})
    figures = Figures("knowledge", 1)

    await judge_store(redis_store, figures)

    assert figures.leaked == 1
