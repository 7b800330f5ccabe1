"""A step begins when its own line of the plan is known, whatever is still being planned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ModelError, UsageError
from cluster.kernel.events import (
    Answered,
    Event,
    Failed,
    FellBack,
    PlanReady,
    Spent,
    StepFinished,
    StepPlanned,
)
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.turn import Turn
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
)
from cluster.memory.journal.local import LocalJournal
from cluster.runtime.tasks.context import Techniques
from cluster.runtime.tasks.task_journal import EVENT
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import step
from tests.unit.cluster.runtime.tasks.test_recovery import (
    Research,
    assert_ended_once,
    events_until_end,
    journal_of,
)


def say(turn: Turn, detail: Any) -> None:
    """Emit what the types forbid to most."""
    turn.emit(detail)


class WritingManager:
    """Says one step of its plan after another, and the rest when it is let go on."""

    def __init__(
        self, *sealed: Step, rest: Sequence[Step] = (), error: Exception | None = None
    ) -> None:
        self.sealed, self.rest, self.error = sealed, tuple(rest), error
        self.go_on = asyncio.Event()
        self.requests: list[PlanRequest] = []
        self.change: Callable[[Step], Step] = lambda each: each
        """What it makes of a step that it has said before, in the whole plan."""

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, ComposeRequest):
            return Answer(" ".join(result.step for result in message.results))
        assert isinstance(message, PlanRequest)
        self.requests.append(message)
        for each in self.sealed:
            if each not in message.sealed:
                say(turn, StepPlanned(each))
        turn.emit(Spent("model", 1.5, prompt_tokens=10, completion_tokens=20))
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        steps = [self.change(each) for each in (*self.sealed, *self.rest)]
        return PlanProposal(Plan(tuple(steps)))


class CountedJournal(LocalJournal):
    """Keeps what was appended together, after the submission as soon as it is let go on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.appends: list[list[str]] = []
        self.held = asyncio.Event()
        self.held.set()

    async def accept(self, task: TaskId, owner: Owner, entries: Sequence[bytes]) -> bool:
        self._count(entries)
        return await super().accept(task, owner, entries)

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        if index > 1:
            await self.held.wait()
        await super().append(task, term, index, entries, is_final=is_final)
        self._count(entries)

    def _count(self, entries: Sequence[bytes]) -> None:
        kinds = [MessageCodec().decode(EVENT, each) for each in entries]
        self.appends.append([each.kind for each in kinds if isinstance(each, Event)])


def counted(cluster: MemoryCluster) -> CountedJournal:
    cluster.journal = journal = CountedJournal(cluster.clock)
    return journal


def kinds(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.step) for event in events]


async def test_a_step_is_done_while_the_plan_is_still_being_written() -> None:
    manager, research = WritingManager(step("a"), rest=[step("b", "a")]), Research()
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        events = []
        async for event in task:
            events.append(event)
            if event.kind == "step_finished":
                manager.go_on.set()

        assert kinds(await journal_of(cluster, task.id)) == [
            ("submitted", ""),
            ("step_planned", "a"),
            ("step_started", "a"),
            ("step_finished", "a"),
            ("plan_ready", ""),
            ("step_started", "b"),
            ("step_finished", "b"),
            ("answered", ""),
        ]
        assert [event.step for event in events if event.kind == "step_planned"] == ["a", "b"]
        assert events[-1].detail == Answered(Answer("a b"))


async def test_steps_of_one_moment_are_planned_and_begun_by_one_append() -> None:
    manager, research = WritingManager(*[step(name) for name in "abcde"]), Research(*"abcde")
    async with MemoryCluster() as cluster:
        journal = counted(cluster)
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        await cluster.submit("why?", 20.0)
        await until(lambda: len(research.begun) == 5)

        assert journal.appends == [["submitted"], ["step_planned"] * 5 + ["step_started"] * 5]


async def test_a_step_whose_append_has_not_ended_is_asked_of_nobody() -> None:
    manager, research = WritingManager(step("a")), Research()
    held = asyncio.Event()
    async with MemoryCluster() as cluster:
        counted(cluster).held = held
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        await cluster.submit("why?", 20.0)
        await until(lambda: bool(manager.requests))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not research.begun

        held.set()
        await until(lambda: research.begun["a"] == 1)


async def test_a_step_waits_for_those_it_needs_that_are_planned_later() -> None:
    manager, research = WritingManager(step("b", "a"), rest=[step("a")]), Research()
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: bool(manager.requests))
        manager.go_on.set()

        events = await events_until_end(task)

        finished = [event.step for event in events if isinstance(event.detail, StepFinished)]
        assert finished == ["a", "b"]


async def test_a_plan_that_changes_what_has_begun_leaves_it_as_it_is() -> None:
    manager, research = WritingManager(step("a"), step("b", "a")), Research("a")
    manager.change = lambda each: replace(each, instruction="something else")
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        manager.go_on.set()
        research.go_on.set()

        events = await events_until_end(task)

        [ready] = [event.detail for event in events if isinstance(event.detail, PlanReady)]
        assert [each.instruction for each in ready.plan.steps] == ["do a", "something else"]


