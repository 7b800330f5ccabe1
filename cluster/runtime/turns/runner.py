"""Runs an agent's turns, each with a deadline, cancellable.

Takes envelopes from the exchange, orders them in the kernel's `Inbox`, hands decoded messages to
the agent's handler and sends what it returns. An ask is answered on every path: with a reply, a
failure, or, on the way out, with `stopped`. A step that is asked for again while it runs has one
turn and several askers; one that has been done is answered from its record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import (
    Overloaded,
)
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId
from cluster.kernel.tasks.turn_life import (
    EarlyCancels,
    End,
    Ending,
    Phase,
    may_join,
    turn_ended,
)
from cluster.kernel.tasks.turn_order import Inbox, InboxStatistics
from cluster.runtime.messaging.alarm import Alarm
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.observers.spans import Spans
from cluster.runtime.turns.eager import SharedTasks
from cluster.runtime.turns.handler import Handler, Preparing
from cluster.runtime.turns.preparations import PREPARE, Preparations
from cluster.runtime.turns.replies import Replies, Result
from cluster.runtime.turns.step_records import StepRecords
from cluster.runtime.turns.turn_body import TurnBody
from cluster.runtime.turns.work import Work, step_key_of

if TYPE_CHECKING:
    from cluster.memory.state.host.documents import Documents

_log = logging.getLogger(__name__)

QUEUED_MAX = 1024

_TELL = Kind.TELL
_RUNNING, _DISMISSED, _ANSWERED = Phase.RUNNING, Phase.DISMISSED, Phase.ANSWERED
"""Of an enum a member is looked up at some cost, which a message need not pay."""


class TurnRunner:
    """Runs the turns of one agent.

    With ``records``, what its steps come to is kept there; with ``documents`` they may share
    state. While ``may_start`` says no, messages
    wait in the inbox.
    """

    def __init__(
        self,
        handler: Handler,
        sender: Sender,
        *,
        concurrency: int,
        records: StepRecords | None = None,
        documents: Documents | None = None,
        may_start: Callable[[], bool] | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._may_start = may_start or _always
        self._sender = sender
        self._replies = Replies(sender)
        self._inbox: Inbox[Work] = Inbox(concurrency=concurrency, queued_max=QUEUED_MAX)
        self._work: dict[EnvelopeId, Work] = {}
        """By each ask that waits for it, queued or running."""
        self._by_step: dict[tuple[TaskId, StepId], Work] = {}
        self._cancelled_early = EarlyCancels()
        self._is_stopping = False
        self._alarm: Alarm[Work] = Alarm(sender.clock, self._expire)
        self._preparations: Preparations | None = None
        if isinstance(handler, Preparing):
            self._preparations = Preparations(handler, sender)
        body = TurnBody(
            self,
            handler,
            sender,
            self._replies,
            records=records,
            documents=documents,
            spans=spans,
            preparations=self._preparations,
        )
        self._tasks = SharedTasks(body.run, self._on_wait, f"turn of {sender.exchange.agent}")
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
            self._replies.refuse_stopping(envelope)
            return False
        if envelope.kind is _TELL and envelope.body_type == PREPARE:
            self._prepare(envelope)
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
            work.phase = _RUNNING
            self._tasks.start(work)
            return True
        if is_cancelled:
            self._cancelled_early.drop(envelope.id)
            self._end(work, Ending.CANCELLED)
        self.start_turns()
        return False

    def _prepare(self, envelope: Envelope) -> None:
        """Get ready for a step to come, beside all turns; an agent may know nothing of that."""
        self._sender.exchange.told(envelope)  # whatever becomes of it, nobody tells it again
        if envelope.id in self._cancelled_early:
            self._cancelled_early.drop(envelope.id)
        elif self._preparations is not None:
            self._preparations.begin(envelope)

    def _attach(self, envelope: Envelope, work: Work | None) -> bool:
        """Let one more asker wait for a step that is under way; say whether it is."""
        if work is None or not may_join(work.ending, len(work.askers)):
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
        if self._preparations is None or not self._preparations.on_cancel(envelope.cause):
            self._cancelled_early.add(envelope.cause)

    def on_asker_gone(self, asker: AgentId) -> None:
        """End everything that an agent asked for which can't be reached any longer."""
        if self._preparations is not None:
            self._preparations.on_asker_gone(asker)
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
        work.phase, end = turn_ended(work.phase, work.ending)
        if end is End.NOTHING:
            return
        work.ending = ending
        if end is End.DISMISS:
            self._sender.exchange.taken(work.asked)
            self._tasks.start(work)
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
            work.phase = _RUNNING
            self._sender.exchange.taken(work.asked)
            self._tasks.start(work)

    def _on_wait(self, work: Work) -> None:
        """Mind the deadline of a turn that takes longer than a moment."""
        work.has_waited = True
        if work.deadline_at is not None:
            self._alarm.set(work, work.deadline_at)

    def on_turn_ended(self, work: Work) -> None:
        """Let the next turn of the same key begin."""
        self._work_ended(work)
        if work.phase is _DISMISSED:
            return
        self._inbox.finish((work.asked.task, work.asked.step))
        if self._inbox.has_free and not self._is_stopping:
            self.start_turns()

    def _work_ended(self, work: Work) -> None:
        for envelope in work.askers or [work.asked]:
            self._work.pop(envelope.id, None)
        if work.step_key is not None and self._by_step.get(work.step_key) is work:
            del self._by_step[work.step_key]

    def on_result(self, work: Work, result: Result) -> None:
        """Tell whoever asked what a turn came to."""
        if work.phase is _RUNNING:
            work.phase = _ANSWERED
        work.deadline_at = None
        if work.has_waited:
            self._alarm.drop(work)
        for asker in work.askers:
            self._replies.send(asker, result)
        if work.asked.kind is not Kind.ASK and work.ending is not Ending.STOPPING:
            self._sender.exchange.told(work.asked)  # else the next incarnation gets it again

    def refuse(self, envelope: Envelope, error: BaseException) -> None:
        """Answer an ask that has no turn, or drop a message that nobody waits for."""
        self._replies.refuse(envelope, error)

    async def abort(self, timeout_s: float) -> None:
        """End every turn as a crash does: no answer gets out any longer."""
        self._is_stopping = True
        for work in self._inbox.drain():
            if work.phase is Phase.QUEUED:
                self._work_ended(work)
        await self._end_all(timeout_s)

    async def stop(self, timeout_s: float) -> None:
        """Refuse what waits, cancel what runs, and wait until all of it was answered."""
        self._is_stopping = True
        for work in self._inbox.drain():
            if work.phase is Phase.QUEUED:
                self._work_ended(work)
                self._replies.refuse_stopping(work.asked)
        await self._end_all(timeout_s)

    async def _end_all(self, timeout_s: float) -> None:
        for work in list(self._work.values()):
            self._end(work, Ending.STOPPING)
        if self._preparations is not None:
            await self._preparations.close()
        await self._tasks.wait(timeout_s)
        self._alarm.close()


def _always() -> bool:
    """Nothing keeps a turn from starting."""
    return True
