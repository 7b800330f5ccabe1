"""A second look at an answer: what the driver sees, and that the answer stands whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from cluster.kernel.errors import AgentFailed, ModelError
from cluster.kernel.events import Answered, Corrected, Event, Failed, Routed, Spent, Thought
from cluster.kernel.ids import NO_STEP, AgentId, StepId, TaskId
from cluster.kernel.second_look import Corrections
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    ComposeRequest,
    Failure,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
    Support,
    VerifyRequest,
)
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.tasks.second_look import verify_request
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until

DOUBTED = Answer(
    "It holds 512 entries [unverified].",
    claims=(Claim("It holds 512 entries.", Support.UNVERIFIED),),
)
SURE = Answer("So.", (Citation("a", 1, 1, "So."),), claims=(Claim("So.", Support.QUOTED, (0,)),))
UPGRADE = Corrected(0, "It holds 512 entries.", Support.PARAPHRASED, (Citation("a", 1, 1, "512"),))

Look = Callable[[VerifyRequest, Turn], Awaitable[object]]


class LookingManager:
    """Plans one step, answers as told, and looks again with a function."""

    def __init__(self, look: Look, answer: Answer = DOUBTED) -> None:
        self.looks: list[VerifyRequest] = []
        self._look = look
        self._answer = answer

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            return PlanProposal(Plan((Step(StepId("r1"), "researcher", "find"),)))
        if isinstance(message, VerifyRequest):
            self.looks.append(message)
            return await self._look(message, turn)
        return self._answer


async def upgrade(message: VerifyRequest, turn: Turn) -> object:
    turn.emit(Thought("hm"))
    turn.emit(Spent("model", 0.5, 10, 3))
    return Corrections((UPGRADE,))


async def forever(message: VerifyRequest, turn: Turn) -> object:
    return await asyncio.get_running_loop().create_future()


async def fail(message: VerifyRequest, turn: Turn) -> object:
    raise ModelError("the endpoint is gone")


async def find(message: object, turn: Turn) -> object:
    return Finding("found")


async def looking(cluster: MemoryCluster, manager: LookingManager) -> None:
    await cluster.add_manager(manager)
    await cluster.add("researcher-0", find)


async def read(task: SubmittedTask, events: list[Event]) -> None:
    async for event in task:
        events += [event]


async def journal_of(cluster: MemoryCluster, task: SubmittedTask) -> list[str]:
    entries = await cluster.journal.read(task.id)
    return [event.kind for event in events_of(entries, MessageCodec())]


async def test_corrections_follow_the_answer_and_nothing_else_does() -> None:
    manager = LookingManager(upgrade)
    async with MemoryCluster() as cluster:
        await looking(cluster, manager)
        task = await cluster.submit("why?", looks_again=True)
        events = [event async for event in task]
        journal = await journal_of(cluster, task)

    assert [event.kind for event in events[-3:]] == ["answered", "spent", "corrected"]
    assert events[-1].detail == UPGRADE
    assert (events[-1].step, events[-1].agent) == ("verify", "manager-0")
    assert journal[-1] == "answered"


async def test_the_manager_is_shown_what_the_answer_was_written_from() -> None:
    manager = LookingManager(upgrade)
    async with MemoryCluster() as cluster:
        await looking(cluster, manager)
        [_ async for _ in await cluster.submit("why?", looks_again=True)]

    [request] = manager.looks
    assert request.answer == DOUBTED
    assert request.composed.goal == "why?"
    assert [result.value for result in request.composed.results] == [Finding("found")]


class SpendingManager(LookingManager):
    """Sends the goal somewhere, and spends on its answer."""

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            turn.emit(Routed("lookup", "researcher", 0.9, "quick"))
        if isinstance(message, ComposeRequest):
            turn.emit(Spent("model", 0.5, 60, 50))
        return await super().__call__(message, turn)


async def test_the_manager_is_told_where_the_goal_went_and_what_the_task_has_used_up() -> None:
    manager = SpendingManager(upgrade)
    async with MemoryCluster() as cluster:
        await looking(cluster, manager)
        task = await cluster.submit("why?", looks_again=True, budget=Budget(tokens_max=100))
        shown = [event.detail async for event in task]
        entries = await cluster.journal.read(task.id)

    [request] = manager.looks
    assert (request.composed.route, request.composed.effort) == ("researcher", "quick")
    assert request.composed.lacks == "110 of the 100 tokens that the task may use"
    assert Answered(DOUBTED) in shown
    *before, last = events_of(entries, MessageCodec())
    of_older_version = replace(last, detail=Answered(DOUBTED))
    assert not verify_request([*before, of_older_version]).composed.lacks


@pytest.mark.parametrize(("answer", "looks_again"), [(DOUBTED, False), (SURE, True)])
async def test_there_is_no_look_where_it_is_off_or_nothing_is_in_doubt(
    answer: Answer,
    looks_again: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    manager = LookingManager(upgrade, answer)
    async with MemoryCluster() as cluster:
        await looking(cluster, manager)
        task = await cluster.submit("why?", looks_again=looks_again)
        events = [event async for event in task]

    assert events[-1].kind == "answered"
    assert manager.looks == []


async def test_a_look_that_fails_leaves_the_answer_as_it_is() -> None:
    async with MemoryCluster() as cluster:
        await looking(cluster, LookingManager(fail))
        task = await cluster.submit("why?", looks_again=True)
        events = [event async for event in task]

    assert events[-1].kind == "answered"


async def test_a_look_ends_at_the_deadline_of_its_task_on_both_sides() -> None:
    is_ended = asyncio.Event()

    async def linger(message: VerifyRequest, turn: Turn) -> object:
        try:
            return await forever(message, turn)
        finally:
            is_ended.set()

    async with MemoryCluster() as cluster:
        await looking(cluster, LookingManager(linger))
        task = await cluster.submit("why?", 0.5, looks_again=True)
        events = [event async for event in task]
        await is_ended.wait()

    assert events[-1].kind == "answered"


async def test_cancelling_the_task_after_its_answer_ends_the_look_at_once() -> None:
    manager = LookingManager(forever)
    events: list[Event] = []
    async with MemoryCluster() as cluster:
        await looking(cluster, manager)
        task = await cluster.submit("why?", 600.0, looks_again=True)
        reading = asyncio.ensure_future(read(task, events))
        await until(lambda: bool(manager.looks))
        await task.cancel("enough")
        await reading
        journal = await journal_of(cluster, task)

    assert events[-1].kind == "answered"
    assert journal[-1] == "answered"


async def test_a_manager_that_is_lost_meanwhile_takes_only_the_look_with_it() -> None:
    manager = LookingManager(forever)
    events: list[Event] = []
    async with MemoryCluster() as cluster:
        host = await cluster.add_manager(manager)
        await cluster.add("researcher-0", find)
        task = await cluster.submit("why?", 1.0, looks_again=True)
        reading = asyncio.ensure_future(read(task, events))
        await until(lambda: bool(manager.looks))
        await host.abort()
        await reading

    assert [event.kind for event in events if event.is_terminal] == ["answered"]
    assert events[-1].kind == "answered"


async def test_the_next_incarnation_of_a_lost_manager_looks_again() -> None:
    manager = LookingManager(forever)
    events: list[Event] = []
    async with MemoryCluster() as cluster:
        host = await cluster.add_manager(manager)
        await cluster.add("researcher-0", find)
        task = await cluster.submit("why?", 600.0, looks_again=True)
        reading = asyncio.ensure_future(read(task, events))
        await until(lambda: bool(manager.looks))
        await host.abort()
        await cluster.add_manager(LookingManager(upgrade))
        await reading

    assert [event.kind for event in events[-3:]] == ["answered", "spent", "corrected"]


async def test_a_driver_that_leaves_ends_the_look() -> None:
    is_ended = asyncio.Event()

    async def linger(message: VerifyRequest, turn: Turn) -> object:
        try:
            return await forever(message, turn)
        finally:
            is_ended.set()

    manager = LookingManager(linger)
    async with MemoryCluster() as cluster:
        await looking(cluster, manager)
        await cluster.submit("why?", 600.0, looks_again=True)
        await until(lambda: bool(manager.looks))
        await cluster.close_drivers()
        await is_ended.wait()


def test_a_task_without_an_answer_has_nothing_to_look_at() -> None:
    failed = Event(1.0, TaskId("t1"), AgentId("manager-0"), NO_STEP, Failed(Failure("model", "no")))

    with pytest.raises(AgentFailed, match="task t1 has no answer to look at again"):
        verify_request([failed])
