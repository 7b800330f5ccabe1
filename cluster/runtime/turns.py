"""Runs an agent's turns: one task of the event loop each, with a deadline, cancellable.

Takes envelopes from the exchange, orders them in the kernel's `Inbox`, hands decoded messages to
the agent's handler and sends what it returns. An ask is answered on every path: with a reply, a
failure, or, on the way out, with `stopped`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from cluster.kernel.clock import Clock, Deadline
from cluster.kernel.envelope import LANE_OF_KIND, Envelope, Kind, Trust
from cluster.kernel.errors import (
    Cancelled,
    ClusterError,
    DeadlinePassed,
    Overloaded,
    PeerUnavailable,
    Stopped,
    UnknownRecipient,
    WireError,
)
from cluster.kernel.ids import NO_STEP, AgentId, EnvelopeId, IdSource, StepId, TaskId, role_of
from cluster.kernel.registration import choose_replica
from cluster.kernel.tasks import Failure
from cluster.kernel.turn import Turn
from cluster.kernel.turn_order import Inbox
from cluster.runtime.directory import Directory
from cluster.runtime.exchange import Exchange
from cluster.wire.failure import error_from_failure, failure_from_error
from cluster.wire.messages import MessageCodec

_log = logging.getLogger(__name__)

QUEUED_MAX = 1024
ASK_TIMEOUT_S = 60.0


class Handler(Protocol):
    """What an agent is to the runtime."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Return the answer to a message; None where there is nothing to say."""
        ...


@dataclass(frozen=True, slots=True)
class Observed:
    """Who wants to see an ask on its way: its progress, and that it was sent again."""

    on_progress: Callable[[AgentId, object], None] | None = None
    on_restart: Callable[[AgentId, int], None] | None = None


