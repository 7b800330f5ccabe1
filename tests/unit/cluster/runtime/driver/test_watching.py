"""Whoever follows a task sees each of its events once and in order, from wherever it begins."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import pytest

from cluster.kernel.clock import Clock
from cluster.kernel.errors import Stopped, StoreUnavailable, UsageError, WireError
from cluster.kernel.events import Detail, Event, Failed, Thought, UnknownDetail, WasCancelled
from cluster.kernel.feed import BEFORE_ALL, Cursor, Gap, TaskRecord, TaskSummary
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Failure
from cluster.memory.feed.local import LocalTaskFeed
from cluster.memory.feed.port import ENTRIES_MAX, FeedPage
from cluster.memory.journal.local import LocalJournal
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.driver import watching
from cluster.runtime.driver.detached import TaskStores
from cluster.runtime.driver.watching import PAGE_MAX, STORE_AWAY_S, Watching
from cluster.wire.messages import MessageCodec
from tests.support.clock import ManualClock
from tests.support.hosts import until

TASK = TaskId("0" * 32)
END = WasCancelled("enough")
CODEC = MessageCodec()


def entry(detail: Detail, task: TaskId = TASK) -> bytes:
    """Return what a feed has of an event."""
    return CODEC.encode(Event(1.0, task, AgentId("researcher-0"), StepId("a"), detail))[1]


class WatchedFeed(LocalTaskFeed):
    """Counts the calls, and is away for as long as it is told to be."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.calls: Counter[str] = Counter()
        self.waited_for: set[TaskId] = set()
        self.waits_now = 0
        self.waits_at_once = 0
        self.is_away = False

    async def read(self, task: TaskId, after: Cursor, entries_max: int) -> FeedPage:
        self.calls["read"] += 1
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return await super().read(task, after, entries_max)

    async def wait(self, after: Mapping[TaskId, Cursor], timeout_s: float) -> frozenset[TaskId]:
        self.calls["wait"] += 1
        if self.is_away:
            raise StoreUnavailable("the store is away")
        self.waited_for = set(after)
        self.waits_now += 1
        self.waits_at_once = max(self.waits_at_once, self.waits_now)
        try:
            return await super().wait(after, timeout_s)
        finally:
            self.waits_now -= 1


