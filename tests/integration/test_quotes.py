"""The journals of ended tasks that quote what is purged go, of all clusters; others stay."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Answer, Citation
from cluster.memory.journal import quotes
from cluster.memory.journal.quotes import PurgedJournals, as_written, purge_quotes
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.store.redis import RedisStore
from cluster.wire.messages import MessageCodec

pytestmark = pytest.mark.integration

OWNER = Owner(AgentId("manager-0"), 1)
SOURCE = "/docs/*[secret]/" + "long " * 30 + "a.md"


def entry(source: str) -> bytes:
    """An entry that cites a source, deep within."""
    _, body = MessageCodec().encode(Answer("It is so [1].", (Citation(source, 1, 2, "so"),)))
    return b"before" + body + b"after"


async def journal(
    store: RedisStore, scope: str, task: str, entries: Sequence[bytes], *, is_ended: bool = True
) -> None:
    made = RedisJournal(store, scope)
    await made.claim(TaskId(task), OWNER)
    await made.append(TaskId(task), 1, 1, entries, is_final=is_ended)
    await store.put_many({f"record/{scope}/{task}/r1": entries[0]})


async def left(store: RedisStore, scope: str, task: str) -> tuple[int, bool]:
    """How many entries a journal has, and whether the step is recorded."""
    [record] = await store.get_many([f"record/{scope}/{task}/r1"])
    return len(await RedisJournal(store, scope).read(TaskId(task))), record is not None


async def test_journals_that_quote_a_source_are_removed_whatever_their_cluster(
    redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes, "KEYS_PER_LOOK", 1)
    await journal(redis_store, "one", "quotes", [entry(SOURCE), b"end"])
    await journal(redis_store, "two", "quotes", [entry(SOURCE), b"end"])
    await journal(redis_store, "one", "other", [entry(f"{SOURCE}x"), b"end"])
    await journal(redis_store, "one", "runs", [entry(SOURCE)], is_ended=False)

    purged = await purge_quotes(redis_store, ["/docs/unknown.md", SOURCE])

    assert purged == PurgedJournals(removed=2, running=1)
    assert await left(redis_store, "one", "quotes") == (0, False)
    assert await left(redis_store, "two", "quotes") == (0, False)
    assert await left(redis_store, "one", "other") == (2, True)
    assert await left(redis_store, "one", "runs") == (1, True)


async def test_without_sources_nothing_is_removed(redis_store: RedisStore) -> None:
    await journal(redis_store, "one", "quotes", [entry(SOURCE), b"end"])

    assert await purge_quotes(redis_store, []) == PurgedJournals(0, 0)
    assert await left(redis_store, "one", "quotes") == (2, True)


def test_a_text_is_looked_for_as_protobuf_writes_it() -> None:
    assert as_written("ab") == b"\x02ab"
    assert as_written("é" * 100) == b"\xc8\x01" + ("é" * 100).encode()
    assert as_written("") == b"\x00"
