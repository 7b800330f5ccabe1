"""What has become of what a step saw is found out in the store, or not at all, and that is said."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import StepId
from cluster.kernel.reads import DocumentChange, Reads
from cluster.kernel.tasks.staleness import News
from cluster.memory.knowledge.records import SourceRecord
from cluster.memory.knowledge.wire import record_to_bytes
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import NamespaceLog, SourceChange
from cluster.memory.state.host.documents import Documents
from cluster.memory.store.local import LocalStore
from cluster.runtime.tasks import freshness as freshness_module
from cluster.runtime.tasks.freshness import StoreFreshness
from tests.support.shared_documents import TASK, UnsteadyStateLog, say, spend, step

BOARD = f"task/{TASK}/Board"
STEP = StepId("a")
SOURCES = {"a.md": "1a", "b.md": "1b"}


class Shelf(LocalNamespaces):
    """Namespaces of which documents are only ids."""

    async def put(self, source: str, document: str) -> int:
        """Let a source have a document; an empty one removes it."""
        if document:
            await self.store_documents({document: b"text"})
        record = record_to_bytes(SourceRecord(source, f"/srv/{source}")) if document else b""
        log = await self.entries("manuals")
        applied = await self.apply(
            "manuals", [SourceChange(f"key of {source}", log.version, document, record)]
        )
        assert not applied.refused
        return applied.version


@pytest.fixture
def log() -> UnsteadyStateLog:
    return UnsteadyStateLog(SystemClock())


@pytest.fixture
async def here(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    documents = Documents(log, SystemClock())
    yield documents
    await documents.close()


@pytest.fixture
async def there(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    documents = Documents(log, SystemClock())
    yield documents
    await documents.close()


@pytest.fixture
async def shelf() -> Shelf:
    made = Shelf(LocalStore(SystemClock()), SystemClock())
    for source, document in SOURCES.items():
        await made.put(source, document)
    return made


async def state_news(here: Documents, *fields: str, version: int = 0) -> News:
    reads = Reads()
    reads.state(BOARD, version, fields)
    return await StoreFreshness(here, None).news(reads.saw(), TASK, STEP)


async def source_news(shelf: Shelf, *sources: str, version: int) -> News:
    reads = Reads()
    reads.passages("manuals", version, [(source, SOURCES[source]) for source in sources])
    return await StoreFreshness(None, shelf).news(reads.saw(), TASK, STEP)


async def test_an_edit_on_another_host_is_known_even_where_no_wake_up_has_come(
    log: UnsteadyStateLog, here: Documents, there: Documents
) -> None:
    log.is_silent = True
    await here.open(BOARD)
    other = await step(there, "b")
    spend(await there.open(BOARD), other)
    await there.flush(other)

    [state] = (await state_news(here, "spent", "said")).states

    assert (state.changed, state.to_version) == (("spent",), 1)


async def test_what_the_step_itself_has_written_is_no_change(here: Documents) -> None:
    own = await here.begin(TASK, STEP, "researcher-0")
    say(await here.open(BOARD), own, "mine")
    await here.flush(own)

    [state] = (await state_news(here, "said")).states

    assert (state.changed, *state.written) == ((), "said")


async def test_a_deleted_document_is_gone(here: Documents) -> None:
    other = await step(here, "b")
    spend(await here.open(BOARD), other)
    await here.flush(other)
    await here.delete(BOARD)

    [state] = (await state_news(here, "spent", version=1)).states

    assert state.is_gone


async def test_what_the_store_does_not_tell_is_unknown(
    log: UnsteadyStateLog, here: Documents
) -> None:
    log.is_down = True
    assert await state_news(here, "spent") == News(unknown=(BOARD,))


async def test_what_the_store_is_too_slow_to_tell_is_unknown(
    log: UnsteadyStateLog, here: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness_module, "CHECK_S", 0.0)
    log.delay = lambda: 100
    assert await state_news(here, "spent") == News(unknown=(BOARD,))


async def test_a_host_without_shared_state_does_not_know() -> None:
    reads = Reads()
    reads.state(BOARD, 0, ["spent"])
    reads.passages("manuals", 0, [("a.md", "1a")])
    news = await StoreFreshness(None, None).news(reads.saw(), TASK, STEP)
    assert news == News(unknown=(BOARD, "manuals"))


async def test_a_source_that_is_still_the_same_has_no_news(shelf: Shelf) -> None:
    assert await source_news(shelf, "a.md", version=2) == News()
    await shelf.put("b.md", "2b")
    assert await source_news(shelf, "a.md", version=2) == News()


async def test_a_source_that_has_another_document_has_changed(shelf: Shelf) -> None:
    version = await shelf.put("a.md", "2a")
    news = await source_news(shelf, "a.md", "b.md", version=2)
    assert news == News(sources=(DocumentChange("manuals", ("a.md",), 2, version),))


async def test_a_source_that_was_removed_is_gone(shelf: Shelf) -> None:
    await shelf.put("a.md", "2a")
    version = await shelf.put("b.md", "")
    news = await source_news(shelf, "a.md", "b.md", version=2)
    assert news.sources == (
        DocumentChange("manuals", ("a.md",), 2, version),
        DocumentChange("manuals", ("b.md",), 2, version, is_gone=True),
    )


async def test_a_namespace_that_begins_anew_has_other_sources(shelf: Shelf) -> None:
    news = await source_news(shelf, "a.md", version=9)
    assert news == News()
    await shelf.put("a.md", "2a")
    assert (await source_news(shelf, "a.md", version=9)).sources


async def test_only_what_is_newer_is_read_where_that_is_of_other_sources() -> None:
    class Counting(Shelf):
        read = 0

        async def entries(
            self, name: str, after: int = 0, *, documents_max: int = 0
        ) -> NamespaceLog:
            log = await super().entries(name, after, documents_max=documents_max)
            self.read += len(log.entries)
            return log

    counting = Counting(LocalStore(SystemClock()), SystemClock())
    for number in range(20):
        await counting.put(f"{number}.md", f"1{number}")
    version = await counting.put("a.md", "1a")
    await counting.put("7.md", "27")
    counting.read = 0

    assert await source_news(counting, "a.md", version=version) == News()

    assert counting.read == 1


async def test_a_source_that_was_moved_is_the_same(shelf: Shelf) -> None:
    await shelf.put("c.md", "1a")
    await shelf.put("a.md", "")
    assert await source_news(shelf, "a.md", version=2) == News()


async def test_a_source_that_is_cited_with_escapes_is_known_by_its_name(shelf: Shelf) -> None:
    seen = await shelf.put("c\n.md", "1a")
    await shelf.put("a.md", "")
    version = await shelf.put("c\n.md", "2a")
    reads = Reads()
    reads.passages("manuals", seen, [(r"c\n.md", "1a")])

    news = await StoreFreshness(None, shelf).news(reads.saw(), TASK, STEP)

    assert news.sources == (DocumentChange("manuals", (r"c\n.md",), seen, version),)


async def test_a_namespace_that_was_searched_and_not_cited_is_not_asked_about() -> None:
    class Silent(Shelf):
        async def entries(
            self, name: str, after: int = 0, *, documents_max: int = 0
        ) -> NamespaceLog:
            raise StoreUnavailable("nobody should ask")

    silent = Silent(LocalStore(SystemClock()), SystemClock())
    assert await source_news(silent, version=2) == News()
