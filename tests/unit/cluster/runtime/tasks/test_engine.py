"""A submitted task reaches exactly one end, whatever its agents do."""

from __future__ import annotations

import asyncio

from cluster.kernel.errors import ModelError
from cluster.kernel.events import Answered, Event, Failed, StepFinished, StepStarted, Thought
from cluster.kernel.ids import StepId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Failure,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
)
from tests.support.hosts import MemoryCluster, until


def step(name: str, *needs: str, agent: str = "researcher") -> Step:
    return Step(StepId(name), agent, f"do {name}", tuple(StepId(need) for need in needs))


class PlanningManager:
    """Plans as told, and answers with the texts of the results."""

    def __init__(self, *steps: Step) -> None:
        self.plan = Plan(steps)
        self.composed: list[ComposeRequest] = []

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            return PlanProposal(self.plan)
        assert isinstance(message, ComposeRequest)
        self.composed.append(message)
        return Answer(" ".join(type(result.value).__name__ for result in message.results))


async def forever() -> object:
    return await asyncio.get_running_loop().create_future()


async def find(message: object, turn: Turn) -> object:
    assert isinstance(message, Assignment)
    turn.emit(Thought(f"looking at {message.step}"))
    return Finding(f"found {message.step}")


async def events_of(cluster: MemoryCluster, goal: str = "why?") -> list[Event]:
    task = await cluster.submit(goal)
    return [event async for event in task]


async def test_a_task_goes_from_submission_to_one_terminal_event() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a"), step("b", "a")))
        await cluster.add("researcher-0", find)

        events = await events_of(cluster)

    assert [event.kind for event in events] == [
        "submitted",
        "step_planned",
        "step_planned",
        "plan_ready",
        "step_started",
        "thought",
        "step_finished",
        "step_started",
        "thought",
        "step_finished",
        "answered",
    ]
    assert events[-1].detail == Answered(Answer("Finding Finding"))
    assert {event.task for event in events} == {events[0].task}


async def test_independent_steps_overlap_on_one_replica() -> None:
    both_run = asyncio.Barrier(2)

    async def meet(message: object, turn: Turn) -> object:
        await both_run.wait()
        return Finding("met")

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a"), step("b")))
        await cluster.add("researcher-0", meet)

        events = await events_of(cluster)

    assert isinstance(events[-1].detail, Answered)


async def test_a_step_gets_the_results_it_needs_and_no_others() -> None:
    seen: dict[str, list[str]] = {}

    async def note(message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        seen[message.step] = [result.step for result in message.results]
        return Finding("noted")

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a"), step("b"), step("c", "b")))
        await cluster.add("researcher-0", note)
        await events_of(cluster)

    assert seen == {"a": [], "b": [], "c": ["b"]}


async def test_a_failed_step_is_a_result_that_the_manager_sees() -> None:
    async def fail(message: object, turn: Turn) -> object:
        raise ModelError("the endpoint is gone")

    manager = PlanningManager(step("a"))
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", fail)
        events = await events_of(cluster)

    finished = [e.detail for e in events if isinstance(e.detail, StepFinished)]
    assert finished == [StepFinished("failed", 1, Failure("model", "the endpoint is gone"))]
    assert manager.composed[0].results[0].value == Failure("model", "the endpoint is gone")


async def test_an_agent_that_raises_anything_ends_its_step_not_the_cluster() -> None:
    async def crash(message: object, turn: Turn) -> object:
        raise KeyError("oops")

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", crash)

        first, second = await events_of(cluster), await events_of(cluster)

    failures = [e.detail.failure for e in first if isinstance(e.detail, StepFinished)]
    assert failures[0] is not None
    assert failures[0].kind == "agent_failed"
    assert second[-1].kind == "answered"


async def test_a_manager_whose_model_is_gone_fails_the_task_with_its_sentence() -> None:
    async def fail(message: object, turn: Turn) -> object:
        raise ModelError("the endpoint answered 401")

    async with MemoryCluster() as cluster:
        await cluster.add_manager(fail)

        events = await events_of(cluster)

    assert events[-1].detail == Failed(Failure("model", "the endpoint answered 401"))


async def test_a_cancelled_task_ends_cancelled_and_so_does_the_turn_that_ran() -> None:
    ended = asyncio.Event()

    async def hang(message: object, turn: Turn) -> object:
        turn.emit(Thought("hanging"))
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return None

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", hang)
        task = await cluster.submit("why?")
        events = []
        async for event in task:
            events.append(event)
            if event.kind == "thought":
                await task.cancel("enough")
        async with asyncio.timeout(1):
            await ended.wait()

    assert events[-1].kind == "cancelled"


async def test_a_task_that_passes_its_deadline_fails_with_that_kind() -> None:
    async def hang(message: object, turn: Turn) -> object:
        return await forever()

    async with MemoryCluster() as cluster:
        await cluster.add_manager(hang)
        task = await cluster.submit("why?", timeout_s=0.05)
        events = [event async for event in task]

    assert isinstance(events[-1].detail, Failed)
    assert events[-1].detail.failure.kind == "deadline"


async def test_a_restarted_agent_gets_the_step_again_and_the_user_is_told() -> None:
    started = asyncio.Event()

    async def hang(message: object, turn: Turn) -> object:
        started.set()
        return await forever()

    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        killed = await cluster.add("researcher-0", hang)
        task = await cluster.submit("why?", timeout_s=20)
        await started.wait()
        await killed.abort()
        await cluster.add("researcher-0", find)
        events = [event async for event in task]

    attempts = [e.detail for e in events if isinstance(e.detail, StepStarted)]
    assert [(a.attempt, bool(a.reason)) for a in attempts] == [(1, False), (2, True)]
    assert events[-1].detail == Answered(Answer("Finding"))


async def test_a_driver_that_has_left_is_forgotten() -> None:
    async with MemoryCluster() as cluster:
        manager = await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", find)
        for _ in range(5):
            await events_of(cluster)
            await cluster.close_drivers()
        await until(lambda: manager.exchange.peers_known == 1)

    assert manager.exchange.peers_known <= 1


async def test_two_tasks_at_once_keep_apart() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a")))
        await cluster.add("researcher-0", find)
        one, other = await cluster.submit("one"), await cluster.submit("other")

        first = [event async for event in one]
        second = [event async for event in other]

    assert {e.task for e in first} == {one.id}
    assert {e.task for e in second} == {other.id}
