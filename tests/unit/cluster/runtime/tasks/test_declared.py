"""A task whose plan the user has declared: its journal has the plan from the beginning on."""

from __future__ import annotations

from cluster.kernel.events import Event, Submitted
from cluster.kernel.vocabulary import Plan, Step
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, find, step

OTHER = step("planned")
"""What the Manager would plan."""


async def run(*steps: Step) -> list[Event]:
    """Run a workflow; return its journal."""
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", find)
        await cluster.add_manager(PlanningManager(OTHER))
        task = await cluster.submit("why?", workflow=Plan(steps))
        async for _ in task:
            pass
        return events_of(await cluster.journal.read(task.id), MessageCodec())


async def test_the_journal_begins_with_the_workflow_so_that_an_adopter_has_it() -> None:
    steps = (step("a"), step("b", "a"))

    [first, *_] = await run(*steps)

    assert isinstance(first.detail, Submitted)
    assert first.detail.workflow == Plan(steps)
