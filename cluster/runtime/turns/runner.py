"""Runs an agent's turns, each with a deadline, cancellable.

Takes envelopes from the exchange, orders them in the kernel's `Inbox`, hands decoded messages to
the agent's handler and sends what it returns. An ask is answered on every path: with a reply, a
failure, or, on the way out, with `stopped`. A step that is asked for again while it runs has one
turn and several askers; one that has been done is answered from its record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cluster.kernel.clock import Deadline
from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import (
    ClusterError,
    DeadlinePassed,
    Overloaded,
    PeerUnavailable,
    Stopped,
    Unsupported,
    WireError,
)
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId
from cluster.kernel.tasks.turn_order import Inbox, InboxStatistics
from cluster.kernel.trace import is_sampled
from cluster.kernel.vocabulary import Assignment, Failure
from cluster.runtime.messaging.alarm import Alarm
from cluster.runtime.messaging.asks import FAILURE_TYPE
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.observers.spans import Spans
from cluster.runtime.turns.eager import SharedTasks
from cluster.runtime.turns.handler import Handler, Service
from cluster.runtime.turns.running_turn import Ending, RunningTurn, Work, step_key_of
from cluster.runtime.turns.step_records import StepRecords
from cluster.wire.failure import failure_from_error
from cluster.wire.messages import Opaque

_log = logging.getLogger(__name__)

QUEUED_MAX = 1024
ASKERS_MAX = 16
"""Of one step: each is a Manager that took the task over, or a resend that crossed a new link."""
ASK_TIMEOUT_S = 60.0
CANCELLED_EARLY_MAX = 1024

Result = tuple[str, bytes]


class TurnRunner:
    """Runs the turns of one agent.

    With ``records``, what its steps come to is kept there. While ``may_start`` says no, messages
    wait in the inbox.
    """

    def __init__(
        self,
        handler: Handler,
        sender: Sender,
        *,
        concurrency: int,
        records: StepRecords | None = None,
        may_start: Callable[[], bool] | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._spans = spans
        self._may_start = may_start or _always
        self._handler = handler
        self._sender = sender
        self._records = records
        self._inbox: Inbox[Work] = Inbox(concurrency=concurrency, queued_max=QUEUED_MAX)
        self._work: dict[EnvelopeId, Work] = {}
        """By each ask that waits for it, queued or running."""
        self._by_step: dict[tuple[TaskId, StepId], Work] = {}
        self._cancelled_early: dict[EnvelopeId, None] = {}
        """Asks not seen here when they were cancelled: the control lane goes before the work."""
        self._is_stopping = False
        self._alarm: Alarm[Work] = Alarm(sender.clock, self._expire)
        self._tasks = SharedTasks(self._run, self._on_wait, f"turn of {sender.exchange.agent}")
        self.attached = 0
        """Asks that found their step running already."""

    def statistics(self) -> InboxStatistics:
        """Return how many turns run and wait, and how many did at most."""
        return self._inbox.statistics()

    @property
    def load(self) -> int:
        """Turns running and queued."""
        statistics = self.statistics()
        return statistics.running + statistics.queued

    def on_work(self, envelope: Envelope) -> bool:
        """Queue a message, attach it to the turn that does the same, or refuse it at once.

        Returns:
            True where it waits in no mailbox.
        """
        if self._is_stopping:
            self._refuse_stopping(envelope)
            return False
        step_key = step_key_of(envelope)
        if step_key is not None and self._attach(envelope, self._by_step.get(step_key)):
            return True
        key = (envelope.task, envelope.step)
        work = Work(envelope, [envelope] if envelope.kind is Kind.ASK else [], step_key)
        is_cancelled = bool(self._cancelled_early) and envelope.id in self._cancelled_early
        is_next = not is_cancelled and self._may_start() and self._inbox.admit(key)
        if not is_next:
            try:
                self._inbox.offer(key, work)
            except Overloaded as error:
                self.refuse(envelope, error)
                return False
        self._work[envelope.id] = work
        if step_key is not None:
            self._by_step[step_key] = work
        if is_next:
            work.is_started = work.is_turn = True
            self._tasks.start(work)
            return True
        if is_cancelled:
            del self._cancelled_early[envelope.id]
            self._end(work, Ending.CANCELLED)
        self.start_turns()
        return False

    def _attach(self, envelope: Envelope, work: Work | None) -> bool:
        """Let one more asker wait for a step that is under way; say whether it is."""
        if work is None or work.ending is not None or len(work.askers) >= ASKERS_MAX:
            return False
        work.askers.append(envelope)
        self._work[envelope.id] = work
        self.attached += 1
        return True

    def on_cancel(self, envelope: Envelope) -> None:
        """End the turn of an ask, unless others wait for it too."""
        work = self._work.get(envelope.cause)
        if work is not None:
            self._leave(work, envelope.cause, Ending.CANCELLED)
            return
        self._cancelled_early[envelope.cause] = None
        if len(self._cancelled_early) > CANCELLED_EARLY_MAX:
            del self._cancelled_early[next(iter(self._cancelled_early))]

    def on_asker_gone(self, asker: AgentId) -> None:
        """End everything that an agent asked for which can't be reached any longer."""
        gone = [ask for ask, work in self._work.items() for e in work.askers if e.sender == asker]
        for ask in dict.fromkeys(gone):
            work = self._work[ask]
            if any(each.id == ask and each.sender == asker for each in work.askers):
                self._leave(work, ask, Ending.ASKER_GONE)

    def _leave(self, work: Work, ask: EnvelopeId, ending: Ending) -> None:
        """Let one asker go; the work ends with the last of them."""
        if len(work.askers) > 1:
            left = next(each for each in work.askers if each.id == ask)
            work.askers.remove(left)
            del self._work[ask]
            self.refuse(left, ending.error())
        else:
            self._end(work, ending)

    def _end(self, work: Work, ending: Ending) -> None:
        if work.ending is not None:
            return
        work.ending = ending
        if not work.is_started:
            work.is_started = True
            self._sender.exchange.taken(work.asked)
            self._tasks.start(work)  # it need not wait for its turn to hear that there is none
        elif work.task is not None:
            work.task.cancel()

    def _expire(self, work: Work) -> None:
        self._end(work, Ending.EXPIRED)

    def start_turns(self) -> None:
        """Start what may run; to be called when ``may_start`` allows it again."""
        if not self._may_start():
            return
        while (taken := self._inbox.take()) is not None:
            key, work = taken
            if work.ending is not None:
                self._inbox.finish(key)
                continue
            work.is_started = work.is_turn = True
            self._sender.exchange.taken(work.asked)
            self._tasks.start(work)

    def _on_wait(self, work: Work) -> None:
        """Mind the deadline of a turn that takes longer than a moment."""
        work.has_waited = True
        if work.deadline_at is not None:
            self._alarm.set(work, work.deadline_at)

    def _turn_ended(self, work: Work) -> None:
        self._work_ended(work)
        if not work.is_turn:
            return
        self._inbox.finish((work.asked.task, work.asked.step))
        if self._inbox.has_free and not self._is_stopping:
            self.start_turns()

    def _work_ended(self, work: Work) -> None:
        for envelope in work.askers or [work.asked]:
            self._work.pop(envelope.id, None)
        if work.step_key is not None and self._by_step.get(work.step_key) is work:
            del self._by_step[work.step_key]

    async def _run(self, work: Work) -> None:
        """Run one turn to its end; containment point of everything an agent may raise."""
        span = None
        if self._spans is not None and is_sampled(work.asked.traceparent):
            span = self._spans.begin(work.asked)
        try:
            try:
                message, turn = self._opened(work)
                if work.ending is not None:
                    result = await self._ended_early(work.ending, message, turn)
                elif self._records is not None and isinstance(message, Assignment):
                    result = await self._do_step(self._records, message, turn)
                else:
                    result = self._encoded(await self._handler.handle(message, turn))
            except asyncio.CancelledError:
                result = self._last_word(work, (work.ending or Ending.CANCELLED).error())
            except ClusterError as error:
                result = self._failure(error, work)
            except Exception as error:  # noqa: BLE001 - an agent may raise anything
                _log.exception("%s failed at task %s", work.asked.recipient, work.asked.task)
                result = self._failure(error, work)
            if span is not None and self._spans is not None:
                self._spans.end(span, has_failed=result[0] == FAILURE_TYPE)
            self._tell(work, result)
        finally:
            self._turn_ended(work)

    def _tell(self, work: Work, result: Result) -> None:
        """Tell whoever asked what a turn came to."""
        work.deadline_at = None
        if work.has_waited:
            self._alarm.drop(work)
        for asker in work.askers:
            self._reply(asker, result)
        if work.asked.kind is not Kind.ASK and work.ending is not Ending.STOPPING:
            self._sender.exchange.told(work.asked)  # else the next incarnation gets it again

    def _opened(self, work: Work) -> tuple[object, RunningTurn]:
        """Return what a handler gets, and mind the deadline from now on."""
        envelope = work.asked
        now = self._sender.clock.now()
        at = envelope.deadline_at if envelope.deadline_at is not None else now + ASK_TIMEOUT_S
        if work.ending is None:
            if at <= now:
                raise DeadlinePassed("the deadline had passed before the turn started")
            work.deadline_at = at
        message = self._sender.codec.decode(envelope.body_type, envelope.body)
        if isinstance(message, Opaque) and message.is_newer:
            self._sender.exchange.statistics.skipped += 1
            raise Unsupported(
                f"{envelope.recipient} is of an older version, which does not know {message.type}"
            )
        return message, RunningTurn(work, self._sender, Deadline(at), envelope.step)

    async def _ended_early(self, ending: Ending, message: object, turn: RunningTurn) -> Result:
        """Return what the askers of a turn are told that was ended before it began."""
        # Only who asked may end what others may be doing: not our own end, nor a broken link.
        if ending is Ending.CANCELLED and isinstance(self._handler, Service):
            await self._handler.cancelled(message, turn)
        return self._last_word(turn.work, ending.error())

    async def _do_step(
        self, records: StepRecords, message: Assignment, turn: RunningTurn
    ) -> Result:
        """Do a step unless its record says what it came to; leave a record of it.

        The look costs a fraction of a millisecond and is taken before every step: an ask may have
        waited here, in a process that was frozen, while another replica did the step.
        """
        task = turn.task
        found = await records.find(task, message.step)
        if found is not None:
            return found
        reply = await self._handler.handle(message, turn)
        result = self._encoded(reply)
        if reply is None or isinstance(reply, Failure):
            return result
        return await records.keep(task, message.step, result, turn.remaining_s() / 2)

    def _encoded(self, reply: object) -> Result:
        if reply is None:
            reply = Failure("agent_failed", "no answer")
        return self._sender.codec.encode(reply)

    def _last_word(self, work: Work, error: ClusterError) -> Result:
        """Return what the askers of a turn that was ended are told."""
        if work.last_word is None:
            return self._failure(error, work)
        return self._sender.codec.encode(work.last_word)

    def _failure(self, error: BaseException, work: Work) -> Result:
        if work.asked.kind is not Kind.ASK:
            _log.warning("a message to %s had no effect: %s", work.asked.recipient, error)
        return self._sender.codec.encode(failure_from_error(error))

    def refuse(self, envelope: Envelope, error: BaseException) -> None:
        """Answer an ask that has no turn, or drop a message that nobody waits for."""
        if envelope.kind is not Kind.TELL:
            self._reply(envelope, self._sender.codec.encode(failure_from_error(error)))
        else:
            _log.warning("a message to %s had no effect: %s", envelope.recipient, error)
            self._sender.exchange.told(envelope)

    def _refuse_stopping(self, envelope: Envelope) -> None:
        """Answer an ask; what was only told is left undone, for the next incarnation."""
        if envelope.kind is Kind.ASK:
            self.refuse(envelope, Stopped(f"{envelope.recipient} is shutting down"))

    def _reply(self, asked: Envelope, result: Result) -> None:
        try:
            self._send(asked, result)
        except (Overloaded, PeerUnavailable, WireError) as error:
            _log.warning("the answer to %s could not be sent: %s", asked.sender, error)
        except ClusterError as error:
            self._send(asked, self._sender.codec.encode(failure_from_error(error)))

    def _send(self, asked: Envelope, result: Result) -> None:
        reply = self._sender.sealed(asked.sender, Kind.REPLY, result)
        reply.task, reply.step, reply.cause = asked.task, asked.step, asked.id
        reply.traceparent = asked.traceparent
        self._sender.exchange.answer(asked, reply)

    async def abort(self, timeout_s: float) -> None:
        """End every turn as a crash does: no answer gets out any longer."""
        self._is_stopping = True
        for work in self._inbox.drain():
            if not work.is_started:
                self._work_ended(work)
        await self._end_all(timeout_s)

    async def stop(self, timeout_s: float) -> None:
        """Refuse what waits, cancel what runs, and wait until all of it was answered."""
        self._is_stopping = True
        for work in self._inbox.drain():
            if not work.is_started:
                self._work_ended(work)
                self._refuse_stopping(work.asked)
        await self._end_all(timeout_s)

    async def _end_all(self, timeout_s: float) -> None:
        for work in list(self._work.values()):
            self._end(work, Ending.STOPPING)
        await self._tasks.wait(timeout_s)
        self._alarm.close()


def _always() -> bool:
    """Nothing keeps a turn from starting."""
    return True
