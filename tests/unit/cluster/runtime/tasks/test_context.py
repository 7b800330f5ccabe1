"""The owner of a task asks in its name, within its time, whoever brought the task."""

from __future__ import annotations

import pytest

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import DeadlinePassed
from cluster.kernel.events import Thought
from cluster.kernel.ids import NO_ENVELOPE, AgentId, StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.tasks.context import OwnTurn, TaskContext, Trace
from tests.support.hosts import MemoryCluster

STEP = StepId("plan")
TASK = TaskId("t")


def context_of(sender: Sender, timeout_s: float = 20.0) -> TaskContext:
    """Return the context of a task that was adopted without its driver."""
    deadline = Deadline.after(timeout_s, sender.clock.now())
    trace = Trace(TASK, "00-trace")
    return TaskContext(sender.clock, sender.directory, sender, deadline, trace)


async def echo(message: object, turn: Turn) -> object:
    return Finding(f"{turn.task} {turn.step} {turn.traceparent}")


async def test_what_is_asked_for_a_task_belongs_to_it() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("manager-0", echo)
        await cluster.add("echo-0", echo)
        context = context_of(cluster.senders["manager-0"])
        turn = OwnTurn(context, STEP, context.deadline, lambda _: None)

        said = await turn.ask("echo", Finding("x"))
        ask = context.envelope(AgentId("echo-0"), Finding("x"), STEP, context.deadline)

    assert said == Finding("t plan 00-trace")
    assert (ask.task, ask.step, ask.cause) == (TASK, STEP, NO_ENVELOPE)


async def test_nothing_is_asked_for_when_no_time_is_left() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("manager-0", echo)
        context = context_of(cluster.senders["manager-0"], timeout_s=0.0)

        with pytest.raises(DeadlinePassed):
            context.envelope(AgentId("echo-0"), Finding("x"), STEP, context.deadline)


async def test_what_the_manager_says_of_a_task_of_its_own_goes_to_those_who_follow_it() -> None:
    said: list[object] = []
    async with MemoryCluster() as cluster:
        await cluster.add("manager-0", echo)
        context = context_of(cluster.senders["manager-0"])
        turn = OwnTurn(context, STEP, context.deadline, said.append)

        turn.emit(Thought("hm"))

    assert said == [Thought("hm")]
    assert (turn.task, turn.agent) == (TASK, "manager-0")