class Stage:
    """Feeds, what watches them, and tasks that write them by the number."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.feed = WatchedFeed(self.clock)
        self.records = LocalTaskRecords(self.clock)
        self.journal = LocalJournal(self.clock)
        stores = TaskStores(self.feed, self.records, self.journal)
        self.watching = Watching(self.feed, stores, MessageCodec(), self.clock)
        self.written: Counter[TaskId] = Counter()

    async def write(self, *details: Detail, task: TaskId = TASK, is_final: bool = False) -> None:
        """Append to a feed in its first term."""
        first = Cursor(1, self.written[task] + 1)
        self.written[task] += len(details)
        entries = [entry(each, task) for each in details]
        await self.feed.append(task, first, entries, index=0, is_final=is_final)

    async def think(self, *texts: object, task: TaskId = TASK) -> None:
        """Append thoughts."""
        await self.write(*[Thought(str(each)) for each in texts], task=task)

    async def end(self, task: TaskId = TASK) -> None:
        """Append the terminal event."""
        await self.write(END, task=task, is_final=True)

    async def seen(self, after: Cursor = BEFORE_ALL, task: TaskId = TASK) -> list[str]:
        """Follow a task to its end; return cursors and what was seen."""
        return [f"{cursor} {_told(event)}" async for cursor, event in self.follow(after, task)]

    async def follow(
        self, after: Cursor = BEFORE_ALL, task: TaskId = TASK
    ) -> AsyncGenerator[tuple[Cursor, Event]]:
        """Follow a task, and leave it however this is left."""
        async with aclosing(self.watching.events(task, after)) as events:
            async for shown in events:
                yield shown


def _told(event: Event) -> str:
    match event.detail:
        case Thought(text):
            return text
        case Gap(after, before):
            return f"gap {after} {before}"
    return event.kind


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.journal.claim(TASK, Owner(AgentId("manager-0"), 1))
    yield made
    await made.watching.close()


async def test_what_was_and_what_comes_is_seen_once_and_in_order(stage: Stage) -> None:
    await stage.think("a", "b")
    following = [
        asyncio.ensure_future(stage.seen(after))
        for after in (BEFORE_ALL, Cursor(1, 1), Cursor(1, 3))
    ]
    await until(lambda: stage.feed.waits_now == 1)
    await stage.think("c")
    await stage.think("d")
    await stage.end()

    events = ["1.1 a", "1.2 b", "1.3 c", "1.4 d", "1.5 cancelled"]
    assert await asyncio.gather(*following) == [events, events[1:], events[3:]]


async def test_a_task_that_has_ended_is_seen_from_the_store(stage: Stage) -> None:
    texts = [str(number) for number in range(3 * PAGE_MAX)]
    await stage.think(*texts)
    await stage.end()

    seen = await stage.seen()

    assert [each.split()[1] for each in seen] == [*texts, "cancelled"]
    assert stage.feed.calls["wait"] == 0


async def test_whoever_has_seen_the_end_is_told_nothing_more(stage: Stage) -> None:
    await stage.think("a")
    await stage.end()

    for after in (Cursor(1, 2), Cursor(1, 9), Cursor(7, 1)):
        assert await stage.seen(after) == []


async def test_a_follower_that_comes_back_misses_nothing_across_owners(stage: Stage) -> None:
    seen: list[tuple[Cursor, str]] = []

    async def cut_after_each() -> None:
        while not seen or seen[-1][1] != "cancelled":
            async with aclosing(stage.follow(seen[-1][0] if seen else BEFORE_ALL)) as events:
                cursor, event = await anext(events)
                seen.append((cursor, _told(event)))

    following = asyncio.ensure_future(cut_after_each())
    for term in (1, 2, 5):
        for number in range(1, 11):
            is_final = (term, number) == (5, 10)
            written = entry(END if is_final else Thought(f"{term}.{number}"))
            await stage.feed.append(
                TASK, Cursor(term, number), [written], index=0, is_final=is_final
            )
            await asyncio.sleep(0)
    await following

    places = [Cursor(term, number) for term in (1, 2, 5) for number in range(1, 11)]
    assert [cursor for cursor, _ in seen] == places


async def test_a_task_that_has_only_just_begun_is_waited_for(stage: Stage) -> None:
    following = asyncio.ensure_future(stage.seen())
    await until(lambda: stage.feed.waits_now == 1)
    await stage.end()

    assert await following == ["1.1 cancelled"]


async def test_a_task_that_nobody_knows_is_a_usage_error(stage: Stage) -> None:
    with pytest.raises(UsageError, match="no such task"):
        await stage.seen(task=TaskId("unheard-of"))


def summary(ended_wall_s: float) -> TaskSummary:
    """Return the summary of the task."""
    status = "answered" if ended_wall_s else "running"
    return TaskSummary(TASK, "why?", status, ended_wall_s=ended_wall_s)


async def test_of_a_feed_that_is_gone_a_gap_is_all_there_is(stage: Stage) -> None:
    await stage.records.ended(TaskRecord(summary(5.0), "{}"), tokens=0)

    assert await stage.seen(Cursor(1, 7)) == ["1.7 gap 1.7 "]


async def test_a_task_that_is_listed_as_running_is_waited_for(stage: Stage) -> None:
    await stage.records.began(summary(0.0))
    following = asyncio.ensure_future(stage.seen())
    await until(lambda: stage.feed.waits_now == 1)
    await stage.end()

    assert await following == ["1.1 cancelled"]


async def test_a_feed_that_goes_while_it_is_followed_ends_in_a_gap(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_S", 0.01)
    await stage.think("a")
    following = asyncio.ensure_future(stage.seen())
    await until(lambda: stage.feed.waits_now == 1)
    await stage.records.ended(TaskRecord(summary(5.0), "{}"), tokens=0)
    await stage.feed.forget(TASK)

    assert await following == ["1.1 a", "1.1 gap 1.1 "]


async def test_a_feed_that_goes_between_its_news_and_their_reading_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = TaskId("other")
    await stage.think("a")
    await stage.think("a", task=other)
    gone = asyncio.ensure_future(stage.seen())
    sound = asyncio.ensure_future(stage.seen(task=other))
    await until(lambda: stage.feed.waited_for == {TASK, other})
    reads = stage.feed.read

    async def read(task: TaskId, after: Cursor, entries_max: int) -> FeedPage:
        if task == TASK:
            await stage.feed.forget(TASK)
        return await reads(task, after, entries_max)

    monkeypatch.setattr(stage.feed, "read", read)
    await stage.think("b")
    await until(lambda: stage.feed.waits_now == 1 and stage.feed.calls["wait"] > 2)
    await stage.end(other)
    async with asyncio.timeout(5.0):
        assert await sound == ["1.1 a", "1.2 cancelled"]
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)


async def test_what_is_no_longer_kept_is_a_gap_with_its_bounds(stage: Stage) -> None:
    for _ in range(0, ENTRIES_MAX, 1000):
        await stage.think(*["x"] * 1000)
    await stage.think("y", "z")

    async with aclosing(stage.watching.events(TASK, Cursor(1, 1))) as events:
        gap, first = await anext(events), await anext(events)

    assert gap[0] == Cursor(1, 2)
    assert gap[1].detail == Gap("1.1", "1.3")
    assert first[0] == Cursor(1, 3)
    async with aclosing(stage.watching.events(TASK, Cursor(1, 2))) as events:
        assert (await anext(events))[0] == Cursor(1, 3)


async def test_all_that_is_followed_is_waited_for_at_once(stage: Stage) -> None:
    tasks = [TaskId(f"{number:032x}") for number in range(1, 31)]
    for task in tasks:
        await stage.think("a", task=task)
    following = [asyncio.ensure_future(stage.seen(task=task)) for task in tasks * 2]
    await until(lambda: stage.feed.waited_for == set(tasks))
    reads = stage.feed.calls["read"]
    for task in tasks:
        await stage.end(task)

    for seen in await asyncio.gather(*following):
        assert seen == ["1.1 a", "1.2 cancelled"]
    assert stage.feed.waits_at_once == 1
    assert stage.feed.calls["read"] - reads <= 2 * len(tasks)


async def test_nothing_is_waited_for_when_nobody_follows(stage: Stage) -> None:
    await stage.think("a")
    events = stage.watching.events(TASK, Cursor(1, 1))
    following = asyncio.ensure_future(anext(events))
    await until(lambda: stage.feed.waits_now == 1)

    following.cancel()
    await asyncio.wait([following])
    await events.aclose()

    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert stage.feed.waits_now == 0


async def test_a_slow_follower_misses_nothing_and_keeps_nobody(stage: Stage) -> None:
    texts = [str(number) for number in range(5 * PAGE_MAX)]
    slow = stage.watching.events(TASK, BEFORE_ALL)
    await stage.think("first")
    assert (await anext(slow))[0] == Cursor(1, 1)
    waiting = asyncio.ensure_future(anext(slow))
    quick = asyncio.ensure_future(stage.seen(Cursor(1, 1)))
    await until(lambda: stage.feed.waits_now == 1)
    for text in texts:
        await stage.think(text)
        await asyncio.sleep(0)
    await stage.end()

    assert [each.split()[1] for each in await quick] == [*texts, "cancelled"]
    seen = [await waiting, *[shown async for shown in slow]]
    assert [_told(event) for _, event in seen] == [*texts, "cancelled"]


async def test_a_store_that_is_away_for_a_while_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RETRY_S", 0.0)
    stage.feed.is_away = True
    following = asyncio.ensure_future(stage.seen())
    await until(lambda: stage.feed.calls["read"] > 2)
    stage.feed.is_away = False
    await until(lambda: stage.feed.waits_now == 1)
    stage.feed.is_away = True
    await stage.think("a")
    reads = stage.feed.calls["read"]
    await until(lambda: stage.feed.calls["read"] > reads + 2)
    stage.feed.is_away = False
    await stage.end()

    assert await following == ["1.1 a", "1.2 cancelled"]


async def test_whoever_follows_is_told_when_the_store_stays_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RETRY_S", 0.0)
    await stage.think("a")
    following = asyncio.ensure_future(stage.seen(Cursor(1, 1)))
    await until(lambda: stage.feed.waits_now == 1)
    stage.feed.is_away = True
    await stage.think("b")
    reads = stage.feed.calls["read"]
    await until(lambda: stage.feed.calls["read"] > reads)
    stage.clock.advance(STORE_AWAY_S)

    with pytest.raises(StoreUnavailable, match="away"):
        await following
    stage.feed.is_away = False
    await stage.end()
    assert await stage.seen(Cursor(1, 1)) == ["1.2 b", "1.3 cancelled"]


async def test_an_event_of_a_newer_version_is_passed_over(stage: Stage) -> None:
    unknown = UnknownDetail(bytes([0xA2, 0x3E, 0]))  # field 1000, an empty message
    following = asyncio.ensure_future(stage.seen())
    await until(lambda: stage.feed.waits_now == 1)
    await stage.write(unknown)
    await stage.write(unknown, Thought("a"))
    await stage.end()

    assert await following == ["1.3 a", "1.4 cancelled"]
    assert await stage.seen() == ["1.3 a", "1.4 cancelled"]


async def test_an_entry_that_is_no_event_ends_only_those_that_follow_its_feed(
    stage: Stage,
) -> None:
    other = TaskId("other")
    await stage.think("a", task=other)
    broken = asyncio.ensure_future(stage.seen())
    sound = asyncio.ensure_future(stage.seen(task=other))
    await until(lambda: stage.feed.waited_for == {TASK, other})
    await stage.feed.append(TASK, Cursor(1, 1), [b"\xff"], index=0)

    with pytest.raises(WireError):
        await broken
    with pytest.raises(WireError):
        await stage.seen()
    await stage.end(other)
    assert await sound == ["1.1 a", "1.2 cancelled"]


async def test_whoever_follows_is_told_when_the_driver_is_closed(stage: Stage) -> None:
    following = asyncio.ensure_future(stage.seen())
    await until(lambda: stage.feed.waits_now == 1)

    await stage.watching.close()

    with pytest.raises(Stopped):
        await following
    with pytest.raises(Stopped):
        await stage.seen()


async def test_the_terminal_event_is_the_last_whatever_it_is(stage: Stage) -> None:
    await stage.write(Thought("a"), Failed(Failure("model", "it broke")), is_final=True)

    assert await stage.seen() == ["1.1 a", "1.2 failed"]
