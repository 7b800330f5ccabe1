"""The driver: a peer with a mailbox that submits tasks and sees their events.

It only dials (nobody needs to find it), so it needs neither Ray nor a lease: attaching is a look
into the directory and one stream to a Manager.
"""

from __future__ import annotations

import asyncio
import random

from cluster.kernel.clock import Clock
from cluster.kernel.errors import (
    PlacementError,
    UnknownRecipient,
    UsageError,
)
from cluster.kernel.ids import (
    AgentId,
    IdSource,
    TaskId,
    agent_id,
)
from cluster.kernel.roles import MANAGER
from cluster.kernel.submission import GOAL_CHARS_MAX, Submission
from cluster.kernel.tasks.budget import NO_BUDGET, Budget
from cluster.kernel.tasks.failover import may_look_again
from cluster.kernel.trace import SAMPLED_SHARE, new_traceparent
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Coherence, Plan
from cluster.memory.directory import Directory
from cluster.memory.store.port import Store
from cluster.runtime.driver.submitted import SubmittedTask, addressed
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.exchange import Exchange
from cluster.runtime.messaging.port import DeliveryObserver
from cluster.runtime.messaging.sender import Sender, WhyOver
from cluster.runtime.turns.runner import TurnRunner
from cluster.transport.port import Transport
from cluster.wire.messages import MessageCodec

LOOK_AGAIN_S = 0.2


class NoWork:
    """The handler of a driver: it is only there to submit."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Refuse whatever is asked."""
        raise UsageError(f"{turn.agent} is a driver and takes no {type(message).__name__}")


class Driver:
    """Submits tasks to a Manager of a running cluster."""

    def __init__(
        self,
        store: Store,
        transport: Transport,
        clock: Clock,
        *,
        scope: str = "",
        rng: random.Random | None = None,
        sampled_share: float = SAMPLED_SHARE,
        looks_again: bool = False,
        why_over: WhyOver | None = None,
        observer: DeliveryObserver | None = None,
    ) -> None:
        """With ``looks_again`` a Manager checks what nothing backs once an answer is out."""
        self._sampled_share = sampled_share
        self._looks_again = looks_again
        rng = rng or random.Random()
        agent = agent_id("driver", rng.getrandbits(48))
        directory = Directory(store, clock, scope=scope)
        codec = MessageCodec()
        ids = IdSource(clock.wall, rng)
        self._exchange = Exchange(
            agent,
            transport=transport,
            directory=directory,
            clock=clock,
            codec=codec,
            rng=rng,
            ids=ids,
            dead_letters=DeadLetterBox(store, scope),
            observer=observer,
        )
        self._random = rng
        self._sender = Sender(self._exchange, directory, codec, clock, ids, why_over=why_over)
        self._tasks: dict[TaskId, SubmittedTask] = {}
        """Those that have not ended."""

    async def start(self) -> None:
        """Be ready to dial."""
        runner = TurnRunner(NoWork(), self._sender, concurrency=1)
        await self._exchange.start(1, runner, listens=False)

    async def submit(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence = Coherence.CHAINED,
        budget: Budget = NO_BUDGET,
        workflow: Plan | None = None,
    ) -> SubmittedTask:
        """Hand a goal to a Manager, and a plan where none is to be made.

        Raises:
            UsageError: the goal is empty or too long.
            UnknownRecipient: no Manager is registered, for as long as a restart takes.
            StoreUnavailable: the directory can't be read.
            PlacementError: the cluster was stopped meanwhile.
        """
        if not goal.strip():
            raise UsageError("the goal is empty")
        if len(goal) > GOAL_CHARS_MAX:
            raise UsageError(
                f"the goal has {len(goal)} characters, {GOAL_CHARS_MAX} are allowed: put long"
                " texts into the knowledge"
            )
        manager = await self._manager(timeout_s)
        submission = Submission(
            self._sender.ids.task_id(),
            goal,
            collection,
            coherence=coherence,
            workflow=workflow,
            tokens_max=budget.tokens_max,
            cost_max=budget.cost_max,
        )
        deadline_at = self._sender.clock.now() + timeout_s
        traceparent = new_traceparent(self._random, self._sampled_share)
        ask = addressed(self._sender, submission, manager, deadline_at, traceparent)
        submitted = SubmittedTask(submission, ask, self._sender, looks_again=self._looks_again)
        self._tasks[submitted.id] = submitted
        submitted.work.add_done_callback(lambda _: self._tasks.pop(submitted.id, None))
        return submitted

    async def _manager(self, timeout_s: float) -> AgentId:
        """Return a Manager, waiting a while where the only one is being restarted."""
        clock = self._sender.clock
        began_at = clock.now()
        while True:
            try:
                return await self._sender.replica_of(MANAGER, frozenset())
            except UnknownRecipient as error:
                if (reason := self._sender.why_over()) is not None:
                    raise PlacementError(reason) from error
                if not may_look_again(began_at, timeout_s, clock.now()):
                    raise
            await asyncio.sleep(LOOK_AGAIN_S)

    async def abort(self) -> None:
        """End as a crash does: nothing is cancelled, nothing said."""
        await self._exchange.abort()
        for task in list(self._tasks.values()):
            await task.close()

    async def close(self) -> None:
        """Cancel what still runs and leave."""
        for task in list(self._tasks.values()):
            await task.close()
        await self._exchange.stop()
