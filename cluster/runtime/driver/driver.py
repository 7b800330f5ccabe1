"""The driver: a peer with a mailbox that submits tasks and sees their events.

It only dials (nobody needs to find it), so it needs neither Ray nor a lease: attaching is a look
into the directory and one stream to a Manager.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

from cluster.kernel.clock import Clock
from cluster.kernel.conversation import ChatMessage
from cluster.kernel.envelope import Envelope
from cluster.kernel.errors import PlacementError, UnknownRecipient, UsageError
from cluster.kernel.events import Event
from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import AgentId, IdSource, TaskId, agent_id
from cluster.kernel.roles import MANAGER
from cluster.kernel.submission import GOAL_CHARS_MAX, Submission
from cluster.kernel.tasks.budget import NO_BUDGET, Budget
from cluster.kernel.tasks.failover import may_look_again
from cluster.kernel.trace import SAMPLED_SHARE, new_traceparent
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Coherence, Plan
from cluster.memory.directory import Directory
from cluster.memory.feed.port import TaskFeed
from cluster.memory.journal.port import Journal
from cluster.memory.store.port import Store
from cluster.memory.task_records.port import TaskRecords
from cluster.runtime.driver.detached import TaskStores, end_task, hand_in
from cluster.runtime.driver.handover import addressed
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.driver.watching import Watching
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
        feed: TaskFeed | None = None,
        records: TaskRecords | None = None,
        journal: Journal | None = None,
    ) -> None:
        """With ``looks_again`` a Manager checks what nothing backs once an answer is out.

        The last three are where the cluster keeps what `watch` and `cancel` look at; they stay
        their owner's.
        """
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
        self._stores = TaskStores(feed, records, journal)
        self._watching = None if feed is None else Watching(feed, self._stores, codec, clock)

    async def open(self) -> None:
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
        owner: str = "",
        conversation: tuple[ChatMessage, ...] = (),
        is_aside: bool = False,
        task: TaskId | None = None,
    ) -> SubmittedTask:
        """Hand a goal to a Manager, and a plan where none is to be made.

        Args:
            goal: what is to be done.
            collection: the knowledge to answer from.
            timeout_s: how long it may take.
            coherence: how steps share state.
            budget: what it may use.
            workflow: the plan, where none is to be made.
            owner: whose task it is, as in `Submission`.
            conversation: what was said before the goal.
            is_aside: a program that shows the conversation wants it, as in `Submission`.
            task: its id, where it has one already.

        Raises:
            UsageError: the goal is empty or too long.
            UnknownRecipient: no Manager is registered, for as long as a restart takes.
            StoreUnavailable: the directory can't be read.
            PlacementError: the cluster was stopped meanwhile.
        """
        submission = Submission(
            task or self._sender.ids.task_id(),
            _checked_goal(goal),
            collection,
            coherence=coherence,
            workflow=workflow,
            tokens_max=budget.tokens_max,
            cost_max=budget.cost_max,
            owner=owner,
            conversation=conversation,
            is_aside=is_aside,
        )
        ask = await self._ask(submission, timeout_s)
        submitted = SubmittedTask(submission, ask, self._sender, looks_again=self._looks_again)
        self._tasks[submitted.id] = submitted
        submitted.work.add_done_callback(lambda _: self._tasks.pop(submitted.id, None))
        return submitted

    async def start(
        self,
        goal: str,
        *,
        collection: str,
        timeout_s: float,
        coherence: Coherence = Coherence.CHAINED,
        budget: Budget = NO_BUDGET,
        workflow: Plan | None = None,
        owner: str = "",
        conversation: tuple[ChatMessage, ...] = (),
        is_aside: bool = False,
        task: TaskId | None = None,
    ) -> TaskId:
        """Hand in a task that belongs to the cluster; return its id when it is durable.

        Repeated with the same id it is the same task. Arguments and errors are those of `submit`.

        Raises:
            Overloaded: each Manager has as many tasks as it may; nothing was begun.
            DeadlinePassed: nobody has said in time that it is durable, which it may be.
            ClusterError: why no Manager takes it.
        """
        submission = Submission(
            task or self._sender.ids.task_id(),
            _checked_goal(goal),
            collection,
            coherence=coherence,
            workflow=workflow,
            tokens_max=budget.tokens_max,
            cost_max=budget.cost_max,
            owner=owner,
            is_detached=True,
            conversation=conversation,
            is_aside=is_aside,
        )
        ask = await self._ask(submission, timeout_s)
        await hand_in(submission, ask, self._sender)
        return submission.task

    async def _ask(self, submission: Submission, timeout_s: float) -> Envelope:
        manager = await self._manager(timeout_s)
        deadline_at = self._sender.clock.now() + timeout_s
        traceparent = new_traceparent(self._random, self._sampled_share)
        return addressed(self._sender, submission, manager, deadline_at, traceparent)

    def watch(
        self, task: TaskId, after: Cursor = BEFORE_ALL
    ) -> AsyncGenerator[tuple[Cursor, Event]]:
        """Yield what follows a cursor of a task's feed, to the terminal event.

        A gap is an event too; where no event is kept of a task that has ended, it is the last.
        Close it where it is left before its end.

        Raises:
            UsageError: there is no such task, or this driver was given no feed.
            StoreUnavailable: the store was away for too long; go on after the last cursor.
            Stopped: this driver was closed.
        """
        if self._watching is None:
            raise UsageError("this driver was made without the feed of its cluster's tasks")
        return self._watching.events(task, after)

    async def cancel(self, task: TaskId, reason: str = "") -> Event:
        """End a task, whoever has submitted it; return its terminal event, be it of before.

        Raises:
            UsageError: there is no such task, or nothing but its record is kept of it.
            DeadlinePassed: it has not ended in time.
            ClusterError: why nobody can be asked.
        """
        return await end_task(task, reason, self._sender, self._stores)

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
        if self._watching is not None:
            await self._watching.close()

    async def close(self) -> None:
        """Cancel what was submitted and still runs, and leave."""
        for task in list(self._tasks.values()):
            await task.close()
        if self._watching is not None:
            await self._watching.close()
        await self._exchange.stop()


def _checked_goal(goal: str) -> str:
    """Return a goal; raises UsageError where it is empty or too long."""
    if not goal.strip():
        raise UsageError("the goal is empty")
    if len(goal) > GOAL_CHARS_MAX:
        raise UsageError(
            f"the goal has {len(goal)} characters, {GOAL_CHARS_MAX} are allowed: put long"
            " texts into the knowledge"
        )
    return goal
