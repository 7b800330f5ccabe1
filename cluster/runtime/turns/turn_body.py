"""What a turn does from its message to its result; the runner beside it starts and ends it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import (
    ClusterError,
    DeadlinePassed,
    DeliveryError,
    StaleEpoch,
    Unsupported,
)
from cluster.kernel.tasks.turn_life import Ending
from cluster.kernel.topic_news import TopicNews
from cluster.kernel.trace import is_sampled
from cluster.kernel.vocabulary import Assignment, Failure
from cluster.memory.state.marks import StepMarks
from cluster.runtime.messaging.asks import FAILURE_TYPE
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.observers.spans import Spans
from cluster.runtime.turns.handler import Handler, Service
from cluster.runtime.turns.preparations import Preparations
from cluster.runtime.turns.replies import Replies, Result
from cluster.runtime.turns.running_turn import RunningTurn
from cluster.runtime.turns.step_records import StepRecords
from cluster.runtime.turns.work import Work
from cluster.wire.messages import Opaque

if TYPE_CHECKING:
    from cluster.memory.state.host.documents import Documents

_log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 60.0


class TurnKeeper(Protocol):
    """Who started a turn."""

    def on_result(self, work: Work, result: Result) -> None:
        """Tell whoever asked what a turn came to."""
        ...

    def on_turn_ended(self, work: Work) -> None:
        """Let the next turn of its key begin; called exactly once."""
        ...


class TurnBody:
    """Runs the turns of one agent, each within itself."""

    def __init__(
        self,
        keeper: TurnKeeper,
        handler: Handler,
        sender: Sender,
        replies: Replies,
        *,
        records: StepRecords | None,
        documents: Documents | None,
        spans: Spans | None,
        preparations: Preparations | None,
    ) -> None:
        self._keeper = keeper
        self._handler = handler
        self._sender = sender
        self._replies = replies
        self._records = records
        self._documents = documents
        self._spans = spans
        self._preparations = preparations

    async def run(self, work: Work) -> None:
        """Run one turn to its end; containment point of everything an agent may raise."""
        span = None
        if self._spans is not None and is_sampled(work.asked.traceparent):
            span = self._spans.begin(work.asked)
        try:
            try:
                message, turn = self._opened(work)
                if work.ending is not None:
                    result = await self._ended_early(work.ending, message, turn)
                else:
                    result = await self._handled(message, turn)
            except asyncio.CancelledError:
                ending = work.ending or Ending.CANCELLED
                result = self._replies.last_word(work, ending.error())
            except ClusterError as error:
                result = self._replies.failure(error, work)
            except Exception as error:  # noqa: BLE001 - an agent may raise anything
                _log.exception("%s failed at task %s", work.asked.recipient, work.asked.task)
                result = self._replies.failure(error, work)
            if span is not None and self._spans is not None:
                self._spans.end(span, has_failed=result[0] == FAILURE_TYPE)
            self._keeper.on_result(work, result)
        finally:
            self._keeper.on_turn_ended(work)

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
            self._sender.exchange.skip()
            raise Unsupported(
                f"{envelope.recipient} is of an older version, which does not know {message.type}"
            )
        # A redo is queued as a step of its own, and is the same step to whoever does it.
        step = message.step if isinstance(message, Assignment) else envelope.step
        turn = RunningTurn(work, self._sender, Deadline(at), step, documents=self._documents)
        if self._preparations is not None:
            turn.take_prepared = self._preparations.take
        return message, turn

    async def _ended_early(self, ending: Ending, message: object, turn: RunningTurn) -> Result:
        """Return what the askers of a turn are told that was ended before it began."""
        # Only who asked may end what others may be doing: not our own end, nor a broken link.
        if ending is Ending.CANCELLED and isinstance(self._handler, Service):
            await self._handler.cancelled(message, turn)
        return self._replies.last_word(turn.work, ending.error())

    async def _handled(self, message: object, turn: RunningTurn) -> Result:
        """Return what a message comes to; what was edited for it is durable by then."""
        try:
            if self._records is not None and isinstance(message, Assignment | TopicNews):
                return await self._do_step(self._records, message, turn)
            reply = await self._handler.handle(message, turn)
            await turn.flush()
            saw = turn.saw()
            return self._replies.encoded(reply, None if saw.is_empty else saw)
        finally:
            turn.close()
            if self._preparations is not None and isinstance(message, Assignment):
                self._preparations.drop(turn.task, turn.step)  # which was not asked for

    async def _do_step(
        self, records: StepRecords, message: Assignment | TopicNews, turn: RunningTurn
    ) -> Result:
        """Do a step unless its record says what it came to; leave a record of it.

        The look costs a fraction of a millisecond and is taken before every step: an ask may have
        waited here, in a process that was frozen, while another replica did the step.
        """
        marks = records.marks(turn.task, message.step, message.redo)
        found = await records.find(marks)
        if found.result is not None:
            return found.result
        turn.marks = marks
        try:
            if found.generation:
                await turn.begin()  # nothing stays of what an earlier attempt has edited
            return await self._attempted(records, marks, message, turn)
        except StaleEpoch as error:
            return await _overtaken(records, marks, turn, error)

    async def _attempted(
        self,
        records: StepRecords,
        marks: StepMarks,
        message: Assignment | TopicNews,
        turn: RunningTurn,
    ) -> Result:
        """Do a step; its record stands for its edits, so they come first."""
        if message.missing:
            turn.reads.without(message.missing)
        reply = await self._handler.handle(message, turn)
        saw = replace(turn.saw(), made_by=turn.agent)
        if turn.account is not None:
            saw = turn.account.added_to(saw)
        result = self._replies.encoded(reply, saw)
        if reply is None or isinstance(reply, Failure):
            return result
        await turn.flush()
        return await records.keep(marks, result, turn.generation, turn.remaining_s() / 2)


async def _overtaken(
    records: StepRecords, marks: StepMarks, turn: RunningTurn, error: StaleEpoch
) -> Result:
    """Return what somebody else made of a step that this turn may not end.

    Raises:
        DeliveryError: there is no result yet: whoever still waits for one has to ask again.
    """
    found = await records.find(marks)
    if found.result is not None:
        return found.result
    raise DeliveryError(f"what {turn.agent} made of step {turn.step} is void: {error}") from error
