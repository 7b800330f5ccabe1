"""A Manager that adopts a recorded journal asks for what the recording says, and nothing else.

Every beginning of every journal is put before a new Manager, as if its owner had died there; all
whom it asks only note down what they were asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cluster.kernel.events import Event, PlanReady, StepStarted, Submitted
from cluster.kernel.ids import NO_AGENT, AgentId, StepId, TaskId
from cluster.kernel.tasks.history import Compose, DoStep, MakePlan, Order, TaskHistory
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, ComposeRequest, PlanRequest
from cluster.runtime.tasks import step_run
from cluster.runtime.tasks.task_journal import events_of
from tests.histories.journals import CODEC, names, plain, recorded, stored_event
from tests.support.hosts import MemoryCluster, until

DEADLINE_S = 60.0
TURNS_TO_ASK_IN = 50
LOST = Owner(AgentId("manager-9"), 1)


class Notes:
    """Takes every message, and answers none."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def __call__(self, message: object, turn: Turn) -> object:
        self.asked.append(message)
        return await asyncio.get_running_loop().create_future()


def expected(order: Order, submitted: Submitted) -> object:
    """Return what an order comes to at the agent that gets it."""
    match order:
        case MakePlan(sealed):
            return ("plan", submitted.goal, plain(sealed))
        case DoStep(step, needed, redo=redo):
            return (step.id, step.instruction, submitted.goal, plain(needed), redo)
        case Compose(plan, results):
            return ("compose", submitted.goal, plain(plan), plain(results))


def told(message: object) -> object:
    """Return a message as `expected` has it."""
    match message:
        case PlanRequest(goal, sealed=sealed):
            return ("plan", goal, plain(sealed))
        case Assignment(step, instruction, goal, results, redo=redo):
            return (step, instruction, goal, plain(results), redo)
        case ComposeRequest(goal, plan, results):
            return ("compose", goal, plain(plan), plain(results))
    raise AssertionError(f"nobody should be asked {message!r}")


@pytest.mark.parametrize("name", names())
async def test_a_manager_that_adopts_does_what_the_recording_says(name: str) -> None:
    stored = [entry.stored for entry in recorded(name)]
    for length in range(1, len(stored)):
        await adopt(stored[:length])


def with_declared_plan(history: TaskHistory, submitted: Submitted) -> TaskHistory:
    """Return what is known once an adopter has journaled the plan, where nobody makes it."""
    known = history.copy()
    if submitted.workflow is not None and known.plan is None:
        ready = PlanReady(submitted.workflow)
        task = TaskId("t")
        known.apply(Event(0.0, task, NO_AGENT, StepId(""), ready, index=known.length + 1))
    return known


async def adopt(stored: list[bytes]) -> None:
    notes = Notes()
    async with MemoryCluster() as cluster:
        events = events_of(stored, CODEC)
        history = TaskHistory()
        for event in events:
            history.apply(event)
        submitted, now = events[0].detail, cluster.clock.wall()
        assert isinstance(submitted, Submitted)
        known = with_declared_plan(history, submitted)
        in_time = replace(submitted, submitted_wall_s=now, deadline_wall_s=now + DEADLINE_S)
        entries = [stored_event(replace(events[0], detail=in_time)), *stored[1:]]
        await cluster.journal.claim(events[0].task, LOST)
        await cluster.journal.append(events[0].task, 1, 1, entries)
        steps = submitted.workflow.steps if submitted.workflow else ()
        to_do = [o.step for o in known.orders() if isinstance(o, DoStep)]
        for role in {each.agent for each in (*steps, *to_do)}:
            await cluster.add(f"{role}-0", notes)

        await cluster.add_manager(notes)
        orders = [expected(order, submitted) for order in known.orders()]
        attempts = [o.attempt for o in known.orders() if isinstance(o, DoStep)]
        await until(lambda: len(notes.asked) >= len(orders))
        for _ in range(TURNS_TO_ASK_IN):
            await asyncio.sleep(0)
        for host in cluster.hosts:
            await host.abort()
        cluster.hosts.clear()
        journal = events_of(await cluster.journal.read(events[0].task), CODEC)
    asked = sorted(map(told, notes.asked), key=repr)
    assert asked == sorted(orders, key=repr), "others were asked, or for something else"
    added = [event.detail for event in journal[len(stored) :]]
    assert [d.attempt for d in added if isinstance(d, StepStarted)] == attempts
    assert len(added) == len(attempts) + known.length - history.length


def forgetful(*fields: Any) -> Assignment:
    return replace(Assignment(*fields), results=())


async def test_a_manager_that_leaves_out_what_a_step_needs_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = [entry.stored for entry in recorded("chain")]
    await adopt(stored[:2])
    monkeypatch.setattr(step_run, "Assignment", forgetful)
    with pytest.raises(AssertionError, match="asked"):
        await adopt(stored[:4])
