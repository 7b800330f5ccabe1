"""The driver: a peer with a mailbox that submits tasks and sees their events.

It only dials (nobody needs to find it), so it needs neither Ray nor a lease: attaching is a look
into the directory and one stream to a Manager.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import (
    Cancelled,
    ClusterError,
    DeadlinePassed,
    Overloaded,
    PlacementError,
    StoreUnavailable,
    UnknownRecipient,
    Unsupported,
    UsageError,
)
from cluster.kernel.events import (
    Detail,
    Event,
    Failed,
    FellBack,
    Thought,
    UnknownDetail,
    WasCancelled,
)
from cluster.kernel.ids import (
    NO_AGENT,
    NO_STEP,
    VERIFY_STEP,
    AgentId,
    IdSource,
    StepId,
    TaskId,
    agent_id,
)
from cluster.kernel.roles import MANAGER
from cluster.kernel.trace import SAMPLED_SHARE, new_traceparent
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import GOAL_CHARS_MAX, Seen, Submission
from cluster.memory.store.port import Store
from cluster.runtime.directory import Directory
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.exchange import Exchange
from cluster.runtime.messaging.port import DeliveryObserver
from cluster.runtime.messaging.sender import Observed, Sender, WhyOver
from cluster.runtime.tasks.second_look import is_doubtful, look_again
from cluster.runtime.turns.runner import TurnRunner
from cluster.transport.port import Transport
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import MessageCodec

_log = logging.getLogger(__name__)

EVENTS_WAITING_MAX = 10_000
"""Events a slow reader may leave waiting; beyond, thoughts are dropped (never other events)."""
GRACE_S = 2.0
"""How long after the deadline the Manager's last word may still arrive."""
ACCEPT_WAIT_S = 15.0
"""How long a Manager that accepts the task is looked for: a restart takes a few seconds. Once it is
accepted, its deadline is the bound."""
AGAIN_S_MIN = 0.02
AGAIN_S_MAX = 1.0
LOOK_AGAIN_S = 0.2


class NoWork:
    """The handler of a driver: it is only there to submit."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Refuse whatever is asked."""
        raise UsageError(f"{turn.agent} is a driver and takes no {type(message).__name__}")


