"""The kernel's part in a chain of three steps: its events folded, and what is to be done next."""

from __future__ import annotations

from cluster.kernel.events import (
    Answered,
    Detail,
    Event,
    PlanReady,
    StepFinished,
    StepStarted,
    Submitted,
)
from cluster.kernel.ids import NO_STEP, AgentId, StepId, TaskId
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.history import TaskHistory
from cluster.kernel.tasks.schedule import priorities
from cluster.kernel.vocabulary import Answer, Finding, Plan, Step

TASK = TaskId("fold-1")
MANAGER, RESEARCHER = AgentId("manager-0"), AgentId("researcher-0")
FINDING = Finding("This part says what is known about the market and where it was found.")
LENGTH = 3


def plan_of() -> Plan:
    """Return the chain."""
    ids = [StepId(f"r{number}") for number in range(1, LENGTH + 1)]
    return Plan(
        tuple(
            Step(step, "researcher", f"What is known about part {number} of the market?", needs)
            for number, (step, needs) in enumerate(
                zip(ids, [(), *((each,) for each in ids)], strict=False), start=1
            )
        )
    )


def fold_chain() -> TaskHistory:
    """Fold a task of the chain from its submission to its answer, scheduled after each event."""
    history, plan, durations = TaskHistory(), plan_of(), Durations()
    details: list[tuple[Detail, StepId, AgentId]] = [
        (Submitted("What is known about the market?"), NO_STEP, MANAGER),
        (PlanReady(plan), NO_STEP, MANAGER),
    ]
    for step in plan.steps:
        details.append((StepStarted(1), step.id, RESEARCHER))
        details.append((StepFinished("finished", value=FINDING), step.id, RESEARCHER))
    details.append((Answered(Answer("It is all known.")), NO_STEP, MANAGER))
    for index, (detail, step_id, agent) in enumerate(details, start=1):
        history.apply(Event(index / 10, TASK, agent, step_id, detail, index))
        history.orders()
        priorities(history.sealed, durations)
    return history
