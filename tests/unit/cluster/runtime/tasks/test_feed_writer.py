"""A task's feed and record are written beside it, in order, whatever the store does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError, Stopped, StoreUnavailable
from cluster.kernel.events import (
    Answered,
    Detail,
    Event,
    PlanReady,
    Spent,
    StepStarted,
    Submitted,
    Thought,
)
from cluster.kernel.feed import BEFORE_ALL, Cursor, TaskRecord
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks import feed_batches
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Answer, Plan
from cluster.memory.feed.local import LocalTaskFeed
from cluster.memory.journal.local import LocalJournal
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.tasks.feed_writer import FeedStores, FeedWriter
from cluster.runtime.tasks.task_journal import TaskJournal, events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import until

TASK = TaskId("0" * 32)
CODEC = MessageCodec()
CLOCK = SystemClock()
SUBMITTED = Submitted("why?", "", 100.0, 160.0)
SOON_S = 0.01


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_batches, "HELD_S", SOON_S)


class UnsteadyFeed(LocalTaskFeed):
    """Takes what it is told to and says that it did not; is away while it is told to be."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.replies_lost = 0
        self.refused = 0
        self.is_away = False

    async def append(
        self,
        task: TaskId,
        first: Cursor,
        entries: Sequence[bytes],
        *,
        index: int,
        is_final: bool = False,
    ) -> None:
        if self.is_away:
            self.refused += 1
            raise StoreUnavailable("away")
        await super().append(task, first, entries, index=index, is_final=is_final)
        if self.replies_lost:
            self.replies_lost -= 1
            raise StoreUnavailable("nobody knows")


@dataclass
class Desk:
    """What a writer writes to."""

    feed: UnsteadyFeed
    records: LocalTaskRecords
    journal: LocalJournal
    patience_s: float = 5.0

    async def writer(self, events: int = 0) -> FeedWriter:
        """Return that of the next term of a task whose journal has so many events."""
        claim = await self.journal.claim(TASK, Owner(AgentId("manager-0"), 1))
        assert claim is not None
        journal = TaskJournal(self.journal, CODEC, CLOCK, TASK, patience_s=5.0)
        journal.open(claim.term, claim.entries[:events])
        stores = FeedStores(self.feed, self.records, CODEC, CLOCK, self.patience_s)
        return FeedWriter(stores, journal, lambda _: None)

    async def events(self) -> list[tuple[str, Event]]:
        page = await self.feed.read(TASK, BEFORE_ALL, 100)
        found = events_of([each.event for each in page.entries], CODEC)
        return [(str(e.cursor), event) for e, event in zip(page.entries, found, strict=True)]

    async def record(self) -> TaskRecord:
        record = await self.records.record(TASK)
        assert record is not None
        return record


def desk() -> Desk:
    return Desk(UnsteadyFeed(), LocalTaskRecords(CLOCK), LocalJournal(CLOCK))


def event(detail: Detail, index: int = 0, step: str = "") -> Event:
    return Event(0.5, TASK, AgentId("manager-0"), StepId(step), detail, index)


END = event(Answered(Answer("so")), 3)


async def written(writer: FeedWriter, outcome: Event | ClusterError) -> None:
    writer.finish(outcome)
    assert writer.work is not None
    await asyncio.wait_for(writer.work, 10.0)


async def test_a_run_is_in_the_feed_and_in_the_record_once_it_has_ended() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.view(event(SUBMITTED, 1))
    writer.view(event(StepStarted(), 2, "a"))
    for word in ("it ", "seems"):
        writer.view(event(Thought(word), step="a"))
    writer.view(event(Spent("model", 1.0, 30, 12), step="a"))
    await written(writer, END)

    assert [(at, e.kind) for at, e in await stores.events()] == [
        ("1.1", "submitted"),
        ("1.2", "step_started"),
        ("1.3", "thought"),
        ("1.4", "answered"),
    ]
    assert (await stores.feed.tail(TASK)).is_final
    record = await stores.record()
    assert record.summary.status == "answered"
    assert record.thoughts[0].text == "it seems"
    assert json.loads(record.report_json)["usage"]["prompt_tokens"] == 30
    assert await stores.records.tokens_of_day("", 100.5) == 42


async def test_a_task_that_goes_on_is_listed_and_can_be_watched() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.view(event(SUBMITTED, 1))
    await stores.feed.wait({TASK: BEFORE_ALL}, 10.0)

    assert (await stores.record()).summary.status == "running"
    await writer.close(0.0)


