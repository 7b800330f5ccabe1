"""Tells replicas of the steps of a task that they will get, before these can start.

`task_run` has one for each task. What is told is in no journal, and may be lost: then a step takes
as long as it did without.
"""

from __future__ import annotations

import asyncio
import logging

from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import ClusterError
from cluster.kernel.events import Submitted
from cluster.kernel.ids import AgentId, StepId
from cluster.kernel.vocabulary import Prepare, Step
from cluster.runtime.tasks.context import TaskContext

_log = logging.getLogger(__name__)


class GettingReady:
    """Which replica was told of which step of a task.

    Args:
        context: what the owner of the task works with.
    """

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._told: dict[StepId, Envelope] = {}
        """Of the steps that nobody has begun."""
        self._known: set[StepId] = set()
        """Steps that were told of, or have begun."""
        self._telling: set[asyncio.Task[None]] = set()
        self._choosing = asyncio.Lock()
        """One after another: each sees whom the one before has told."""

    def begin(self, step: Step, submitted: Submitted) -> None:
        """Tell the replica that is likely to get a step; once, and nothing waits for it."""
        if step.id in self._known:
            return
        self._known.add(step.id)
        telling = asyncio.create_task(self._tell(step, submitted), name=f"prepare {step.id}")
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    def take(self, step: StepId) -> AgentId | None:
        """Return who was told of a step, now that it starts; None where nobody was."""
        self._known.add(step)
        told = self._told.pop(step, None)
        return told.recipient if told is not None else None

    async def close(self) -> None:
        """Have those stop who get ready for steps that will not come; the task is over."""
        for telling in self._telling:
            telling.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        for told in self._told.values():
            self._context.asker.exchange.request_cancel(told, "the step is not wanted any more")
        self._told.clear()

    async def _tell(self, step: Step, submitted: Submitted) -> None:
        prepare = Prepare(
            step.id, step.instruction, submitted.goal, submitted.collection, step.needs
        )
        try:
            async with self._choosing:
                # Steps that get ready at the same time will often run at the same time.
                others = frozenset(each.recipient for each in self._told.values())
                agent = await self._context.asker.replica_of(step.agent, others)
                told = self._envelope(agent, prepare)
                self._context.asker.exchange.post(told)
                self._told[step.id] = told
        except ClusterError as error:
            _log.info("nobody is told of step %s: %s", step.id, error)

    def _envelope(self, agent: AgentId, prepare: Prepare) -> Envelope:
        context = self._context
        return context.asker.envelope(
            agent,
            Kind.TELL,
            prepare,
            task=context.trace.task,
            step=prepare.step,
            cause=context.trace.cause,
            deadline_at=context.deadline.at,
            traceparent=context.trace.traceparent,
            outlives_recipient=True,
        )
