"""Shared state over the life of a task: its plan's own edits, its Manager's death, its end."""

from __future__ import annotations

import asyncio

from cluster.kernel.events import Answered
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer, Assignment, Finding, PlanProposal, PlanRequest
from cluster.memory.journal.port import ACKNOWLEDGED_KEPT_S
from cluster.memory.state.host.documents import Documents
from tests.support.hosts import MemoryCluster, until
from tests.support.notice_board import Board
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, events_of, step


async def spend(turn: Turn, amount: int) -> None:
    async with turn.state(Board) as board:
        board.spent += amount


class SpendingManager(PlanningManager):
    """Spends 1 on the plan and tells in its answer what was spent."""

    def __init__(self, *names: str, held: bool = False) -> None:
        super().__init__(*(step(name) for name in names))
        self.is_held = held
        self.planned = 0

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            await spend(turn, 1)
            self.planned += 1
            if self.is_held:
                await asyncio.Event().wait()
            return PlanProposal(self.plan)
        return Answer(str((await turn.open(Board)).spent))


async def research(message: object, turn: Turn) -> object:
    assert isinstance(message, Assignment)
    await spend(turn, 10)
    return Finding("found")


async def test_the_agents_of_a_task_and_its_manager_share_a_board() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(SpendingManager("a", "b"))
        await cluster.add("researcher-0", research)
        await cluster.add("researcher-1", research)

        events = await events_of(cluster)

    assert events[-1].detail == Answered(Answer("21"))


async def test_what_a_dead_manager_has_edited_for_its_plan_is_taken_back() -> None:
    async with MemoryCluster() as cluster:
        dying, living = SpendingManager("a", held=True), SpendingManager("a")
        first = await cluster.add_manager(dying, "manager-0")
        await cluster.add("researcher-0", research)
        task = await cluster.submit("why?", 20.0)
        await until(lambda: dying.planned == 1)
        await cluster.add_manager(living, "manager-1")
        await first.abort()
        cluster.hosts.remove(first)

        events = [event async for event in task]

    assert events[-1].detail == Answered(Answer("11"))


async def test_a_task_that_has_ended_takes_its_documents_along() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(SpendingManager("a"))
        await cluster.add("researcher-0", research)
        [*_, answered] = await events_of(cluster)
        task = answered.task

        await until(lambda: cluster.log.expired.get(task) == ACKNOWLEDGED_KEPT_S)

        assert cluster.shared["manager-0"].peek(f"task/{task}/Board") is None
        reader = Documents(cluster.log, cluster.clock)
        assert (await reader.open(f"task/{task}/Board")).fields == {"spent": 11}
        await reader.close()
