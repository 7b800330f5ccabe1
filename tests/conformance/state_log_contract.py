"""What every `cluster.memory.state.port.StateLog` promises, as checks for each of them.

`tests/conformance/test_state_log.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from cluster.kernel.errors import Overloaded, StaleEpoch, StateDeleted, UsageError
from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.memory.state.entries import (
    Appended,
    Begun,
    LogEntry,
    LogHead,
    LogPage,
    LogSnapshot,
    PendingEdit,
    StepKey,
)
from cluster.memory.state.limits import (
    APPEND_BYTES_MAX,
    APPEND_EDITS_MAX,
    EDIT_BYTES_MAX,
    HISTORY_BYTES_MAX,
    HISTORY_MAX,
    LOG_BYTES_MAX,
    PAGE_BYTES_MAX,
    PAGE_ENTRIES_MAX,
    SNAPSHOT_BYTES_MAX,
)
from cluster.memory.state.port import StateLog
from cluster.memory.store.port import Store

TASK = TaskId("task")
STEP, OTHER_STEP = StepId("r1"), StepId("c1")
DOCUMENT, OTHER = "task/task/Board/", "cluster/Board/"
FIRST = StepKey(TASK, STEP, 1)
PERSON = StepKey(NO_TASK, StepId("person/1"))
LARGE = b"x" * EDIT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class StateLogSubject:
    """A log to be judged, and a way to let time pass for it."""

    log: StateLog
    store: Store
    """The one beside it, where the marks of steps are."""
    pass_time: Callable[[float], Awaitable[None]]


Promise = Callable[[StateLogSubject], Awaitable[None]]


def edit(ordinal: int, data: bytes = b"") -> PendingEdit:
    return PendingEdit(ordinal, data or f"{ordinal}".encode())


async def write(log: StateLog, *datas: bytes, start: int = 1, step: StepKey = PERSON) -> LogHead:
    """Write edits to the document, each in an append of its own."""
    for ordinal, data in enumerate(datas, start):
        await log.append(DOCUMENT, step, [PendingEdit(ordinal, data)])
    return (await log.heads([DOCUMENT]))[DOCUMENT]


async def all_of(log: StateLog, document: str = DOCUMENT, after: int = 0) -> list[bytes]:
    """Read page after page, a snapshot as if it were an entry."""
    found: list[bytes] = []
    while True:
        page = await log.read(document, after)
        found += [page.snapshot.data] if page.snapshot else []
        found += [each.data for each in page.entries]
        after = page.entries[-1].version if page.entries else page.head.version
        if after >= page.head.version:
            return found


async def an_edit_is_an_entry_and_the_next_version(subject: StateLogSubject) -> None:
    log = subject.log
    assert await log.append(DOCUMENT, FIRST, [edit(1, b"\0\xff"), edit(2)]) == Appended(2, 2)
    assert await log.append(DOCUMENT, PERSON, [edit(1, b"p")]) == Appended(3, 1)
    page = await log.read(DOCUMENT)
    assert page.entries == (LogEntry(1, b"\0\xff"), LogEntry(2, b"2"), LogEntry(3, b"p"))
    assert (page.head.version, page.snapshot) == (3, None)
    assert await log.heads([DOCUMENT]) == {DOCUMENT: page.head}


async def nothing_written_is_version_zero(subject: StateLogSubject) -> None:
    log = subject.log
    nothing = LogPage(LogHead(0, 0), 0, None, ())
    assert await log.read(DOCUMENT) == await log.history(DOCUMENT) == nothing
    assert await log.heads([DOCUMENT]) == {DOCUMENT: LogHead(0, 0)}
    assert (await log.heads([]), await log.names()) == ({}, [])
    assert await log.delete(DOCUMENT) == LogHead(0, 0)
    assert await log.put_snapshot(DOCUMENT, 0, LogSnapshot(0, b"")) is False
    await log.settle(TASK, STEP)


async def documents_know_nothing_of_each_other(subject: StateLogSubject) -> None:
    log = subject.log
    await log.append(DOCUMENT, FIRST, [edit(1)])
    await log.append(OTHER, FIRST, [edit(1, b"other")])
    assert await all_of(log, OTHER) == [b"other"]
    heads = await log.heads([OTHER, "none", DOCUMENT])
    assert [(name, head.version) for name, head in heads.items()] == [
        (OTHER, 1),
        ("none", 0),
        (DOCUMENT, 1),
    ]


async def a_repeated_append_writes_nothing(subject: StateLogSubject) -> None:
    log = subject.log
    for added in (2, 0, 0):
        assert await log.append(DOCUMENT, FIRST, [edit(1), edit(2)]) == Appended(2, added)
    await log.append(DOCUMENT, PERSON, [edit(1, b"p")])
    assert await log.append(DOCUMENT, FIRST, [edit(1), edit(2)]) == Appended(2, 0)
    assert await all_of(log) == [b"1", b"2", b"p"]


async def of_an_append_that_is_repeated_with_more_only_that_is_new(
    subject: StateLogSubject,
) -> None:
    log = subject.log
    await log.append(DOCUMENT, FIRST, [edit(1)])
    await log.append(DOCUMENT, PERSON, [edit(1, b"p")])
    assert await log.append(DOCUMENT, FIRST, [edit(1), edit(2)]) == Appended(3, 1)
    assert await log.append(DOCUMENT, FIRST, [edit(1)]) == Appended(3, 0)
    assert await all_of(log) == [b"1", b"p", b"2"]


async def each_begin_is_the_next_generation(subject: StateLogSubject) -> None:
    log = subject.log
    assert [await log.begin(TASK, STEP) for _ in range(3)] == [
        Begun(each, ()) for each in (1, 2, 3)
    ]
    assert await log.begin(TASK, OTHER_STEP) == Begun(1, ())
    assert await log.begin(TaskId("other"), STEP) == Begun(1, ())


async def a_new_attempt_is_told_what_earlier_ones_have_written_to(
    subject: StateLogSubject,
) -> None:
    log = subject.log
    await log.begin(TASK, STEP)
    for document in (DOCUMENT, OTHER, DOCUMENT):
        await log.append(document, FIRST, [edit(1)])
    await log.append("third", StepKey(TASK, OTHER_STEP), [edit(1)])
    assert await log.begin(TASK, STEP) == Begun(2, (DOCUMENT, OTHER))
    await log.append("fourth", StepKey(TASK, STEP, 2), [edit(1)])
    assert await log.begin(TASK, STEP) == Begun(3, (DOCUMENT, OTHER, "fourth"))


async def an_attempt_that_has_a_later_one_writes_nothing(subject: StateLogSubject) -> None:
    log = subject.log
    await log.begin(TASK, STEP)
    await log.append(DOCUMENT, FIRST, [edit(1)])
    await log.begin(TASK, STEP)
    for late in ([edit(1)], [edit(2)]):
        with pytest.raises(StaleEpoch, match=STEP):
            await log.append(DOCUMENT, FIRST, late)
    with pytest.raises(StaleEpoch):
        await log.append(OTHER, FIRST, [edit(1)])
    assert (await all_of(log), await log.names()) == ([b"1"], [DOCUMENT])


async def a_new_attempt_counts_its_edits_anew(subject: StateLogSubject) -> None:
    log = subject.log
    await log.append(DOCUMENT, FIRST, [edit(1), edit(2)])
    await log.begin(TASK, STEP)
    again = StepKey(TASK, STEP, (await log.begin(TASK, STEP)).generation)
    assert await log.append(DOCUMENT, again, [edit(1, b"again")]) == Appended(3, 1)
    assert await all_of(log) == [b"1", b"2", b"again"]


async def an_attempt_that_the_store_knows_nothing_of_counts_as_begun(
    subject: StateLogSubject,
) -> None:
    log = subject.log
    assert await log.append(DOCUMENT, StepKey(TASK, STEP, 7), [edit(1)]) == Appended(1, 1)
    with pytest.raises(StaleEpoch):
        await log.append(DOCUMENT, StepKey(TASK, STEP, 6), [edit(1)])
    assert await log.begin(TASK, STEP) == Begun(8, (DOCUMENT,))


async def what_is_newer_than_a_version_brings_up_to_date(subject: StateLogSubject) -> None:
    log = subject.log
    head = await write(log, b"1", b"2", b"3")
    assert (await log.read(DOCUMENT, 2)).entries == (LogEntry(3, b"3"),)
    assert await log.read(DOCUMENT, 3) == LogPage(head, 3, None, ())
    assert await log.read(DOCUMENT, 9) == LogPage(head, 3, None, ())


async def a_long_log_comes_in_pages_of_bounded_size(subject: StateLogSubject) -> None:
    log = subject.log
    large = PAGE_BYTES_MAX // EDIT_BYTES_MAX
    await write(log, *[LARGE] * large)
    for start in range(large + 1, large + PAGE_ENTRIES_MAX + 10, 10):
        await log.append(DOCUMENT, PERSON, [edit(start + at) for at in range(10)])
    assert len((await log.read(DOCUMENT)).entries) == large
    assert len((await log.read(DOCUMENT, large)).entries) == PAGE_ENTRIES_MAX
    assert len(await all_of(log)) == large + PAGE_ENTRIES_MAX + 10


async def a_snapshot_stands_for_what_is_up_to_it(subject: StateLogSubject) -> None:
    log = subject.log
    head = await write(log, b"1", b"2", b"3")
    snapshot = LogSnapshot(2, b"1 and 2")
    assert await log.put_snapshot(DOCUMENT, head.incarnation, snapshot)
    page = LogPage(head, 3, snapshot, (LogEntry(3, b"3"),))
    assert await log.read(DOCUMENT) == await log.read(DOCUMENT, 1) == page
    assert await log.read(DOCUMENT, 2) == LogPage(head, 3, None, (LogEntry(3, b"3"),))
    assert await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(3, b"all"))
    assert await all_of(log) == [b"all"]
    assert (await write(log, b"4", start=4)).version == 4
    assert await all_of(log) == [b"all", b"4"]


async def a_snapshot_goes_forward_only_and_not_beyond_the_log(subject: StateLogSubject) -> None:
    log = subject.log
    head = await write(log, b"1", b"2", b"3")
    assert await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(2, b"first"))
    for version in (0, 1, 2, 4):
        assert not await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(version, b"x"))
    assert not await log.put_snapshot(DOCUMENT, head.incarnation + 1, LogSnapshot(3, b"x"))
    assert await all_of(log) == [b"first", b"3"]


async def no_snapshot_stands_for_what_can_be_withdrawn(subject: StateLogSubject) -> None:
    log = subject.log
    await log.begin(TASK, STEP)
    await write(log, b"a")
    await log.append(DOCUMENT, FIRST, [edit(1)])
    head = await write(log, b"b", start=2)
    assert (await log.read(DOCUMENT)).settled == 1
    assert not await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(2, b"x"))
    assert await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(1, b"a"))
    await log.begin(TASK, STEP)
    assert (await log.read(DOCUMENT)).settled == 1
    await log.append(DOCUMENT, StepKey(TASK, STEP, 2), [edit(1)])
    assert (await log.read(DOCUMENT)).settled == 3, "the first attempt is withdrawn for good"
    await log.settle(TASK, STEP)
    assert (await log.read(DOCUMENT)).settled == 4
    assert await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(4, b"x"))


async def a_step_is_settled_in_all_that_it_has_written_to(subject: StateLogSubject) -> None:
    log = subject.log
    for document in (DOCUMENT, OTHER):
        await log.append(document, FIRST, [edit(1)])
        await log.append(document, StepKey(TASK, OTHER_STEP), [edit(1)])
    await log.settle(TASK, STEP)
    assert [(await log.read(each)).settled for each in (DOCUMENT, OTHER)] == [1, 1]
    await log.settle(TASK, OTHER_STEP)
    assert [(await log.read(each)).settled for each in (DOCUMENT, OTHER)] == [2, 2]


async def what_a_snapshot_stands_for_is_history(subject: StateLogSubject) -> None:
    log = subject.log
    head = await write(log, b"1", b"2", b"3")
    await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(2, b"x"))
    entries = LogEntry(1, b"1"), LogEntry(2, b"2"), LogEntry(3, b"3")
    assert await log.history(DOCUMENT) == LogPage(head, 3, None, entries)
    assert (await log.history(DOCUMENT, 1)).entries == entries[1:]


async def the_history_is_bounded_in_its_length(subject: StateLogSubject) -> None:
    log = subject.log
    count = HISTORY_MAX + 50
    for start in range(1, count, 50):
        await log.append(DOCUMENT, PERSON, [edit(start + at) for at in range(50)])
    incarnation = (await log.heads([DOCUMENT]))[DOCUMENT].incarnation
    await log.put_snapshot(DOCUMENT, incarnation, LogSnapshot(count - 5, b"x"))
    oldest = count - 5 - HISTORY_MAX + 1
    page = await log.history(DOCUMENT)
    assert page.entries[0].version == oldest
    assert len((await log.history(DOCUMENT, count - 3)).entries) == 3
    assert len(await all_of(log)) == 6


async def the_history_is_bounded_in_its_size(subject: StateLogSubject) -> None:
    log = subject.log
    fit = HISTORY_BYTES_MAX // EDIT_BYTES_MAX
    head = await write(log, b"small", *[LARGE] * (fit + 2))
    await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(fit + 2, b"x"))
    kept = [each.version for each in (await log.history(DOCUMENT)).entries]
    assert kept[0] == 3
    assert await all_of(log) == [b"x", LARGE]


async def a_snapshot_makes_room_in_a_log_that_is_full(subject: StateLogSubject) -> None:
    log = subject.log
    fit = LOG_BYTES_MAX // EDIT_BYTES_MAX
    head = await write(log, *[LARGE] * fit)
    with pytest.raises(Overloaded, match=DOCUMENT):
        await log.append(DOCUMENT, PERSON, [edit(fit + 1)])
    assert (await log.heads([DOCUMENT]))[DOCUMENT].version == fit
    assert (await log.append(DOCUMENT, PERSON, [edit(fit + 1)], is_upkeep=True)).added == 1
    await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(2, b"x"))
    assert await log.append(DOCUMENT, PERSON, [edit(fit + 2, LARGE)]) == Appended(fit + 2, 1)


async def what_is_too_large_or_out_of_order_is_refused(subject: StateLogSubject) -> None:
    log = subject.log
    bad: tuple[list[PendingEdit], ...] = (
        [],
        [edit(0)],
        [edit(2), edit(2)],
        [edit(2), edit(1)],
        [edit(1, LARGE + b"x")],
        [edit(each, LARGE) for each in range(1, APPEND_BYTES_MAX // EDIT_BYTES_MAX + 2)],
        [edit(each) for each in range(1, APPEND_EDITS_MAX + 2)],
    )
    for edits in bad:
        with pytest.raises(UsageError, match=DOCUMENT):
            await log.append(DOCUMENT, PERSON, edits)
    with pytest.raises(UsageError, match="time to live"):
        await log.append(DOCUMENT, PERSON, [edit(1)], ttl_s=0.0)
    large = LogSnapshot(1, b"x" * (SNAPSHOT_BYTES_MAX + 1))
    with pytest.raises(UsageError, match=DOCUMENT):
        await log.put_snapshot(DOCUMENT, 0, large)
    assert await log.names() == []


async def a_deleted_document_takes_nothing_and_its_version_goes_on(
    subject: StateLogSubject,
) -> None:
    log = subject.log
    head = await write(log, b"1", b"2")
    await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(1, b"x"))
    gone = LogHead(3, head.incarnation, is_deleted=True)
    assert await log.delete(DOCUMENT) == await log.delete(DOCUMENT) == gone
    assert await log.read(DOCUMENT) == LogPage(gone, 3, None, ())
    assert (await log.history(DOCUMENT)).entries == ()
    with pytest.raises(StateDeleted, match=DOCUMENT):
        await log.append(DOCUMENT, FIRST, [edit(1)])
    assert not await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(3, b"x"))
    assert (await log.heads([DOCUMENT]), await log.names()) == ({DOCUMENT: gone}, [])


async def a_document_lives_as_long_as_it_is_said_to(subject: StateLogSubject) -> None:
    log = subject.log
    await log.append(DOCUMENT, FIRST, [edit(1)], ttl_s=0.3)
    await log.append(OTHER, FIRST, [edit(1)])
    before = (await log.heads([DOCUMENT]))[DOCUMENT]
    await log.append(DOCUMENT, FIRST, [edit(2)])
    await subject.pass_time(0.35)
    assert await log.read(DOCUMENT) == LogPage(LogHead(0, 0), 0, None, ())
    assert await log.names() == [OTHER]
    assert await log.append(DOCUMENT, FIRST, [edit(2), edit(3)]) == Appended(2, 2)
    assert (await log.heads([DOCUMENT]))[DOCUMENT].incarnation > before.incarnation
    await subject.pass_time(0.35)
    assert await all_of(log) == [b"2", b"3"]


async def an_append_may_prolong_a_life(subject: StateLogSubject) -> None:
    log = subject.log
    await log.append(DOCUMENT, FIRST, [edit(1)], ttl_s=0.3)
    await log.append(DOCUMENT, FIRST, [edit(2)], ttl_s=20.0)
    await subject.pass_time(0.35)
    assert await all_of(log) == [b"1", b"2"]


async def a_task_that_has_ended_writes_nothing(subject: StateLogSubject) -> None:
    log = subject.log
    await log.begin(TASK, STEP)
    await log.append(OTHER, FIRST, [edit(1)])
    await log.expire(TASK, 20.0)
    assert (await log.read(OTHER)).settled == 1
    for document in (DOCUMENT, OTHER):
        with pytest.raises(StaleEpoch):
            await log.append(document, FIRST, [edit(2)])
    with pytest.raises(StaleEpoch, match=TASK):
        await log.begin(TASK, STEP)
    assert await log.names() == [OTHER]


async def the_documents_of_a_task_that_has_ended_are_kept_for_a_while(
    subject: StateLogSubject,
) -> None:
    log = subject.log
    await log.append(DOCUMENT, FIRST, [edit(1)])
    await log.append(OTHER, FIRST, [edit(1)])
    await log.append("task/task2/Board/", PERSON, [edit(1)])
    await log.expire(TASK, 20.0)
    await log.append(DOCUMENT, PERSON, [edit(1)])
    assert await all_of(log) == [b"1", b"1"]
    await log.expire(TASK, 0.02)
    await subject.pass_time(0.03)
    assert await log.names() == [OTHER, "task/task2/Board/"]
    assert (await log.read(OTHER)).settled == 1


async def names_are_found_by_what_they_begin_with(subject: StateLogSubject) -> None:
    log = subject.log
    names = sorted(f"{room}/{each}" for room in ("a", "b*", "\u00e9") for each in range(700))
    for name in names:
        await log.append(name, PERSON, [edit(1)])
    assert await log.names() == names
    assert await log.names("b*/1") == [each for each in names if each.startswith("b*/1")]
    assert len(await log.names("\u00e9")) == 700
    assert await log.names("c") == []


async def of_many_that_write_at_once_nothing_is_lost(subject: StateLogSubject) -> None:
    log = subject.log

    async def work(who: int) -> list[int]:
        step = StepKey(TASK, StepId(f"s{who}"))
        return [
            (await log.append(DOCUMENT, step, [edit(at, b"%d/%d" % (who, at))])).version
            for at in range(1, 6)
        ]

    versions = await asyncio.gather(*map(work, range(20)))
    assert sorted(each for some in versions for each in some) == list(range(1, 101))
    written = {b"%d/%d" % (who, at) for who in range(20) for at in range(1, 6)}
    assert set(await all_of(log)) == written


async def what_is_meant_for_an_earlier_document_is_not_written(subject: StateLogSubject) -> None:
    log = subject.log
    earlier = (await log.append(DOCUMENT, FIRST, [edit(1)], ttl_s=0.05)).incarnation
    assert (await log.append(DOCUMENT, FIRST, [edit(2)], incarnation=earlier)).version == 2
    await subject.pass_time(0.06)
    assert await log.append(DOCUMENT, PERSON, [edit(1)], incarnation=earlier) == Appended(0, 0)
    begun = await log.append(DOCUMENT, PERSON, [edit(1)])
    assert await log.append(DOCUMENT, PERSON, [edit(2)], incarnation=earlier) == Appended(0, 0)
    assert (await log.heads([DOCUMENT]))[DOCUMENT] == LogHead(1, begun.incarnation)


async def what_is_written_or_deleted_wakes_those_who_wait(subject: StateLogSubject) -> None:
    log = subject.log
    feeds = [await log.feed() for _ in range(2)]
    waits = [asyncio.create_task(feed.wait(20.0)) for feed in feeds]
    await asyncio.sleep(0)
    await log.append(DOCUMENT, FIRST, [edit(1)])
    assert await asyncio.gather(*waits) == [{DOCUMENT}, {DOCUMENT}]
    await log.append(OTHER, FIRST, [edit(1)])
    await log.delete(DOCUMENT)
    assert await feeds[0].wait(20.0) == {DOCUMENT, OTHER}
    for feed in feeds:
        await feed.close()


async def what_changes_nothing_wakes_nobody(subject: StateLogSubject) -> None:
    log = subject.log
    head = await write(log, b"1")
    feed = await log.feed()
    await write(log, b"1")
    await log.put_snapshot(DOCUMENT, head.incarnation, LogSnapshot(1, b"x"))
    await log.delete(OTHER)
    await log.begin(TASK, STEP)
    await log.expire(TASK, 20.0)
    assert await feed.wait(0.01) == set()
    await feed.close()


PROMISES: tuple[Promise, ...] = (
    an_edit_is_an_entry_and_the_next_version,
    nothing_written_is_version_zero,
    documents_know_nothing_of_each_other,
    a_repeated_append_writes_nothing,
    of_an_append_that_is_repeated_with_more_only_that_is_new,
    each_begin_is_the_next_generation,
    a_new_attempt_is_told_what_earlier_ones_have_written_to,
    an_attempt_that_has_a_later_one_writes_nothing,
    a_new_attempt_counts_its_edits_anew,
    an_attempt_that_the_store_knows_nothing_of_counts_as_begun,
    what_is_newer_than_a_version_brings_up_to_date,
    a_long_log_comes_in_pages_of_bounded_size,
    a_snapshot_stands_for_what_is_up_to_it,
    a_snapshot_goes_forward_only_and_not_beyond_the_log,
    no_snapshot_stands_for_what_can_be_withdrawn,
    a_step_is_settled_in_all_that_it_has_written_to,
    what_a_snapshot_stands_for_is_history,
    the_history_is_bounded_in_its_length,
    the_history_is_bounded_in_its_size,
    a_snapshot_makes_room_in_a_log_that_is_full,
    what_is_too_large_or_out_of_order_is_refused,
    a_deleted_document_takes_nothing_and_its_version_goes_on,
    a_document_lives_as_long_as_it_is_said_to,
    an_append_may_prolong_a_life,
    a_task_that_has_ended_writes_nothing,
    the_documents_of_a_task_that_has_ended_are_kept_for_a_while,
    names_are_found_by_what_they_begin_with,
    of_many_that_write_at_once_nothing_is_lost,
    what_is_meant_for_an_earlier_document_is_not_written,
    what_is_written_or_deleted_wakes_those_who_wait,
    what_changes_nothing_wakes_nobody,
)
