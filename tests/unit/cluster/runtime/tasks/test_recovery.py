"""A task outlives its Manager: what was finished is not done again, and it ends once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cluster.kernel.events import (
    Answered,
    Event,
    FellBack,
    Spent,
    StepFinished,
    StepStarted,
    WasCancelled,
    shown,
)
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.submission import Submission
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.turn import Turn
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Assignment, Finding
from cluster.memory.store.local import LocalStore
from cluster.runtime.driver.handover import addressed
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.host import AgentProfile
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.support.puppet import settle
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, forever, step


class Research:
    """Finds what it is told to; waits at the steps that are named until it is let go on."""

    def __init__(self, *held: str) -> None:
        self.done: Counter[str] = Counter()
        self.begun: Counter[str] = Counter()
        self.held = set(held)
        self.go_on = asyncio.Event()

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        self.begun[message.step] += 1
        if message.step in self.held:
            await self.go_on.wait()
        self.done[message.step] += 1
        return Finding(f"found {message.step}")


async def journal_of(cluster: MemoryCluster, task: TaskId) -> list[Event]:
    return events_of(await cluster.journal.read(task), MessageCodec())


async def events_until_end(task: SubmittedTask) -> list[Event]:
    async with asyncio.timeout(10):
        return [event async for event in task]


def assert_ended_once(events: list[Event], journal: list[Event]) -> None:
    assert [event.is_terminal for event in journal] == [False] * (len(journal) - 1) + [True]
    assert [e.index for e in events if e.index] == [e.index for e in journal]
    assert events[-1].detail == shown(journal[-1]).detail
    assert [e.at_s for e in events] == sorted(e.at_s for e in events)


async def test_another_manager_goes_on_where_the_killed_one_was() -> None:
    research = Research("b")
    manager = PlanningManager(step("a"), step("b", "a"), step("c", "b"))
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(manager, "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["b"] == 1)
        await cluster.add_manager(manager, "manager-1")

        await first.abort()
        await until(lambda: cluster.engines["manager-1"].statistics.adopted == 1)
        research.go_on.set()
        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Answered)
        assert research.done == {"a": 1, "b": 1, "c": 1}
        assert_ended_once(events, await journal_of(cluster, task.id))
        starts = [e for e in events if isinstance(e.detail, StepStarted) and e.step == "b"]
        assert [e.detail.attempt for e in starts if isinstance(e.detail, StepStarted)] == [1, 2]


async def test_what_an_agent_finished_while_its_manager_was_gone_is_not_thought_again() -> None:
    research = Research("a")
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        await first.abort()
        research.go_on.set()
        await until(lambda: research.done["a"] == 1)

        await cluster.add_manager(PlanningManager(step("a")), "manager-1")
        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Answered)
        assert research.begun == {"a": 1}
        finished = [e.detail for e in events if isinstance(e.detail, StepFinished)]
        assert [detail.outcome for detail in finished] == ["finished"]


class Frugal(Research):
    """Says what it has used and given up before it is held, and after it."""

    async def __call__(self, message: object, turn: Turn) -> object:
        turn.emit(FellBack("model", "a small model answers"))
        turn.emit(Spent("model", 1.0, 10, 20, cost=0.25))
        found = await super().__call__(message, turn)
        turn.emit(Spent("model", 2.0, 1, 2, cost=0.25))
        turn.emit(Spent("tool", 0.5))
        return found


@pytest.mark.parametrize("is_done_before", [True, False])
async def test_an_adopter_knows_what_a_step_has_used_and_given_up_before_it_asked(
    *, is_done_before: bool
) -> None:
    research, manager = Frugal("a"), PlanningManager(step("a"))
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(manager, "manager-0")
        host = await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        await first.abort()
        if is_done_before:
            research.go_on.set()
            await until(lambda: host.turns.load == 0)

        await cluster.add_manager(manager, "manager-1")
        await until(lambda: is_done_before or host.turns.attached == 1)
        research.go_on.set()
        await events_until_end(task)
        journal = await journal_of(cluster, task.id)

    [finished] = [event.detail for event in journal if isinstance(event.detail, StepFinished)]
    assert research.begun == {"a": 1}
    assert finished.degraded == ("Step a: a small model answers.",)
    assert finished.spent is not None
    calls = finished.spent.model_calls
    assert replace(finished.spent, model_calls=0) == Usage(
        0, 11, 22, seconds=3.0, tool_s=0.5, cost=0.5
    )
    assert calls == (1 if is_done_before else 2)


async def test_the_next_incarnation_of_the_only_manager_adopts_its_tasks() -> None:
    research = Research("b")
    manager = PlanningManager(step("a"), step("b", "a"))
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["b"] == 1)

        await first.abort()
        await cluster.add_manager(manager)
        await until(lambda: cluster.engines["manager-0"].statistics.adopted == 1)
        research.go_on.set()
        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Answered)
        assert research.done == {"a": 1, "b": 1}
        assert_ended_once(events, await journal_of(cluster, task.id))


async def test_a_manager_that_was_replaced_while_it_lived_can_no_longer_end_the_task() -> None:
    """The old owner goes on in good faith; its next fact is refused, and it stops quietly."""
    research = Research("a")
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        before = (await cluster.journal.open_tasks())[task.id]

        await cluster.journal.claim(task.id, before.owner)  # as a Manager does that took it over
        research.go_on.set()
        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Answered)
        assert cluster.engines["manager-0"].statistics.fenced == 1
        assert research.done == {"a": 1}
        assert_ended_once(events, await journal_of(cluster, task.id))


async def test_a_driver_that_died_leaves_a_task_that_still_ends() -> None:
    research = Research("a")
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        await cluster.abort_drivers()
        await first.abort()

        await cluster.add_manager(PlanningManager(step("a")), "manager-0")
        await until(lambda: cluster.engines["manager-0"].statistics.adopted == 1)
        research.go_on.set()
        await until(lambda: not cluster.engines["manager-0"].tasks_running)
        journal = await journal_of(cluster, task.id)

        assert isinstance(journal[-1].detail, Answered)
        assert research.done == {"a": 1}


async def test_a_cancelled_task_ends_cancelled_in_its_journal_too() -> None:
    async def hang(message: object, turn: Turn) -> object:
        return await forever()

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        host = await cluster.add("researcher-0", hang)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: host.turns.load == 1)

        await task.cancel("enough")
        await task.cancel("enough")
        events = await events_until_end(task)
        await until(lambda: host.turns.load == 0)

        assert isinstance(events[-1].detail, WasCancelled)
        journal = await journal_of(cluster, task.id)
        assert isinstance(journal[-1].detail, WasCancelled)


async def test_a_task_cancelled_at_once_is_not_left_open() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        task = await cluster.submit("why?", 20.0)

        await task.cancel("a slip of the finger")
        events = await events_until_end(task)

        assert isinstance(events[-1].detail, WasCancelled)
        assert await cluster.journal.open_tasks() == {}


async def test_a_journal_that_can_not_be_read_is_ended_and_holds_up_no_other_task() -> None:
    research = Research("a")
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", research)
        broken = TaskId(f"{0:032x}")
        owner = Owner(AgentId("manager-0"), 1)
        claim = await cluster.journal.claim(broken, owner)
        assert claim is not None
        await cluster.journal.append(broken, claim.term, 1, [b"\xff"])
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)

        await first.abort()
        await cluster.add_manager(PlanningManager(step("a")))
        research.go_on.set()
        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Answered)
        assert await cluster.journal.open_tasks() == {}


async def test_the_time_that_was_lost_with_a_manager_counts() -> None:
    research = Research("b")
    manager = PlanningManager(step("a"), step("b", "a"))
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(manager, "manager-0")
        await cluster.add("researcher-0", research)
        events = aiter(await cluster.submit("why?", 20.0))
        before = await start_of("b", events)
        await until(lambda: research.begun["b"] == 1)
        await first.abort()
        gone_at = cluster.clock.now()
        await until(lambda: cluster.clock.now() - gone_at > 0.3)
        await cluster.add_manager(manager, "manager-1")
        research.go_on.set()

        assert await start_of("b", events) - before > 0.3


async def start_of(step: str, events: AsyncIterator[Event]) -> float:
    """Return when the driver is told next that a step has begun."""
    async for event in events:
        if event.step == step and event.kind == "step_started":
            return event.at_s
    raise AssertionError(f"step {step} was not begun")


class Watchful:
    """A service that notes which messages somebody cancelled before their turn."""

    def __init__(self) -> None:
        self.cancelled_early: list[object] = []

    async def handle(self, message: object, turn: Turn) -> object:
        return message

    async def start(self, epoch: int) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def cancelled(self, message: object, turn: Turn) -> None:
        self.cancelled_early.append(message)


@pytest.mark.parametrize(("ending", "is_a_wish"), [("cancel", True), ("abort", False)])
async def test_only_who_asked_may_cancel_what_waits_for_its_turn(
    ending: str, *, is_a_wish: bool
) -> None:
    watchful = Watchful()
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", Research())
        profile = AgentProfile(AgentId("manager-0"), concurrency=0)
        host = await cluster.start(profile, lambda _: watchful)
        sender = cluster.senders["asker-0"]
        submission, manager = Submission(TaskId("t"), "why?"), AgentId("manager-0")
        ask = addressed(sender, submission, manager, sender.clock.now() + 20.0, "")
        asking = asyncio.ensure_future(sender.exchange.ask(ask))
        await until(lambda: host.turns.load == 1)

        if ending == "cancel":
            asking.cancel()
            await until(lambda: bool(watchful.cancelled_early))
        else:
            await host.abort()
            asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    assert bool(watchful.cancelled_early) is is_a_wish


async def test_a_step_goes_on_counting_where_a_restart_was_the_last_attempt() -> None:
    research = Research("a")
    manager = PlanningManager(step("a"))
    async with MemoryCluster() as cluster:
        first = await cluster.add_manager(manager, "manager-0")
        killed = await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        await killed.abort()
        await cluster.add("researcher-0", research)
        await until(lambda: research.begun["a"] == 2)

        await first.abort()
        await cluster.add_manager(manager, "manager-1")
        await until(lambda: cluster.engines["manager-1"].statistics.adopted == 1)
        research.go_on.set()
        await events_until_end(task)
        journal = await journal_of(cluster, task.id)

    starts = [e.detail.attempt for e in journal if isinstance(e.detail, StepStarted)]
    assert starts == [1, 2, 3]


class CountingStore(LocalStore):
    """Counts how often the leases are read."""

    reads = 0

    async def leases(self) -> dict[str, bytes]:
        self.reads += 1
        return await super().leases()


async def test_the_leases_are_read_once_a_scan_however_many_tasks_others_have() -> None:
    async with MemoryCluster() as cluster:
        cluster.store = store = CountingStore(cluster.clock)
        await cluster.add("lively-0", Research())
        for number in range(5):
            owner = Owner(AgentId("lively-0"), cluster.hosts[0].exchange.epoch)
            await cluster.journal.claim(TaskId(f"{number:032x}"), owner)
        await cluster.add_manager(PlanningManager(step("a")))
        await settle()

        assert store.reads == 1
    assert cluster.engines["manager-0"].statistics.adopted == 0


async def test_what_is_submitted_while_a_manager_stops_goes_to_another_one() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager())
        await cluster.engines["manager-0"].stop()
        task = await cluster.submit("why?")
        await cluster.add_manager(PlanningManager(), "manager-1")

        events = [event async for event in task]

        assert cluster.engines["manager-0"].tasks_running == 0
        assert events[-1].agent == "manager-1"
