"""One step of a task under way, from its agent's choice to its result in the journal.

`cluster.kernel.tasks.retries` decides who gets it, and when again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import ClusterError, StoreUnavailable
from cluster.kernel.events import StepFinished, StepStarted
from cluster.kernel.ids import AgentId
from cluster.kernel.tasks.history import DoStep
from cluster.kernel.tasks.retries import (
    ROLE_POLL_S,
    Retry,
    RoleWait,
    agent_restarted,
    first_try,
    role_missing,
    step_failed,
)
from cluster.kernel.vocabulary import Assignment, Failure
from cluster.runtime.messaging.sender import Unobserved
from cluster.runtime.tasks.context import TaskContext
from cluster.runtime.tasks.task_story import TaskStory
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import Opaque


class StepRun(Unobserved):
    """Has one step done, by one agent after another where one fails."""

    def __init__(
        self, story: TaskStory, context: TaskContext, order: DoStep, deadline: Deadline
    ) -> None:
        self._story = story
        self._context = context
        self._order = order
        self._deadline = deadline
        self._tries = first_try(order.attempt, order.agent)

    async def run(self) -> None:
        """Do the step to its end, which the journal then has; its failures are results too."""
        while True:
            try:
                value = await self._once()
                failure = None
                break
            except ClusterError as error:
                if self._story.journal.is_lost:
                    raise
                value, failure = None, failure_from_error(error)
                self._tries, retry = step_failed(self._tries, error)
                if retry is Retry.NEVER:
                    break
        await self._finished(value, failure)

    async def _once(self) -> object:
        step, submitted = self._order.step, self._story.submitted
        agent = self._tries.agent
        if not agent or not await self._is_registered(agent):
            agent = await self._replica()
            self._tries = replace(self._tries, agent=agent)
        started = StepStarted(self._tries.attempt, self._tries.reason)
        await self._story.record(started, step.id, agent)
        assignment = Assignment(
            step.id,
            step.instruction,
            submitted.goal,
            self._order.needed,
            submitted.collection,
        )
        ask = self._context.envelope(agent, assignment, step.id, self._deadline)
        return await self._context.asker.ask_replaceable(ask, self)

    async def _is_registered(self, agent: AgentId) -> bool:
        """Say whether an agent is known to hold a lease."""
        try:
            return any(found.agent == agent for found in await self._context.directory.all())
        except StoreUnavailable:
            return False

    async def _replica(self) -> AgentId:
        """Return a replica, waiting a while where the only one is being restarted."""
        context = self._context
        wait = RoleWait.begin(self._deadline.at, context.clock.now())
        while True:
            try:
                return await context.asker.replica_of(self._order.step.agent, self._tries.avoid)
            except ClusterError as error:
                if role_missing(wait, error, context.clock.now()) is Retry.NEVER:
                    raise
            await asyncio.sleep(ROLE_POLL_S)

    # ---- on its way ------------------------------------------------------------------------

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        """Show what the agent says of its work."""
        self._story.progress(detail, self._order.step.id, agent)

    def on_restart(self, agent: AgentId, epoch: int, /) -> None:
        """Journal that a new incarnation of the replica got the step again."""
        self._tries = agent_restarted(self._tries, agent, epoch)
        started = StepStarted(self._tries.attempt, self._tries.reason)
        self._story.begin(started, self._order.step.id, agent)

    @property
    def is_abandoned(self) -> bool:
        """The next owner of the task asks for the same step."""
        return self._story.is_over

    async def _finished(self, value: object, failure: Failure | None) -> None:
        outcome = "finished" if failure is None else "failed"
        result = value.text() if isinstance(value, Opaque) else ""
        finished = StepFinished(outcome, self._tries.attempt, failure, result, value)
        await self._story.record(finished, self._order.step.id, self._tries.agent or None)
