"""A task whose plan the user has declared: its journal has the plan from the beginning on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cluster.kernel.events import Answered, Event, Failed, PlanReady, StepStarted, Submitted
from cluster.kernel.ids import PLAN_STEP
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Plan, Step
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, find, step
from tests.unit.cluster.runtime.tasks.test_plan_run import counted

OTHER = step("planned")
"""What the Manager would plan."""


async def assigned(steps: tuple[Step, ...], calls_max: Mapping[str, int]) -> dict[str, float]:
    """Run a workflow; return with which priority each step reached its agent."""
    given: dict[str, float] = {}

    async def note(message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        given[message.step] = message.priority
        return await find(message, turn)

    async with MemoryCluster(calls_max=calls_max) as cluster:
        await cluster.add("researcher-0", note)
        await cluster.add_manager(PlanningManager(OTHER))
        async for _ in await cluster.submit("why?", workflow=Plan(steps)):
            pass
    return given


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


async def test_the_steps_are_done_as_they_are_and_nobody_is_asked_for_a_plan() -> None:
    journal = await run(step("a"), step("b", "a"))

    assert [e.detail.plan.steps for e in journal if isinstance(e.detail, PlanReady)] == [
        (step("a"), step("b", "a"))
    ]
    assert [e.step for e in journal if isinstance(e.detail, StepStarted)] == ["a", "b"]
    assert PLAN_STEP not in {event.step for event in journal}
    assert isinstance(journal[-1].detail, Answered)


async def test_a_step_for_a_role_that_nobody_has_fails_before_anything_starts() -> None:
    journal = await run(step("a"), replace(step("b"), agent="reviewer", alternatives=("critic",)))

    [failed] = [e.detail.failure for e in journal if isinstance(e.detail, Failed)]
    assert failed.kind == "usage"
    assert failed.message == (
        "the workflow's step b is for the agent reviewer or critic, which this cluster doesn't "
        "have; it has researcher"
    )
    assert not [event for event in journal if isinstance(event.detail, StepStarted)]


async def test_a_workflow_whose_steps_wait_for_each_other_fails_at_once() -> None:
    journal = await run(step("a", "b"), step("b", "a"))

    assert isinstance(journal[-1].detail, Failed)
    assert "steps.a.needs go in a circle: a needs b needs a" in journal[-1].detail.failure.message


async def test_a_fact_and_what_begins_by_it_are_appended_together() -> None:
    async with MemoryCluster() as cluster:
        journal = counted(cluster)
        await cluster.add("researcher-0", find)
        await cluster.add_manager(PlanningManager(OTHER))
        task = await cluster.submit("why?", workflow=Plan((step("a"), step("b", "a"))))
        async for _ in task:
            pass

    assert journal.appends == [
        ["submitted", "plan_ready", "step_started"],
        ["step_finished", "step_started"],
        ["step_finished"],
        ["answered"],
    ]


HELD_UP = (
    replace(step("a"), expected_s=2.0),
    replace(step("b"), expected_s=5.0),
    replace(step("c", "a", "b"), expected_s=2.0),
    replace(step("d"), expected_s=5.0),
)
"""By the longest path d goes before a; with two calls at once that is the wrong way round."""


async def test_a_step_is_as_urgent_as_what_hangs_on_it() -> None:
    assert await assigned(HELD_UP, {}) == {"a": 4.0, "b": 7.0, "c": 2.0, "d": 5.0}


async def test_where_calls_are_few_urgency_is_the_order_that_ends_soonest() -> None:
    given = await assigned(HELD_UP, {"researcher": 2})

    assert given["a"] > given["d"]
