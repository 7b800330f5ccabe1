"""What is published wakes who subscribes: once a version, and again where more came meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import pytest

from cluster.kernel.errors import AgentFailed, StoreUnavailable
from cluster.kernel.events import Answered, Event
from cluster.kernel.topic_news import TopicActedOn, TopicNews
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    Coherence,
    Finding,
    PlanProposal,
    PlanRequest,
    Step,
)
from cluster.runtime.tasks import topics
from cluster.runtime.tasks.task_journal import events_of
from cluster.state import SharedState, merge
from cluster.state.topic import Topic
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, step

Publish = Callable[[Assignment, Turn], Awaitable[object]]


class Ledger(SharedState):
    seen: Annotated[list[int], merge.append]


class Manager(PlanningManager):
    """Answers with what the subscribers have written by then."""

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            return PlanProposal(self.plan)
        return Answer(str(list((await turn.open(Ledger)).seen)))


class Publisher:
    """Does steps by publishing prices."""

    def __init__(self, publish: Publish | None = None) -> None:
        self._publish = publish or self.publish_two

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        return await self._publish(message, turn)

    async def publish_two(self, message: Assignment, turn: Turn) -> object:
        """Publish two prices at once."""
        turn.publish("prices", 1)
        turn.publish("prices", 2)
        return Finding(f"published in {message.step}")


class Watcher:
    """Notes how many prices it finds whenever it is woken."""

    def __init__(self) -> None:
        self.woken: list[int] = []
        self.versions: list[int] = []
        self.news: list[TopicNews] = []
        self.failures: list[Exception] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, TopicNews)
        values = list((await turn.open(Topic, key=message.topic)).values)
        self.woken.append(len(values))
        self.versions.append(message.version)
        self.news.append(message)
        await self.go_on.wait()
        if self.failures:
            raise self.failures.pop()
        async with turn.state(Ledger) as ledger:
            ledger.seen.append(len(values))
        return TopicActedOn(message.topic, message.version)


async def run(
    publisher: Publisher,
    watcher: Watcher,
    *steps: Step,
    timeout_s: float = 5.0,
    coherence: Coherence = Coherence.CHAINED,
) -> tuple[Answer, list[Event]]:
    """Run a task; return its answer and its journal."""
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", publisher)
        await cluster.add("watcher-0", watcher, subscribes=("prices",))
        await cluster.add_manager(Manager(*(steps or (step("a"),))))
        task = await cluster.submit("why?", timeout_s, coherence=coherence)
        async for _ in task:
            pass
        journal = events_of(await cluster.journal.read(task.id), MessageCodec())
    ended = journal[-1].detail
    assert isinstance(ended, Answered), ended
    return ended.answer, journal


async def test_the_answer_has_what_a_subscriber_makes_of_all_that_was_published() -> None:
    watcher = Watcher()
    answer, _ = await run(Publisher(), watcher)
    assert watcher.woken[-1] == 2
    assert answer.text == str(watcher.woken)
    assert answer.degraded == ()


async def test_what_is_published_while_a_subscriber_acts_becomes_one_wake_up_more() -> None:
    watcher = Watcher()
    watcher.go_on.clear()

    async def publish(message: Assignment, turn: Turn) -> object:
        turn.publish("prices", 0)
        await until(lambda: bool(watcher.woken))
        for price in range(1, 10):
            turn.publish("prices", price)
        asyncio.get_running_loop().call_later(0.05, watcher.go_on.set)
        return Finding("published")

    answer, _ = await run(Publisher(publish), watcher)
    assert watcher.woken == [1, 10]
    assert answer.text == "[1, 10]"


async def test_what_comes_while_a_subscriber_acts_is_new_to_its_next_wake_up_alone() -> None:
    watcher = Watcher()
    watcher.go_on.clear()

    async def publish(message: Assignment, turn: Turn) -> object:
        turn.publish("prices", 7)
        await until(lambda: bool(watcher.woken))
        turn.publish("prices", 7)
        asyncio.get_running_loop().call_soon(watcher.go_on.set)
        return Finding("published")

    await run(Publisher(publish), watcher)
    assert [(each.known, each.new) for each in watcher.news] == [(0, ("7",)), (1, ("7",))]


async def test_a_wake_up_that_is_tried_again_has_the_same_news() -> None:
    watcher = Watcher()
    watcher.failures.append(StoreUnavailable("busy"))
    await run(Publisher(), watcher)
    assert watcher.news[0] == watcher.news[1]


async def test_what_a_subscriber_could_not_act_on_stays_new_to_it() -> None:
    watcher = Watcher()
    watcher.failures.append(AgentFailed("not these"))

    async def publish(message: Assignment, turn: Turn) -> object:
        turn.publish("prices", message.step)
        await until(lambda: len(watcher.woken) == 1 + (message.step == "b"))
        return Finding("published")

    await run(Publisher(publish), watcher, step("a"), step("b", "a"))
    assert [each.new for each in watcher.news] == [('"a"',), ('"a"', '"b"')]


async def test_a_topic_that_nobody_subscribes_to_wakes_nobody() -> None:
    async def publish(message: Assignment, turn: Turn) -> object:
        turn.publish("weather", "rain")
        return Finding("published")

    watcher = Watcher()
    answer, _ = await run(Publisher(publish), watcher)
    assert watcher.woken == []
    assert (answer.text, answer.degraded) == ("[]", ())


async def test_a_role_that_only_subscribes_gets_no_steps() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", Publisher())
        await cluster.add("watcher-0", Watcher(), subscribes=("prices",))
        await cluster.add_manager(Manager())
        roles = await cluster.engines["manager-0"].roles("manager")
    assert [role.name for role in roles] == ["researcher"]


async def test_a_subscriber_that_fails_for_now_is_woken_again_and_counts_once() -> None:
    watcher = Watcher()
    watcher.failures.append(StoreUnavailable("busy"))
    answer, _ = await run(Publisher(), watcher)
    assert len(watcher.woken) == len(set(watcher.versions)) + 1
    assert answer.text == str(watcher.woken[1:])


async def test_a_subscriber_that_can_t_act_is_told_of_in_the_answer() -> None:
    class Failing(Watcher):
        async def __call__(self, message: object, turn: Turn) -> object:
            raise AgentFailed("prices are nothing for me")

    answer, _ = await run(Publisher(), Failing())
    [said] = answer.degraded
    assert said.startswith("The watcher could not act on topic prices: prices are nothing for me")


async def test_an_answer_waits_for_a_subscriber_only_so_long() -> None:
    watcher = Watcher()
    watcher.go_on.clear()
    answer, _ = await run(Publisher(), watcher, timeout_s=1.0)
    assert answer.degraded == ("The watcher has not acted on all of topic prices yet.",)


async def test_a_subscriber_that_wakes_itself_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Echo(Watcher):
        async def __call__(self, message: object, turn: Turn) -> object:
            turn.publish("prices", len(self.woken))
            return await super().__call__(message, turn)

    monkeypatch.setattr(topics, "WAKES_MAX", 5)
    watcher = Echo()
    answer, _ = await run(Publisher(), watcher)
    assert len(watcher.woken) == 5
    assert answer.degraded == ("The watcher was woken 5 times by topic prices, and then no more.",)


async def test_a_wake_up_that_is_told_again_by_the_next_owner_counts_once() -> None:
    watcher, manager = Watcher(), Manager(step("a"), step("b", "a"))
    go_on = asyncio.Event()

    async def publish(message: Assignment, turn: Turn) -> object:
        if message.step == "a":
            turn.publish("prices", 1)
        else:
            await go_on.wait()
        return Finding(message.step)

    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", Publisher(publish))
        await cluster.add("watcher-0", watcher, subscribes=("prices",))
        killed = await cluster.add_manager(manager)
        task = await cluster.submit("why?")
        await until(lambda: watcher.woken == [1])
        await killed.abort()
        await cluster.add_manager(manager, "manager-1")
        await until(lambda: cluster.engines["manager-1"].statistics.adopted == 1)
        go_on.set()
        async for event in task:
            ended = event
    assert isinstance(ended.detail, Answered)
    assert ended.detail.answer.text == "[1]"


async def test_a_step_that_is_redone_replaces_what_it_had_published() -> None:
    published: list[object] = []

    async def publish(message: Assignment, turn: Turn) -> object:
        if message.step == "b":
            turn.publish("prices", message.redo)
        return Finding(message.step)

    class Reading(Watcher):
        async def __call__(self, message: object, turn: Turn) -> object:
            assert isinstance(message, TopicNews)
            published[:] = list((await turn.open(Topic, key=message.topic)).values)
            return await super().__call__(message, turn)

    steps = step("a"), step("b", "a")
    await run(Publisher(publish), Reading(), *steps, coherence=Coherence.BROADCAST)
    assert published == [1]