class SubmittedTask:
    """A task on its way; iterate it once for its events.

    The last of them is terminal; with ``looks_again`` only corrections of the answer follow it.
    It outlives its Manager: where that one is lost, another one, or its next incarnation, is asked
    to go on with the task, and shows its journal again, of which only news are passed on.
    """

    def __init__(
        self, submission: Submission, ask: Envelope, sender: Sender, *, looks_again: bool = False
    ) -> None:
        self.id = submission.task
        self._looks_again = looks_again
        self._submission = submission
        self._ask = ask
        self._sender = sender
        self._started_at = sender.clock.now()
        self._deadline_at = ask.deadline_at or 0.0
        self._traceparent = ask.traceparent
        self._was_sent = False
        """A Manager may have accepted the task, whatever we heard of it."""
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._at_s = 0.0
        """When the last event happened; none is shown as older than one before it."""
        self._seen = 0
        """The highest number in the task's journal that was passed on."""
        self._wish: str | None = None
        """Why the task is to be cancelled, once somebody has asked for it."""
        self._is_waiting = False
        """The user has been told that no Manager is heard of."""
        self._refused_by: frozenset[AgentId] = frozenset()
        self._has_ended = False
        """The terminal event is out."""
        self.work = asyncio.ensure_future(self._run())
        self.work.add_done_callback(lambda _: self._news.set())

    async def _run(self) -> None:
        """Wait for the terminal event; where none comes, say why in one."""
        ended: Event | None = None
        try:
            ended = await self._until_end()
            self._put(ended)
        except Cancelled as error:
            self._show(WasCancelled(str(error)), NO_AGENT)
        except ClusterError as error:
            self._show(Failed(failure_from_error(error)), NO_AGENT)
        self._has_ended = True
        if self._looks_again and is_doubtful(ended):
            for found in await look_again(self._sender, self._ask, self._corrected):
                self._corrected(self._ask.recipient, found)

    def _corrected(self, agent: AgentId, detail: Detail) -> None:
        """Add what the second look at the answer says."""
        self._show(detail, agent, VERIFY_STEP)

    async def _until_end(self) -> Event:
        """Ask one Manager after another until one says how the task has ended."""
        tries = 0
        while True:
            tries += 1
            try:
                ended = await self._ask_once()
            except ClusterError as error:
                if isinstance(error, Overloaded) and not self._was_sent:
                    # When to come back is for the user to decide: we only look elsewhere.
                    if await self._is_refused_by_all():
                        raise
                    continue
                if not self._may_ask_again(error):
                    raise self._last_error(error) from error
                self._say_that_we_wait(str(error))
            else:
                self._acknowledge(ended)
                if isinstance(ended, Event) and ended.is_terminal:
                    return ended
                raise Unsupported(f"{self._ask.recipient} ended the task in a way newer than ours")
            await asyncio.sleep(min(AGAIN_S_MIN * 2 ** min(tries, 10), AGAIN_S_MAX))
            await self._choose_again()

    async def _ask_once(self) -> object:
        """Ask the Manager; where it is lost and there is another one, leave the task to that one.

        The lost one is not told to stop: if it lives, it learns from the journal that it need not.
        """
        lost = f"{self._ask.recipient} can't be reached"
        observed = Observed(
            on_progress=lambda _, event: self._hear(event),
            on_link_lost=lambda: self._say_that_we_wait(lost),
        )
        if self._wish is not None:
            self._sender.exchange.request_cancel(self._ask, self._wish)
        return await self._sender.ask_replaceable(
            self._ask, observed, is_left=True, grace_s=GRACE_S
        )

    def _may_ask_again(self, error: ClusterError) -> bool:
        """Say whether another Manager, or the same one later, can still end the task well."""
        now = self._sender.clock.now()
        self._was_sent = self._was_sent or self._ask.attempt > 0
        bound_s = math.inf if self._was_sent else ACCEPT_WAIT_S
        if now >= self._deadline_at or now - self._started_at > bound_s:
            return False
        return _may_pass(error)

    def _last_error(self, error: ClusterError) -> ClusterError:
        """Return what the user is told: of what another try may have mended, that time is up."""
        is_late = self._sender.clock.now() >= self._deadline_at and _may_pass(error)
        return DeadlinePassed(f"the deadline passed: {error}") if is_late else error

    def _say_that_we_wait(self, why: str) -> None:
        """Show that no Manager is heard of just now; once, until one is."""
        if not self._is_waiting:
            self._is_waiting = True
            waits = f"{why}; the task goes on when it is back, or with another Manager"
            self._show(FellBack("to waiting", waits), self._ask.recipient)

    def _hear(self, event: object) -> None:
        self._is_waiting = False
        self._put(event)

    async def _is_refused_by_all(self) -> bool:
        """Turn to a Manager that has not refused the task; say whether there is none."""
        self._refused_by |= {self._ask.recipient}
        await self._choose_again()
        return self._ask.recipient in self._refused_by

    async def _choose_again(self) -> None:
        """Address the ask anew; an agent that is being restarted may be the only one there is."""
        avoid = self._refused_by | {self._ask.recipient}
        try:
            manager = await self._sender.replica_of(MANAGER, avoid)
        except (StoreUnavailable, UnknownRecipient):
            manager = self._ask.recipient
        submission = replace(self._submission, is_again=True)
        self._ask = addressed(self._sender, submission, manager)
        self._ask.deadline_at, self._ask.traceparent = self._deadline_at, self._traceparent

    def _acknowledge(self, ended: object) -> None:
        """Tell the Manager that the journal need not be kept for us any longer."""
        if not isinstance(ended, Event) or not ended.index:
            return
        seen = Seen(self.id, ended.index)
        try:
            self._sender.exchange.post(self._sender.envelope(self._ask.recipient, Kind.TELL, seen))
        except ClusterError as error:
            _log.info("the end of task %s was not acknowledged: %s", self.id, error)

    def _show(self, detail: Detail, agent: AgentId, step: StepId = NO_STEP) -> None:
        """Add an event of our own, which no journal has."""
        at_s = self._sender.clock.now() - self._started_at
        self._put(Event(at_s, self.id, agent, step, detail))

    def _put(self, event: object) -> None:
        if not isinstance(event, Event) or 0 < event.index <= self._seen:
            return
        self._seen = max(self._seen, event.index)
        if isinstance(event.detail, UnknownDetail):
            return
        if len(self._events) >= EVENTS_WAITING_MAX and isinstance(event.detail, Thought):
            return
        # A journaled fact is shown when it is durable: what happened meanwhile was shown before it.
        self._at_s = max(self._at_s, event.at_s)
        self._events.append(event if event.at_s == self._at_s else replace(event, at_s=self._at_s))
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events as they happen; ends after the terminal one and its corrections."""
        has_ended = False
        while True:
            while self._events:
                event = self._events.popleft()
                has_ended |= event.is_terminal
                yield event
            if has_ended and self.work.done():
                return
            self._news.clear()
            await self._news.wait()

    async def cancel(self, reason: str = "") -> None:
        """Ask the Manager to end the task; its terminal event says that it did.

        Once that is out, only the second look is ended, at once.
        """
        if self._has_ended:
            self.work.cancel()
            return
        self._wish = reason
        self._sender.exchange.request_cancel(self._ask, reason)

    async def close(self) -> None:
        """Stop waiting; a task that still runs is cancelled."""
        self.work.cancel()
        await asyncio.gather(self.work, return_exceptions=True)


def _may_pass(error: ClusterError) -> bool:
    """Say whether the same ask may do better later, or elsewhere."""
    if isinstance(error, Unsupported):
        return False  # another Manager may know it, and the user had better know of the mixture
    return error.is_retryable or isinstance(error, UnknownRecipient)


def addressed(sender: Sender, submission: Submission, manager: AgentId) -> Envelope:
    """Return the ask that hands a submission to a Manager, without its deadline and trace."""
    ask = sender.envelope(manager, Kind.ASK, submission)
    ask.task = submission.task
    ask.outlives_recipient = True
    ask.trust = Trust.USER
    return ask


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
        ids = IdSource(clock.wall, rng)
        self._exchange = Exchange(
            agent,
            transport=transport,
            directory=directory,
            clock=clock,
            rng=rng,
            ids=ids,
            dead_letters=DeadLetterBox(store, scope),
            observer=observer,
        )
        self._random = rng
        self._sender = Sender(
            self._exchange, directory, MessageCodec(), clock, ids, why_over=why_over
        )
        self._tasks: dict[TaskId, SubmittedTask] = {}
        """Those that have not ended."""

    async def start(self) -> None:
        """Be ready to dial."""
        runner = TurnRunner(NoWork(), self._sender, concurrency=1)
        await self._exchange.start(1, runner, listens=False)

    async def submit(self, goal: str, *, collection: str, timeout_s: float) -> SubmittedTask:
        """Hand a goal to a Manager.

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
        submission = Submission(self._sender.ids.task_id(), goal, collection)
        ask = addressed(self._sender, submission, manager)
        ask.deadline_at = self._sender.clock.now() + timeout_s
        ask.traceparent = new_traceparent(self._random, self._sampled_share)
        submitted = SubmittedTask(submission, ask, self._sender, looks_again=self._looks_again)
        self._tasks[submitted.id] = submitted
        submitted.work.add_done_callback(lambda _: self._tasks.pop(submitted.id, None))
        return submitted

    async def _manager(self, timeout_s: float) -> AgentId:
        """Return a Manager, waiting a while where the only one is being restarted."""
        clock = self._sender.clock
        gives_up_at = clock.now() + min(timeout_s, ACCEPT_WAIT_S)
        while True:
            try:
                return await self._sender.replica_of(MANAGER, frozenset())
            except UnknownRecipient as error:
                if (reason := self._sender.why_over()) is not None:
                    raise PlacementError(reason) from error
                if clock.now() + AGAIN_S_MAX > gives_up_at:
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
