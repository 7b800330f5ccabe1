"""What every `cluster.memory.namespaces.port.Namespaces` promises, as checks for each of them.

`tests/conformance/test_namespaces.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import (
    DOCUMENTS_BYTES_MAX,
    Applied,
    Head,
    NamespaceLog,
    Namespaces,
    SourceChange,
    SourceEntry,
)

ONE, TWO = "1" * 32, "2" * 32


@dataclass(frozen=True, slots=True)
class NamespacesSubject:
    """Namespaces to be judged, and a way to let time pass for them."""

    namespaces: Namespaces
    pass_time: Callable[[float], Awaitable[None]]


Promise = Callable[[NamespacesSubject], Awaitable[None]]


def put(key: str, document: str = ONE, base: int = 0, record: bytes = b"r") -> SourceChange:
    return SourceChange(key, base, document, record)


async def with_documents(subject: NamespacesSubject) -> Namespaces:
    await subject.namespaces.store_documents({ONE: b"one", TWO: b"two"})
    return subject.namespaces


def digest_of(entries: Sequence[SourceEntry]) -> int:
    live = [each for each in entries if each.document]
    digests = (entry_digest(each.key, each.version, each.document) for each in live)
    return sum(digests) % DIGEST_MODULUS


def log_of(version: int, *entries: SourceEntry) -> NamespaceLog:
    return NamespaceLog(version, digest_of(entries), list(entries))


async def version_of(namespaces: Namespaces, name: str) -> int:
    return (await namespaces.heads([name]))[name].version


async def a_put_is_an_entry_and_the_next_version(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    assert await namespaces.apply("n", [put("a"), put("b", TWO, record=b"\0\xff")]) == Applied(2)
    entries = SourceEntry("a", 1, ONE, b"r"), SourceEntry("b", 2, TWO, b"\0\xff")
    assert await namespaces.entries("n") == log_of(2, *entries)
    assert await namespaces.heads(["n"]) == {"n": Head(2, digest_of(entries))}


async def nothing_written_is_version_zero(subject: NamespacesSubject) -> None:
    assert await subject.namespaces.entries("n") == NamespaceLog(0, 0, [])
    assert await subject.namespaces.heads(["n"]) == {"n": Head(0, 0)}
    assert await subject.namespaces.heads([]) == {}
    assert await subject.namespaces.names() == {}
    assert await subject.namespaces.apply("n", []) == Applied(0)
    assert await subject.namespaces.names() == {}


async def namespaces_know_nothing_of_each_other(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.apply("n:a", [put("a", TWO)])
    assert [each.document for each in (await namespaces.entries("n")).entries] == [ONE]
    assert (await namespaces.names()).keys() == {"n", "n:a"}
    assert await version_of(namespaces, "n:") == 0


async def a_repeated_change_changes_nothing(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    for _ in range(3):
        assert await namespaces.apply("n", [put("a")]) == Applied(1)
    for _ in range(3):
        assert await namespaces.apply("n", [SourceChange("a", 1)]) == Applied(2)
    assert await namespaces.entries("n") == log_of(2, SourceEntry("a", 2, "", b""))


async def a_change_of_what_another_has_changed_is_refused(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a"), put("b")])
    late = [put("a", TWO), SourceChange("b", 0), put("c", TWO)]
    assert await namespaces.apply("n", late) == Applied(3, refused=frozenset({"a", "b"}))
    assert await namespaces.apply("n", [put("a", TWO, base=1)]) == Applied(4)


async def a_removal_does_not_come_back(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.apply("n", [SourceChange("a", 1)])
    assert await namespaces.apply("n", [put("a")]) == Applied(2, refused=frozenset({"a"}))
    assert await namespaces.apply("n", [put("a", base=2)]) == Applied(3)


async def what_is_newer_than_a_version_brings_up_to_date(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a"), put("b"), put("c")])
    await namespaces.apply("n", [SourceChange("b", 2), put("a", TWO, base=1)])
    log = await namespaces.entries("n", after=3)
    assert [(each.key, each.document) for each in log.entries] == [("b", ""), ("a", TWO)]
    assert await namespaces.entries("n", after=5) == NamespaceLog(5, log.digest, [])
    assert log.digest == digest_of((await namespaces.entries("n")).entries)


async def entries_are_complete_where_there_are_many(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    for start in range(0, 2_500, 500):
        await namespaces.apply("n", [put(f"{at}") for at in range(start, start + 500)])
    log = await namespaces.entries("n")
    assert (log.version, [each.version for each in log.entries]) == (2_500, list(range(1, 2_501)))
    assert log.digest == digest_of(log.entries)


async def some_documents_come_along_with_the_entries_that_name_them(
    subject: NamespacesSubject,
) -> None:
    namespaces = await with_documents(subject)
    large = "4" * 32
    await namespaces.store_documents({large: b"x" * (DOCUMENTS_BYTES_MAX + 1)})
    await namespaces.apply("n", [put("a"), put("b", large), put("c", TWO), put("d", ONE)])
    await namespaces.apply("n", [SourceChange("a", 4)])
    log = await namespaces.entries("n", documents_max=2)
    assert (log.documents, len(log.entries)) == ({TWO: b"two"}, 4)
    assert (await namespaces.entries("n", documents_max=9)).documents.keys() == {ONE, TWO}
    assert (await namespaces.entries("n", 4, documents_max=9)).documents == {}
    assert (await namespaces.entries("n")).documents == {}


async def a_put_needs_its_document(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    none = "3" * 32
    applied = await namespaces.apply("n", [put("a", none), put("b")])
    assert applied == Applied(1, missing=frozenset({none}))
    assert [each.key for each in (await namespaces.entries("n")).entries] == ["b"]


async def a_put_may_bring_its_document_along(subject: NamespacesSubject) -> None:
    namespaces = subject.namespaces
    changes = [put("a"), put("b", TWO), put("c")]
    documents = {ONE: b"one", TWO: b"two"}
    for _ in range(2):
        applied = await namespaces.apply("n", changes, documents=documents)
        assert applied == Applied(3)
    assert await namespaces.documents([ONE, TWO]) == [b"one", b"two"]
    await namespaces.apply("n", [SourceChange("a", 3), SourceChange("b", 3)], kept_s=0.01)
    await subject.pass_time(0.03)
    assert await namespaces.documents([ONE, TWO]) == [b"one", None]


async def a_document_that_came_along_is_kept_until_nothing_names_it(
    subject: NamespacesSubject,
) -> None:
    namespaces = subject.namespaces
    await namespaces.apply("n", [put("a")], documents={ONE: b"one"})
    await subject.pass_time(0.03)
    there_and_back = [put("a", TWO, base=1), put("a", base=1 << 40)]
    applied = await namespaces.apply("n", there_and_back, documents={TWO: b"two"}, kept_s=0.01)
    assert applied == Applied(3)
    await subject.pass_time(0.03)
    assert await namespaces.documents([ONE, TWO]) == [b"one", None]


async def what_is_refused_leaves_no_document(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    new = "3" * 32
    applied = await namespaces.apply("n", [put("a", new)], documents={new: b"new"})
    assert applied == Applied(1, refused=frozenset({"a"}))
    assert await namespaces.missing([new]) == {new}
    both = [put("a", new), put("b", new)]
    applied = await namespaces.apply("n", both, documents={new: b"new", "4" * 32: b"nobody's"})
    assert applied == Applied(2, refused=frozenset({"a"}))
    assert await namespaces.missing([new, "4" * 32]) == {"4" * 32}


async def a_document_that_comes_along_again_takes_the_place_of_what_is_there(
    subject: NamespacesSubject,
) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a"), put("b", TWO)])
    await namespaces.discard([ONE])
    again = {ONE: b"one", TWO: b"two, as it should be"}
    assert await namespaces.apply("n", [put("a"), put("b", TWO)], documents=again) == Applied(2)
    assert await namespaces.documents([ONE, TWO]) == [*again.values()]
    await namespaces.apply("n", [SourceChange("a", 2)], kept_s=0.01)
    await subject.pass_time(0.03)
    assert await namespaces.missing([ONE, TWO]) == {ONE}


async def a_document_stays_while_anything_names_it(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a"), put("b")])
    await namespaces.apply("m", [put("a")])
    await namespaces.apply("n", [SourceChange("a", 1), SourceChange("b", 2)], kept_s=0.01)
    await subject.pass_time(0.03)
    assert await namespaces.documents([ONE]) == [b"one"]
    await namespaces.apply("m", [SourceChange("a", 1)], kept_s=0.01)
    await subject.pass_time(0.03)
    assert await namespaces.documents([ONE, TWO]) == [None, b"two"]


async def a_document_that_is_named_again_in_time_stays(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.apply("n", [put("a", TWO, base=1)], kept_s=0.05)
    await namespaces.apply("n", [put("b")])
    await subject.pass_time(0.07)
    assert await namespaces.documents([ONE]) == [b"one"]


async def a_source_may_change_its_record_and_keep_its_document(
    subject: NamespacesSubject,
) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    again = put("a", base=1, record=b"")
    assert await namespaces.apply("n", [again], kept_s=0.01) == Applied(2)
    await subject.pass_time(0.03)
    assert await namespaces.documents([ONE]) == [b"one"]
    assert await namespaces.entries("n") == log_of(2, SourceEntry("a", 2, ONE, b""))


async def a_document_that_is_stored_again_stays_named(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.store_documents({ONE: b"one"})
    await namespaces.apply("n", [put("b", TWO), SourceChange("a", 1)], kept_s=0.01)
    await subject.pass_time(0.03)
    assert await namespaces.documents([ONE, TWO]) == [None, b"two"]


async def a_document_that_was_discarded_can_be_stored_again(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.discard([ONE])
    assert await namespaces.missing([ONE, TWO]) == {ONE}
    await namespaces.store_documents({ONE: b"one"})
    assert await namespaces.missing([ONE, TWO]) == set()
    await namespaces.apply("n", [SourceChange("a", 1)], kept_s=0.01)
    await subject.pass_time(0.03)
    assert await namespaces.missing([ONE]) == {ONE}


async def a_namespace_without_sources_is_not_listed_and_keeps_its_version(
    subject: NamespacesSubject,
) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.apply("n", [SourceChange("a", 1)])
    assert (await namespaces.names(), await version_of(namespaces, "n")) == ({}, 2)


async def of_many_that_write_at_once_nothing_is_lost(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await asyncio.gather(
        *(namespaces.apply("n", [put(f"{who}/{at}") for at in range(5)]) for who in range(20))
    )
    log = await namespaces.entries("n")
    assert log.version == len(log.entries) == 100


async def heads_of_several_are_told_at_once(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a"), put("b")])
    await namespaces.apply("m", [put("a")])
    heads = await namespaces.heads(["m", "none", "n"])
    assert [(name, head.version) for name, head in heads.items()] == [
        ("m", 1),
        ("none", 0),
        ("n", 2),
    ]
    for name in heads:
        log = await namespaces.entries(name)
        assert heads[name] == Head(log.version, log.digest)


async def the_digest_is_that_of_the_live_entries(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    chance = random.Random(11)
    for _ in range(60):
        keys = chance.sample(["a", "\0", "b/\u00e9", "1", "11"], chance.randint(1, 3))
        base = chance.choice([0, 1_000, 1_000, 1_000])
        puts = [put(key, chance.choice([ONE, TWO]), base) for key in keys]
        changes = [chance.choice([each, SourceChange(each.key, base)]) for each in puts]
        await namespaces.apply("n", changes)
        log = await namespaces.entries("n")
        assert log.digest == digest_of(log.entries)
    assert log.version > 40


async def a_write_wakes_those_who_wait(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    feeds = [await namespaces.feed() for _ in range(2)]
    waits = [asyncio.create_task(feed.wait(20.0)) for feed in feeds]
    await asyncio.sleep(0)
    await namespaces.apply("n", [put("a")])
    assert await asyncio.gather(*waits) == [{"n"}, {"n"}]
    for feed in feeds:
        await feed.close()


async def what_is_written_between_two_waits_is_heard_of_by_the_next(
    subject: NamespacesSubject,
) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("before", [put("a")])
    feed = await namespaces.feed()
    await namespaces.apply("n", [put("a")])
    assert await feed.wait(20.0) == {"n"}
    for name in ("m", "n", "m"):
        await namespaces.apply(name, [put("b", base=100, record=name.encode())])
    assert await feed.wait(20.0) == {"m", "n"}
    assert await feed.wait(0.0) == set()
    await feed.close()


async def what_changes_nothing_wakes_nobody(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    feed = await namespaces.feed()
    nothing = [[], [put("a")], [put("a", TWO)], [put("b", "3" * 32)], [SourceChange("c", 0)]]
    for changes in nothing:
        await namespaces.apply("n", changes)
    assert await feed.wait(0.01) == set()
    await feed.close()


async def a_wait_that_is_cancelled_takes_nothing_along(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    feed = await namespaces.feed()
    wait = asyncio.create_task(feed.wait(20.0))
    await asyncio.sleep(0)
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)
    await namespaces.apply("n", [put("a")])
    assert await feed.wait(20.0) == {"n"}
    assert wait.cancelled()
    await feed.close()


async def a_feed_that_is_closed_says_so(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    feed = await namespaces.feed()
    await feed.close()
    await namespaces.apply("n", [put("a")])
    with pytest.raises(StoreUnavailable, match="has been closed here"):
        await feed.wait(20.0)


PROMISES: tuple[Promise, ...] = (
    a_put_is_an_entry_and_the_next_version,
    nothing_written_is_version_zero,
    namespaces_know_nothing_of_each_other,
    a_repeated_change_changes_nothing,
    a_change_of_what_another_has_changed_is_refused,
    a_removal_does_not_come_back,
    what_is_newer_than_a_version_brings_up_to_date,
    entries_are_complete_where_there_are_many,
    some_documents_come_along_with_the_entries_that_name_them,
    a_put_needs_its_document,
    a_put_may_bring_its_document_along,
    a_document_that_came_along_is_kept_until_nothing_names_it,
    what_is_refused_leaves_no_document,
    a_document_that_comes_along_again_takes_the_place_of_what_is_there,
    a_document_stays_while_anything_names_it,
    a_document_that_is_named_again_in_time_stays,
    a_source_may_change_its_record_and_keep_its_document,
    a_document_that_is_stored_again_stays_named,
    a_document_that_was_discarded_can_be_stored_again,
    a_namespace_without_sources_is_not_listed_and_keeps_its_version,
    of_many_that_write_at_once_nothing_is_lost,
    heads_of_several_are_told_at_once,
    the_digest_is_that_of_the_live_entries,
    a_write_wakes_those_who_wait,
    what_is_written_between_two_waits_is_heard_of_by_the_next,
    what_changes_nothing_wakes_nobody,
    a_wait_that_is_cancelled_takes_nothing_along,
    a_feed_that_is_closed_says_so,
)