async def test_a_run_that_lost_its_task_before_any_fact_leaves_nothing_to_write() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.view(event(Thought("it "), step="a"))
    writer.finish(Stopped("another Manager has it"))

    assert writer.is_closed
    assert await stores.events() == []


async def test_a_batch_whose_reply_was_lost_is_in_the_feed_once() -> None:
    stores = desk()
    stores.feed.replies_lost = 2
    writer = await stores.writer()
    writer.view(event(SUBMITTED, 1))
    await until(lambda: stores.feed.replies_lost == 0)
    await written(writer, END)

    assert [at for at, _ in await stores.events()] == ["1.1", "1.2"]


async def test_facts_outlast_an_absence_of_the_store_and_thoughts_need_not() -> None:
    stores = desk()
    stores.patience_s = 0.0
    stores.feed.is_away = True
    writer = await stores.writer()
    writer.view(event(SUBMITTED, 1))
    await until(lambda: stores.feed.refused >= 2)
    writer.view(event(Thought("lost"), step="a"))
    writer.view(event(StepStarted(), 2, "a"))
    await until(lambda: stores.feed.refused >= 5)
    stores.feed.is_away = False
    await stores.feed.wait({TASK: Cursor(1, 1)}, 10.0)
    await written(writer, END)

    assert [e.kind for _, e in await stores.events()] == ["submitted", "step_started", "answered"]


async def test_an_adopter_adds_what_the_feed_lacks_and_counts_what_was_used_before() -> None:
    stores = desk()
    first = await stores.writer()
    first.view(event(SUBMITTED, 1))
    first.view(event(Thought("hm"), step="a"))
    await written(first, Stopped("it has crashed"))
    journaled = [event(SUBMITTED, 1), event(PlanReady(Plan(()), (), Usage(1, 7, 3)), 2)]
    await stores.journal.append(TASK, 1, 1, [CODEC.encode(each)[1] for each in journaled])

    second = await stores.writer(events=2)
    for each in journaled:
        second.view(each)
    second.view(event(Spent("model", 1.0, 20, 10), step="a"))
    await written(second, END)

    assert [(at, e.index) for at, e in await stores.events()] == [
        ("1.1", 1),
        ("1.2", 0),
        ("2.1", 2),
        ("2.2", 3),
    ]
    record = await stores.record()
    assert record.thoughts[0].text == "hm"
    assert json.loads(record.report_json)["usage"]["prompt_tokens"] == 27


async def test_who_was_replaced_writes_no_more_and_says_nothing() -> None:
    stores = desk()
    first = await stores.writer()
    first.view(event(SUBMITTED, 1))
    await stores.feed.wait({TASK: BEFORE_ALL}, 10.0)
    await stores.feed.begin_term(TASK, 2)
    await written(first, END)

    assert [e.kind for _, e in await stores.events()] == ["submitted"]
    assert (await stores.record()).summary.status == "running"


async def test_a_manager_that_stops_writes_what_waits_within_a_bound() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.view(event(SUBMITTED, 1))
    writer.finish(Stopped("the Manager is stopping"))
    await writer.close(5.0)
    assert [e.kind for _, e in await stores.events()] == ["submitted"]

    stores.feed.is_away = True
    late = await stores.writer()
    late.view(event(StepStarted(), 2, "a"))
    late.finish(Stopped("the Manager is stopping"))
    await asyncio.wait_for(late.close(0.05), 5.0)
    assert late.is_closed


async def test_what_is_shown_before_the_task_is_durable_follows_its_submission() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.view(event(Thought("a plan was declared")))
    assert writer.work is None
    writer.view(event(SUBMITTED, 1))
    await written(writer, END)

    assert [e.kind for _, e in await stores.events()] == ["submitted", "thought", "answered"]


async def test_who_has_only_shown_something_when_it_loses_its_claim_writes_nothing() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.view(event(Thought("a plan was declared")))
    writer.finish(Stopped("another Manager had claimed it"))
    await writer.close(1.0)

    assert await stores.events() == []
    assert await stores.records.record(TASK) is None


async def test_a_task_that_was_never_begun_here_is_in_no_list() -> None:
    stores = desk()
    writer = await stores.writer()
    writer.finish(Stopped("another Manager had claimed it"))
    await writer.close(1.0)

    assert writer.work is None
    assert await stores.records.record(TASK) is None