class Sender:
    """Makes envelopes and sends them for one agent; shared by its turns."""

    def __init__(
        self,
        exchange: Exchange,
        directory: Directory,
        codec: MessageCodec,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self.exchange = exchange
        self.directory = directory
        self.codec = codec
        self.clock = clock
        self.ids = ids
        self._in_flight: dict[AgentId, int] = {}

    async def replica_of(self, recipient: str, avoid: frozenset[AgentId]) -> AgentId:
        """Return the agent of that name, or the least busy replica of that role.

        Raises:
            UnknownRecipient: neither is registered.
        """
        if role_of(recipient) != recipient:
            return AgentId(recipient)
        replicas = await self.directory.replicas(recipient)
        chosen = choose_replica(replicas, self._in_flight, avoid)
        if chosen is None:
            replicas = await self.directory.replicas(recipient, is_fresh=True)
            chosen = choose_replica(replicas, self._in_flight, avoid)
        if chosen is None:
            raise UnknownRecipient(f"no agent of the role {recipient!r} is registered")
        return chosen.agent

    async def ask(self, envelope: Envelope, observed: Observed, *, grace_s: float = 0.0) -> object:
        """Send an ask and return the decoded answer; raises the error that a Failure stands for."""
        recipient = envelope.recipient
        on_progress, on_restart = observed.on_progress, observed.on_restart

        progress = restart = None
        if on_progress is not None:

            def progress(news: Envelope) -> None:
                on_progress(news.sender, self.codec.decode(news.body_type, news.body))

        if on_restart is not None:

            def restart(epoch: int) -> None:
                on_restart(recipient, epoch)

        self._in_flight[recipient] = self._in_flight.get(recipient, 0) + 1
        try:
            reply = await self.exchange.ask(
                envelope, on_progress=progress, on_restart=restart, grace_s=grace_s
            )
        finally:
            self._in_flight[recipient] -= 1
            if not self._in_flight[recipient]:
                del self._in_flight[recipient]
        value = self.codec.decode(reply.body_type, reply.body)
        if isinstance(value, Failure):
            raise error_from_failure(value)
        return value

    def envelope(self, recipient: AgentId, kind: Kind, message: object) -> Envelope:
        """Return an envelope with a message, yet without task, cause and deadline."""
        body_type, body = self.codec.encode(message)
        return Envelope(
            id=self.ids.envelope_id(),
            sender=self.exchange.agent,
            recipient=recipient,
            kind=kind,
            body_type=body_type,
            body=body,
            lane=LANE_OF_KIND[kind],
        )


@dataclass(frozen=True, slots=True)
class RunningTurn:
    """The runtime's `Turn`: what a handler sees of its message and of the world."""

    asked: Envelope
    sender: Sender
    deadline: Deadline
    step: StepId
    on_emit: Callable[[object], None] | None = None
    """Takes what the handler emits; None sends it to whoever asked."""

    @property
    def task(self) -> TaskId:
        """The task it works for."""
        return self.asked.task

    @property
    def agent(self) -> AgentId:
        """The agent whose turn it is."""
        return self.asked.recipient

    @property
    def traceparent(self) -> str:
        """Trace context of the message being handled."""
        return self.asked.traceparent

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return self.deadline.remaining_s(self.sender.clock.now())

    def emit(self, detail: object) -> None:
        """Send progress to whoever asked; dropped where that one is out of reach for long."""
        if self.on_emit is not None:
            self.on_emit(detail)
            return
        if self.asked.kind is not Kind.ASK:
            return
        envelope = self._about(self.sender.envelope(self.asked.sender, Kind.PROGRESS, detail))
        try:
            self.sender.exchange.post(envelope)
        except Overloaded:
            _log.warning("progress of task %s was dropped: the asker is too slow", self.task)

    async def ask(self, recipient: str, message: object, timeout_s: float | None = None) -> object:
        """Ask a role or an agent."""
        return await self.ask_observed(recipient, message, timeout_s, Observed())

    async def ask_observed(
        self,
        recipient: str,
        message: object,
        timeout_s: float | None,
        observed: Observed,
        avoid: frozenset[AgentId] = frozenset(),
    ) -> object:
        """Ask a role or an agent, and see the answer come about."""
        agent = await self.sender.replica_of(recipient, avoid)
        envelope = self._about(self.sender.envelope(agent, Kind.ASK, message))
        now = self.sender.clock.now()
        deadline = self.deadline if timeout_s is None else self.deadline.sooner(timeout_s, now)
        if deadline.is_passed(now):
            raise DeadlinePassed(f"no time was left to ask {recipient}")
        envelope.deadline_at = deadline.at
        return await self.sender.ask(envelope, observed)

    def _about(self, envelope: Envelope) -> Envelope:
        envelope.task = self.asked.task
        envelope.step = self.step
        envelope.cause = self.asked.id
        envelope.trust = Trust.AGENT
        envelope.traceparent = self.asked.traceparent
        return envelope

    def at_step(
        self, step: StepId, deadline: Deadline, on_emit: Callable[[object], None]
    ) -> RunningTurn:
        """Return this turn as it looks from one of the task's steps."""
        return replace(self, step=step, deadline=deadline, on_emit=on_emit)


class TurnRunner:
    """Runs the turns of one agent."""

    def __init__(self, handler: Handler, sender: Sender, *, concurrency: int) -> None:
        self._handler = handler
        self._sender = sender
        self._inbox: Inbox[Envelope] = Inbox(concurrency=concurrency, queued_max=QUEUED_MAX)
        self._turns: dict[EnvelopeId, asyncio.Task[None]] = {}
        self._running: dict[EnvelopeId, Envelope] = {}
        self._queued: dict[EnvelopeId, Envelope] = {}
        self._cancelled: set[EnvelopeId] = set()
        """Asks that were cancelled while they waited in the inbox."""
        self._is_stopping = False

    @property
    def load(self) -> int:
        """Turns running and queued."""
        statistics = self._inbox.statistics()
        return statistics.running + statistics.queued

    def on_work(self, envelope: Envelope) -> None:
        """Queue a message, or refuse it at once."""
        if self._is_stopping:
            self._refuse(envelope, Stopped(f"{envelope.recipient} is shutting down"))
            return
        try:
            self._inbox.offer((envelope.task, envelope.step), envelope)
        except Overloaded as error:
            self._refuse(envelope, error)
            return
        self._queued[envelope.id] = envelope
        self._start_turns()

    def on_cancel(self, envelope: Envelope) -> None:
        """Cancel the turn of an ask, or mark the ask where it still waits."""
        turn = self._turns.get(envelope.cause)
        if turn is not None:
            turn.cancel()
        elif envelope.cause in self._queued:
            self._cancelled.add(envelope.cause)

    def on_asker_gone(self, asker: AgentId) -> None:
        """Cancel everything that an agent asked for which can't be reached any longer."""
        for turn_id, asked in list(self._running.items()):
            if asked.sender == asker:
                self._turns[turn_id].cancel()
        self._cancelled.update(e.id for e in self._queued.values() if e.sender == asker)

    def _start_turns(self) -> None:
        while (taken := self._inbox.take()) is not None:
            key, envelope = taken
            del self._queued[envelope.id]
            self._sender.exchange.taken(envelope)
            self._running[envelope.id] = envelope
            task = asyncio.ensure_future(self._run(envelope))
            self._turns[envelope.id] = task
            task.add_done_callback(partial(self._ended, envelope, key))

    def _ended(self, envelope: Envelope, key: Hashable, _: asyncio.Task[None]) -> None:
        self._turns.pop(envelope.id, None)
        self._running.pop(envelope.id, None)
        self._inbox.finish(key)
        if not self._is_stopping:
            self._start_turns()

    async def _run(self, envelope: Envelope) -> None:
        """Run one turn to its end; containment point of everything an agent may raise."""
        try:
            reply = await self._handle(envelope)
        except asyncio.CancelledError:
            reason = "the host is stopping" if self._is_stopping else "the turn was cancelled"
            self._refuse(envelope, Stopped(reason) if self._is_stopping else Cancelled(reason))
            return
        except ClusterError as error:
            self._refuse(envelope, error)
            return
        except Exception as error:  # noqa: BLE001 - an agent may raise anything
            _log.exception("%s failed at task %s", envelope.recipient, envelope.task)
            self._refuse(envelope, error)
            return
        if envelope.kind is Kind.ASK:
            self._reply(envelope, Failure("agent_failed", "no answer") if reply is None else reply)
        else:
            self._sender.exchange.told(envelope)

    async def _handle(self, envelope: Envelope) -> object:
        if envelope.id in self._cancelled:
            self._cancelled.discard(envelope.id)
            raise Cancelled("the turn was cancelled before it started")
        clock = self._sender.clock
        now = clock.now()
        at = envelope.deadline_at if envelope.deadline_at is not None else now + ASK_TIMEOUT_S
        if at <= now:
            raise DeadlinePassed("the deadline had passed before the turn started")
        message = self._sender.codec.decode(envelope.body_type, envelope.body)
        turn = RunningTurn(envelope, self._sender, Deadline(at), envelope.step or NO_STEP)
        timer = asyncio.get_running_loop().call_later(at - now, self._expire, envelope.id)
        try:
            return await self._handler.handle(message, turn)
        except asyncio.CancelledError as error:
            if clock.now() < at:
                raise
            raise DeadlinePassed("the turn did not end before its deadline") from error
        finally:
            timer.cancel()

    def _expire(self, turn: EnvelopeId) -> None:
        """Cancel a turn whose deadline has passed."""
        task = self._turns.get(turn)
        if task is not None:
            task.cancel()

    def _refuse(self, envelope: Envelope, error: BaseException) -> None:
        if envelope.kind is Kind.ASK:
            self._reply(envelope, failure_from_error(error))
        else:
            _log.warning("a message to %s had no effect: %s", envelope.recipient, error)
            self._sender.exchange.told(envelope)

    def _reply(self, asked: Envelope, message: object) -> None:
        try:
            reply = self._sender.envelope(asked.sender, Kind.REPLY, message)
        except ClusterError as error:
            reply = self._sender.envelope(asked.sender, Kind.REPLY, failure_from_error(error))
        reply.task, reply.step, reply.cause = asked.task, asked.step, asked.id
        reply.traceparent = asked.traceparent
        try:
            self._sender.exchange.answer(asked, reply)
        except (Overloaded, PeerUnavailable, WireError) as error:
            _log.warning("the answer to %s could not be sent: %s", asked.sender, error)

    async def stop(self, timeout_s: float) -> None:
        """Refuse what waits, cancel what runs, and wait until all of it was answered."""
        self._is_stopping = True
        for envelope in self._inbox.drain():
            self._refuse(envelope, Stopped(f"{envelope.recipient} is shutting down"))
        running = list(self._turns.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=timeout_s)
