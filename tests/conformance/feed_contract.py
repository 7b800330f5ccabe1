"""What every `cluster.memory.feed.port.TaskFeed` promises, as checks that run against each.

`tests/conformance/test_feed.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from cluster.kernel.errors import StaleEpoch, StoreUnavailable, UsageError
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import TaskId
from cluster.memory.feed.port import (
    ENTRIES_MAX,
    FeedEntry,
    FeedPage,
    FeedTail,
    TaskFeed,
)

Promise = Callable[[TaskFeed], Awaitable[None]]

TASK = TaskId("0" * 32)
OTHER = TaskId("1" * 32)
SOON_S = 0.02
LONG_S = 60.0


def page(*entries: tuple[int, int, bytes], trimmed: Cursor = BEFORE_ALL) -> FeedPage:
    """Return a page of entries, each given as term, number and event."""
    return FeedPage(
        tuple(FeedEntry(Cursor(term, number), event) for term, number, event in entries), trimmed
    )


async def entries_come_back_in_order_after_any_cursor(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    await feed.append(TASK, Cursor(1, 2), [b"two", b"three"], index=1)
    assert await feed.read(TASK, BEFORE_ALL, 10) == page(
        (1, 1, b"one"), (1, 2, b"two"), (1, 3, b"three")
    )
    assert await feed.read(TASK, Cursor(1, 2), 10) == page((1, 3, b"three"))
    assert await feed.read(TASK, BEFORE_ALL, 2) == page((1, 1, b"one"), (1, 2, b"two"))
    for after in (Cursor(1, 3), Cursor(1, 99), Cursor(2, 0)):
        assert await feed.read(TASK, after, 10) == page()


async def an_event_is_any_bytes(feed: TaskFeed) -> None:
    events = [b"", b"\0\r\n\0", bytes(range(256)), b"x" * 2**20]
    await feed.append(TASK, Cursor(1, 1), events, index=0)
    read = await feed.read(TASK, BEFORE_ALL, 10)
    assert [each.event for each in read.entries] == events


async def a_feed_that_nobody_has_written_is_empty(feed: TaskFeed) -> None:
    assert await feed.tail(TASK) == FeedTail()
    assert await feed.read(TASK, BEFORE_ALL, 10) == page()
    await feed.forget(TASK)


async def tasks_do_not_touch_each_other(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1, is_final=True)
    await feed.append(OTHER, Cursor(4, 1), [b"another"], index=7)
    assert await feed.read(TASK, BEFORE_ALL, 10) == page((1, 1, b"one"))
    assert await feed.tail(OTHER) == FeedTail(Cursor(4, 1), 7, is_final=False)
    await feed.forget(OTHER)
    assert await feed.tail(OTHER) == FeedTail()
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 1), 1, is_final=True)


async def an_older_term_is_refused_as_soon_as_a_later_one_has_begun(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    for _ in range(2):
        assert await feed.begin_term(TASK, 2) == FeedTail(Cursor(1, 1), 1)
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    for late in (feed.append(TASK, Cursor(1, 2), [b"two"], index=2), feed.begin_term(TASK, 1)):
        with pytest.raises(StaleEpoch):
            await late
    await feed.append(TASK, Cursor(2, 1), [b"two"], index=2, is_final=True)
    assert await feed.begin_term(TASK, 3) == FeedTail(Cursor(2, 1), 2, is_final=True)
    assert await feed.read(TASK, BEFORE_ALL, 10) == page((1, 1, b"one"), (2, 1, b"two"))


async def a_term_may_begin_before_anything_was_written(feed: TaskFeed) -> None:
    assert await feed.begin_term(TASK, 3) == FeedTail()
    with pytest.raises(StaleEpoch):
        await feed.append(TASK, Cursor(2, 1), [b"late"], index=1)
    await feed.append(TASK, Cursor(3, 1), [b"one"], index=1)
    assert await feed.tail(TASK) == FeedTail(Cursor(3, 1), 1)


async def the_tail_is_the_last_entry_and_the_highest_index(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one", b"two"], index=5)
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 2), 5)
    await feed.append(TASK, Cursor(1, 3), [b"three"], index=4)
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 3), 5)
    await feed.append(TASK, Cursor(3, 1), [b"end"], index=6, is_final=True)
    assert await feed.tail(TASK) == FeedTail(Cursor(3, 1), 6, is_final=True)


async def a_repeated_append_changes_nothing(feed: TaskFeed) -> None:
    for _ in range(3):
        await feed.append(TASK, Cursor(1, 1), [b"one", b"two"], index=1)
    await feed.append(TASK, Cursor(1, 3), [b"three"], index=2)
    await feed.append(TASK, Cursor(1, 1), [b"one", b"two"], index=1)
    for _ in range(2):
        await feed.append(TASK, Cursor(1, 4), [b"end"], index=3, is_final=True)
    await feed.append(TASK, Cursor(1, 3), [b"three"], index=2)
    assert await feed.read(TASK, BEFORE_ALL, 10) == page(
        (1, 1, b"one"), (1, 2, b"two"), (1, 3, b"three"), (1, 4, b"end")
    )
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 4), 3, is_final=True)


async def a_later_term_fences_the_older_off(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    await feed.append(TASK, Cursor(3, 1), [b"two"], index=2)
    for first in (Cursor(1, 1), Cursor(1, 2), Cursor(2, 1)):
        with pytest.raises(StaleEpoch, match=TASK):
            await feed.append(TASK, first, [b"late"], index=9, is_final=True)
    await feed.append(TASK, Cursor(3, 2), [b"three"], index=3)
    assert await feed.read(TASK, BEFORE_ALL, 10) == page(
        (1, 1, b"one"), (3, 1, b"two"), (3, 2, b"three")
    )
    assert await feed.read(TASK, Cursor(1, 99), 10) == page((3, 1, b"two"), (3, 2, b"three"))
    assert await feed.tail(TASK) == FeedTail(Cursor(3, 2), 3)


async def nothing_follows_the_end(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"end"], index=1, is_final=True)
    for first in (Cursor(1, 2), Cursor(2, 1)):
        with pytest.raises(StaleEpoch, match=TASK):
            await feed.append(TASK, first, [b"more"], index=2)
    assert await feed.read(TASK, BEFORE_ALL, 10) == page((1, 1, b"end"))


async def an_append_that_leaves_a_gap_is_refused(feed: TaskFeed) -> None:
    with pytest.raises(UsageError, match=TASK):
        await feed.append(TASK, Cursor(1, 2), [b"two"], index=1)
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    for first in (Cursor(1, 3), Cursor(2, 2), Cursor(1, 100)):
        with pytest.raises(UsageError, match=str(first)):
            await feed.append(TASK, first, [b"late"], index=2, is_final=True)
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 1), 1)


async def an_append_that_repeats_only_in_part_is_refused(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one", b"two"], index=1)
    with pytest.raises(UsageError, match=TASK):
        await feed.append(TASK, Cursor(1, 2), [b"two", b"three"], index=2)
    assert await feed.tail(TASK) == FeedTail(Cursor(1, 2), 1)


async def an_append_of_nothing_or_nowhere_is_a_usage_error(feed: TaskFeed) -> None:
    for first, entries in (
        (Cursor(1, 1), []),
        (Cursor(0, 1), [b"one"]),
        (Cursor(1, 0), [b"one"]),
        (BEFORE_ALL, [b"one"]),
    ):
        with pytest.raises(UsageError, match=TASK):
            await feed.append(TASK, first, entries, index=0)
    assert await feed.tail(TASK) == FeedTail()


async def the_oldest_go_first_and_the_last_of_them_is_known(feed: TaskFeed) -> None:
    events = [b"%d" % number for number in range(1, 1001)]
    for number in range(0, ENTRIES_MAX, 1000):
        await feed.append(TASK, Cursor(1, number + 1), events, index=0)
    assert (await feed.read(TASK, BEFORE_ALL, 1)).trimmed == BEFORE_ALL
    await feed.append(TASK, Cursor(2, 1), [b"a", b"b", b"c"], index=1)
    trimmed = Cursor(1, 3)
    assert await feed.read(TASK, BEFORE_ALL, 1) == page((1, 4, b"4"), trimmed=trimmed)
    assert await feed.read(TASK, trimmed, 1) == page((1, 4, b"4"), trimmed=trimmed)
    assert await feed.read(TASK, Cursor(2, 3), 1) == page(trimmed=trimmed)
    kept = await feed.read(TASK, BEFORE_ALL, ENTRIES_MAX + 1)
    assert len(kept.entries) == ENTRIES_MAX
    assert await feed.tail(TASK) == FeedTail(Cursor(2, 3), 1)


async def what_is_there_already_is_not_waited_for(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one", b"two"], index=1)
    await feed.append(OTHER, Cursor(2, 1), [b"one"], index=1)
    after = {TASK: Cursor(1, 1), OTHER: Cursor(2, 1), TaskId("2" * 32): BEFORE_ALL}
    assert await feed.wait(after, LONG_S) == {TASK}
    assert await feed.wait(dict.fromkeys((TASK, OTHER), BEFORE_ALL), LONG_S) == {TASK, OTHER}


async def nothing_new_in_time_is_nothing(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    assert await feed.wait({TASK: Cursor(1, 1), OTHER: BEFORE_ALL}, SOON_S) == frozenset()
    assert await feed.wait({}, SOON_S) == frozenset()


async def whoever_waits_is_woken_by_the_next_entry_of_any_feed(feed: TaskFeed) -> None:
    await feed.append(TASK, Cursor(1, 1), [b"one"], index=1)
    after = {TASK: Cursor(1, 1), OTHER: BEFORE_ALL}
    for task, first in ((TASK, Cursor(1, 2)), (OTHER, Cursor(1, 1)), (TASK, Cursor(2, 1))):
        waiting = asyncio.ensure_future(feed.wait(after, LONG_S))
        await asyncio.sleep(SOON_S)
        assert not waiting.done()
        await feed.append(task, first, [b"more"], index=1)
        assert await waiting == {task}
        after[task] = first


async def a_wait_that_is_cancelled_leaves_the_next_one_whole(feed: TaskFeed) -> None:
    for number in range(1, 6):
        waiting = asyncio.ensure_future(feed.wait({TASK: Cursor(1, number - 1)}, LONG_S))
        await asyncio.sleep(SOON_S)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await feed.append(TASK, Cursor(1, number), [b"more"], index=1)
        assert await feed.wait({TASK: Cursor(1, number - 1)}, LONG_S) == {TASK}


async def who_waits_keeps_nobody_from_anything(feed: TaskFeed) -> None:
    waiting = asyncio.ensure_future(feed.wait({OTHER: BEFORE_ALL}, LONG_S))
    await asyncio.sleep(SOON_S)
    for number in range(1, 101):
        await feed.append(TASK, Cursor(1, number), [b"one"], index=1)
    assert not waiting.done()
    await feed.append(OTHER, Cursor(1, 1), [b"one"], index=1)
    assert await waiting == {OTHER}


async def a_feed_that_is_closed_is_not_waited_for(feed: TaskFeed) -> None:
    waiting = asyncio.ensure_future(feed.wait({TASK: BEFORE_ALL}, LONG_S))
    await asyncio.sleep(SOON_S)
    await feed.close()
    with pytest.raises(StoreUnavailable):
        await waiting
    with pytest.raises(StoreUnavailable):
        await feed.wait({TASK: BEFORE_ALL}, LONG_S)


async def a_reader_of_a_growing_feed_sees_each_entry_once_and_in_order(feed: TaskFeed) -> None:
    """It comes back at random places, as one does whose connection is cut."""
    rng = random.Random(15)
    places = [Cursor(term, number) for term in (1, 2, 5) for number in range(1, 101)]

    async def write() -> None:
        for place in places:
            await feed.append(TASK, place, [str(place).encode()], index=0)
            await asyncio.sleep(0)

    writing = asyncio.ensure_future(write())
    seen: list[FeedEntry] = []
    while len(seen) < len(places):
        after = seen[-1].cursor if seen else BEFORE_ALL
        assert await feed.wait({TASK: after}, LONG_S) == {TASK}
        seen += (await feed.read(TASK, after, rng.randrange(1, 20))).entries
    await writing
    assert [each.cursor for each in seen] == places
    assert [each.event for each in seen] == [str(place).encode() for place in places]


PROMISES: tuple[Promise, ...] = (
    entries_come_back_in_order_after_any_cursor,
    an_event_is_any_bytes,
    a_feed_that_nobody_has_written_is_empty,
    tasks_do_not_touch_each_other,
    an_older_term_is_refused_as_soon_as_a_later_one_has_begun,
    a_term_may_begin_before_anything_was_written,
    the_tail_is_the_last_entry_and_the_highest_index,
    a_repeated_append_changes_nothing,
    a_later_term_fences_the_older_off,
    nothing_follows_the_end,
    an_append_that_leaves_a_gap_is_refused,
    an_append_that_repeats_only_in_part_is_refused,
    an_append_of_nothing_or_nowhere_is_a_usage_error,
    the_oldest_go_first_and_the_last_of_them_is_known,
    what_is_there_already_is_not_waited_for,
    nothing_new_in_time_is_nothing,
    whoever_waits_is_woken_by_the_next_entry_of_any_feed,
    a_wait_that_is_cancelled_leaves_the_next_one_whole,
    who_waits_keeps_nobody_from_anything,
    a_feed_that_is_closed_is_not_waited_for,
    a_reader_of_a_growing_feed_sees_each_entry_once_and_in_order,
)