async def test_a_step_that_is_said_twice_is_planned_once() -> None:
    manager, research = WritingManager(step("a"), step("a")), Research("a")
    manager.go_on.set()
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        research.go_on.set()

        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Failed), "its whole plan has the step twice"
        assert kinds(events).count(("step_planned", "a")) == 1


async def test_a_plan_that_fails_ends_what_has_begun() -> None:
    manager, research = WritingManager(step("a"), error=ModelError("no model")), Research("a")
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        host = await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        manager.go_on.set()

        events = await events_until_end(task)

        assert isinstance(events[-1].detail, Failed)
        await until(lambda: host.turns.load == 0)
        assert research.done["a"] == 0


async def test_only_the_turn_that_plans_may_plan() -> None:
    refused: list[type[Exception]] = []

    async def plans_too(message: object, turn: Turn) -> object:
        try:
            say(turn, StepPlanned(step("x")))
        except UsageError as error:
            refused.append(type(error))
        return Finding("found") if isinstance(message, Assignment) else Answer("answered")

    manager = WritingManager(step("a"))
    manager.go_on.set()

    async def composes(message: object, turn: Turn) -> object:
        to = plans_too if isinstance(message, ComposeRequest) else manager
        return await to(message, turn)

    async with MemoryCluster() as cluster:
        await cluster.add_manager(composes)
        await cluster.add("researcher-0", plans_too)
        events = await events_until_end(await cluster.submit("why?", 20.0))

    assert refused == [UsageError, UsageError]
    assert isinstance(events[-1].detail, Answered)


async def test_another_manager_goes_on_in_the_middle_of_a_plan() -> None:
    research = Research("b")
    first, second = [
        WritingManager(step("a"), step("b"), rest=[step("c", "a", "b")]) for _ in range(2)
    ]
    async with MemoryCluster() as cluster:
        killed = await cluster.add_manager(first, "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["b"] == 1 and research.done["a"] == 1)
        await cluster.add_manager(second, "manager-1")

        await killed.abort()
        await until(lambda: bool(second.requests))
        second.go_on.set()
        research.go_on.set()
        events = await events_until_end(task)

        assert second.requests[0].sealed == (step("a"), step("b"))
        assert events[-1].detail == Answered(Answer("a b c"))
        assert research.done == {"a": 1, "b": 1, "c": 1}
        assert_ended_once(events, await journal_of(cluster, task.id))


async def test_a_plainer_model_that_has_begun_a_plan_is_said_by_whoever_goes_on_with_it() -> None:
    steps, research = (step("a"), step("b")), Research("a")
    first, second = WritingManager(*steps), WritingManager(*steps, rest=[step("c")])

    async def plainly(message: object, turn: Turn) -> object:
        turn.emit(FellBack("model", "small answers in place of large: it is down"))
        return await first(message, turn)

    async with MemoryCluster() as cluster:
        killed = await cluster.add_manager(plainly, "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: research.begun["a"] == 1)
        await cluster.add_manager(second, "manager-1")

        await killed.abort()
        await until(lambda: bool(second.requests))
        second.go_on.set()
        research.go_on.set()
        events = await events_until_end(task)
        journal = await journal_of(cluster, task.id)

    said = ("The plan: small answers in place of large: it is down.",)
    assert events[-1].detail == Answered(Answer("a b c", degraded=said))
    planned = [event.detail for event in journal if isinstance(event.detail, StepPlanned)]
    assert [each.degraded for each in planned] == [said, ()]
    assert not any(e.detail.degraded for e in events if isinstance(e.detail, StepPlanned))


async def test_what_planning_and_a_step_have_used_is_in_the_journal_alone() -> None:
    manager = WritingManager(step("a"))
    manager.go_on.set()

    async def spends(_message: object, turn: Turn) -> object:
        turn.emit(Spent("model", 2.0, completion_tokens=5))
        turn.emit(Spent("tool", 0.5))
        return Finding("found")

    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", spends)
        task = await cluster.submit("why?", 20.0)
        shown = await events_until_end(task)

        journal = await journal_of(cluster, task.id)
        spent = {
            event.kind: event.detail.spent
            for event in journal
            if isinstance(event.detail, PlanReady | StepFinished)
        }
        assert spent["plan_ready"] == Usage(1, 10, 20, seconds=1.5)
        assert spent["step_finished"] == Usage(1, completion_tokens=5, seconds=2.0, tool_s=0.5)
    told = [event.detail for event in shown if isinstance(event.detail, PlanReady | StepFinished)]
    assert [each.spent for each in told] == [None, None]


async def test_with_streaming_off_a_step_waits_for_the_whole_plan() -> None:
    manager, research = WritingManager(step("a"), rest=[step("b", "a")]), Research()
    async with MemoryCluster(techniques=Techniques(streams_plan=False)) as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: bool(manager.requests))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not research.begun
        manager.go_on.set()

        events = await events_until_end(task)

    assert events[-1].detail == Answered(Answer("a b"))
