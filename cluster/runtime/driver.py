"""The driver: a peer with a mailbox that submits tasks and sees their events.

It only dials (nobody needs to find it), so it needs neither Ray nor a lease: attaching is a look
into the directory and one stream to a Manager.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import Cancelled, ClusterError, UsageError
from cluster.kernel.events import Detail, Event, Failed, Thought, WasCancelled
from cluster.kernel.ids import NO_AGENT, NO_STEP, IdSource, agent_id
from cluster.kernel.tasks import GOAL_CHARS_MAX, Submission
from cluster.kernel.trace import new_traceparent
from cluster.kernel.turn import Turn
from cluster.memory.store import Store
from cluster.runtime.directory import Directory
from cluster.runtime.exchange import Exchange
from cluster.runtime.turns import Observed, Sender, TurnRunner
from cluster.transport.port import Transport
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import MessageCodec

EVENTS_WAITING_MAX = 10_000
"""Events a slow reader may leave waiting; beyond, thoughts are dropped (never other events)."""
GRACE_S = 2.0
"""How long after the deadline the Manager's last word may still arrive."""


class NoWork:
    """The handler of a driver: it is only there to submit."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Refuse whatever is asked."""
        raise UsageError(f"{turn.agent} is a driver and takes no {type(message).__name__}")


class SubmittedTask:
    """A task on its way; iterate it once for its events, the last of them terminal."""

    def __init__(self, ask: Envelope, sender: Sender) -> None:
        self.id = ask.task
        self._ask = ask
        self._sender = sender
        self._started_at = sender.clock.now()
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._work = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """Wait for the terminal event; where none comes, say why in one."""
        observed = Observed(on_progress=lambda _, event: self._put(event))
        try:
            self._put(await self._sender.ask(self._ask, observed, grace_s=GRACE_S))
        except Cancelled as error:
            self._end(WasCancelled(str(error)))
        except ClusterError as error:
            self._end(Failed(failure_from_error(error)))

    def _end(self, detail: Detail) -> None:
        at_s = self._sender.clock.now() - self._started_at
        self._put(Event(at_s, self.id, NO_AGENT, NO_STEP, detail))

    def _put(self, event: object) -> None:
        if not isinstance(event, Event):
            return
        if len(self._events) >= EVENTS_WAITING_MAX and isinstance(event.detail, Thought):
            return
        self._events.append(event)
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events as they happen; ends after the terminal one."""
        while True:
            while self._events:
                event = self._events.popleft()
                yield event
                if event.is_terminal:
                    return
            self._news.clear()
            await self._news.wait()

    async def cancel(self, reason: str = "") -> None:
        """Ask the Manager to end the task; its terminal event says that it did."""
        self._sender.exchange.request_cancel(self._ask, reason)

    async def close(self) -> None:
        """Stop waiting; a task that still runs is cancelled."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


class Driver:
    """Submits tasks to a Manager of a running cluster."""

    def __init__(
        self, store: Store, transport: Transport, clock: Clock, *, scope: str = ""
    ) -> None:
        rng = random.Random()
        agent = agent_id("driver", rng.getrandbits(48))
        directory = Directory(store, clock, scope=scope)
        exchange = Exchange(agent, transport=transport, directory=directory, clock=clock)
        ids = IdSource(clock.wall, rng)
        self._random = rng
        self._sender = Sender(exchange, directory, MessageCodec(), clock, ids)
        self._tasks: list[SubmittedTask] = []

    async def start(self) -> None:
        """Be ready to dial."""
        runner = TurnRunner(NoWork(), self._sender, concurrency=1)
        await self._sender.exchange.start(1, runner, listens=False)

    async def submit(self, goal: str, *, collection: str, timeout_s: float) -> SubmittedTask:
        """Hand a goal to a Manager.

        Raises:
            UsageError: the goal is empty or too long.
            UnknownRecipient: no Manager is registered.
            StoreUnavailable: the directory can't be read.
        """
        if not goal.strip():
            raise UsageError("the goal is empty")
        if len(goal) > GOAL_CHARS_MAX:
            raise UsageError(
                f"the goal has {len(goal)} characters, {GOAL_CHARS_MAX} are allowed: put long"
                " texts into the knowledge"
            )
        manager = await self._sender.replica_of("manager", frozenset())
        task = self._sender.ids.task_id()
        ask = self._sender.envelope(manager, Kind.ASK, Submission(task, goal, collection))
        ask.task = task
        ask.deadline_at = self._sender.clock.now() + timeout_s
        ask.trust = Trust.USER
        ask.traceparent = new_traceparent(self._random)
        submitted = SubmittedTask(ask, self._sender)
        self._tasks.append(submitted)
        return submitted

    async def close(self) -> None:
        """Cancel what still runs and leave."""
        for task in self._tasks:
            await task.close()
        await self._sender.exchange.stop()
