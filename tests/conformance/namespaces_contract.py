"""What every `cluster.memory.namespaces.port.Namespaces` promises, as checks for each of them.

`tests/conformance/test_namespaces.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cluster.memory.namespaces.port import Applied, Namespaces, SourceChange, SourceEntry

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


async def a_put_is_an_entry_and_the_next_version(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    assert await namespaces.apply("n", [put("a"), put("b", TWO, record=b"\0\xff")]) == Applied(2)
    assert await namespaces.entries("n") == (
        2,
        [SourceEntry("a", 1, ONE, b"r"), SourceEntry("b", 2, TWO, b"\0\xff")],
    )
    assert await namespaces.version("n") == 2


async def nothing_written_is_version_zero(subject: NamespacesSubject) -> None:
    assert await subject.namespaces.entries("n") == (0, [])
    assert await subject.namespaces.version("n") == 0
    assert await subject.namespaces.names() == {}
    assert await subject.namespaces.apply("n", []) == Applied(0)
    assert await subject.namespaces.names() == {}


async def namespaces_know_nothing_of_each_other(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await namespaces.apply("n", [put("a")])
    await namespaces.apply("n:a", [put("a", TWO)])
    assert [each.document for each in (await namespaces.entries("n"))[1]] == [ONE]
    assert (await namespaces.names()).keys() == {"n", "n:a"}
    assert await namespaces.version("n:") == 0


async def a_repeated_change_changes_nothing(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    for _ in range(3):
        assert await namespaces.apply("n", [put("a")]) == Applied(1)
    for _ in range(3):
        assert await namespaces.apply("n", [SourceChange("a", 1)]) == Applied(2)
    assert await namespaces.entries("n") == (2, [SourceEntry("a", 2, "", b"")])


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
    version, newer = await namespaces.entries("n", after=3)
    assert (version, [(each.key, each.document) for each in newer]) == (5, [("b", ""), ("a", TWO)])
    assert await namespaces.entries("n", after=5) == (5, [])


async def entries_are_complete_where_there_are_many(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    for start in range(0, 2_500, 500):
        await namespaces.apply("n", [put(f"{at}") for at in range(start, start + 500)])
    version, entries = await namespaces.entries("n")
    assert (version, [each.version for each in entries]) == (2_500, list(range(1, 2_501)))


async def a_put_needs_its_document(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    none = "3" * 32
    applied = await namespaces.apply("n", [put("a", none), put("b")])
    assert applied == Applied(1, missing=frozenset({none}))
    assert [each.key for each in (await namespaces.entries("n"))[1]] == ["b"]


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
    assert await namespaces.entries("n") == (2, [SourceEntry("a", 2, ONE, b"")])


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
    assert (await namespaces.names(), await namespaces.version("n")) == ({}, 2)


async def of_many_that_write_at_once_nothing_is_lost(subject: NamespacesSubject) -> None:
    namespaces = await with_documents(subject)
    await asyncio.gather(
        *(namespaces.apply("n", [put(f"{who}/{at}") for at in range(5)]) for who in range(20))
    )
    version, entries = await namespaces.entries("n")
    assert version == len(entries) == 100


PROMISES: tuple[Promise, ...] = (
    a_put_is_an_entry_and_the_next_version,
    nothing_written_is_version_zero,
    namespaces_know_nothing_of_each_other,
    a_repeated_change_changes_nothing,
    a_change_of_what_another_has_changed_is_refused,
    a_removal_does_not_come_back,
    what_is_newer_than_a_version_brings_up_to_date,
    entries_are_complete_where_there_are_many,
    a_put_needs_its_document,
    a_document_stays_while_anything_names_it,
    a_document_that_is_named_again_in_time_stays,
    a_source_may_change_its_record_and_keep_its_document,
    a_document_that_is_stored_again_stays_named,
    a_document_that_was_discarded_can_be_stored_again,
    a_namespace_without_sources_is_not_listed_and_keeps_its_version,
    of_many_that_write_at_once_nothing_is_lost,
)
