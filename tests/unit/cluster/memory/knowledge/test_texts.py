"""A text that is no file becomes a source of a namespace, and replaces the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.catalog import read_catalog
from cluster.memory.knowledge.names import KnowledgeVersion
from cluster.memory.knowledge.texts import ROUNDS_MAX, forget_text, learn_text
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import NO_DOCUMENTS, Applied, SourceChange
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder

EMBEDDER = HashingEmbedder()


class BusyNamespaces(LocalNamespaces):
    """Others change the same source, so many times, just before each change."""

    def __init__(self, times: int) -> None:
        clock = ManualClock()
        super().__init__(LocalStore(clock), clock)
        self.times = times

    async def apply(
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = 30.0,
    ) -> Applied:
        if changes and self.times:
            self.times -= 1
            head = (await self.heads([name]))[name]
            other = f"{self.times:032x}"
            rival = SourceChange(changes[0].key, head.version, other, changes[0].record)
            await super().apply(name, [rival], documents={other: b"theirs"})
        return await super().apply(name, changes, documents=documents, kept_s=kept_s)


@pytest.fixture
def namespaces() -> BusyNamespaces:
    return BusyNamespaces(0)


async def learned(namespaces: BusyNamespaces, source: str, text: str) -> KnowledgeVersion:
    return await learn_text(namespaces, "sea", source, text, embedder=EMBEDDER)


async def test_a_text_is_a_source_that_is_cited_by_its_name(namespaces: BusyNamespaces) -> None:
    version = await learned(namespaces, "sea.md", "# Sea\n\nIt is deep.\n")

    catalog = await read_catalog(namespaces, "sea")
    (source,) = catalog.citable()
    assert str(version) == f"sea@{catalog.version}"
    assert (source.record.source, source.record.format) == ("sea.md", "markdown")
    assert source.record.passages == 1


async def test_a_text_of_the_same_name_takes_the_place_of_the_one_before(
    namespaces: BusyNamespaces,
) -> None:
    first = await learned(namespaces, "sea.md", "It is deep.")
    second = await learned(namespaces, "sea.md", "It is shallow.")
    await learned(namespaces, "lake.md", "It is round.")

    catalog = await read_catalog(namespaces, "sea")
    assert second.version > first.version
    assert [each.record.source for each in catalog.citable()] == ["lake.md", "sea.md"]


async def test_a_name_that_tells_of_no_text_is_read_as_text(namespaces: BusyNamespaces) -> None:
    await learned(namespaces, "https://example.org/sea.pdf", "It is deep.")

    (source,) = (await read_catalog(namespaces, "sea")).citable()
    assert source.record.format == "text"


@pytest.mark.parametrize(
    ("source", "text"),
    [("", "It is deep."), ("two\nlines", "It is deep."), ("sea.md", " \n"), ("sea", "%PDF-1.7 x")],
)
async def test_what_is_no_document_is_refused_and_leaves_nothing(
    namespaces: BusyNamespaces, source: str, text: str
) -> None:
    with pytest.raises(UsageError):
        await learned(namespaces, source, text)

    assert not (await read_catalog(namespaces, "sea")).sources


async def test_the_latest_text_stays_where_somebody_came_between() -> None:
    namespaces = BusyNamespaces(2)

    version = await learned(namespaces, "sea.md", "It is deep.")

    catalog = await read_catalog(namespaces, "sea")
    assert version.version == catalog.version == 3


async def test_it_is_given_up_where_others_come_between_all_the_time() -> None:
    with pytest.raises(StoreUnavailable):
        await learned(BusyNamespaces(ROUNDS_MAX), "sea.md", "It is deep.")


async def test_a_text_is_forgotten_by_its_very_name(namespaces: BusyNamespaces) -> None:
    for source in ("sea", "sea/deep.md"):
        await learned(namespaces, source, "It is deep.")

    first = await forget_text(namespaces, "sea", "sea")
    again = await forget_text(namespaces, "sea", "sea")

    (left,) = (await read_catalog(namespaces, "sea")).citable()
    assert (first, again, left.record.source) == (True, False, "sea/deep.md")


async def test_a_text_that_others_change_meanwhile_is_forgotten_all_the_same(
    namespaces: BusyNamespaces,
) -> None:
    await learned(namespaces, "sea.md", "It is deep.")
    namespaces.times = 2

    was_there = await forget_text(namespaces, "sea", "sea.md")

    assert (was_there, (await read_catalog(namespaces, "sea")).sources) == (True, {})


async def test_a_text_that_others_change_all_the_time_is_said_to_be_left(
    namespaces: BusyNamespaces,
) -> None:
    await learned(namespaces, "sea.md", "It is deep.")
    namespaces.times = ROUNDS_MAX

    with pytest.raises(StoreUnavailable, match="all the time"):
        await forget_text(namespaces, "sea", "sea.md")
