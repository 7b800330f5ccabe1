"""A task on its way, as its driver sees it: its events, and the Manager that is asked for them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import Cancelled, ClusterError, Unsupported
from cluster.kernel.events import (
    Detail,
    Event,
    Failed,
    FellBack,
    Thought,
    UnknownDetail,
    WasCancelled,
)
from cluster.kernel.ids import NO_AGENT, NO_STEP, VERIFY_STEP, AgentId, StepId
from cluster.kernel.submission import Seen, Submission
from cluster.runtime.driver.handover import Handover
from cluster.runtime.messaging.sender import Sender, Unobserved
from cluster.runtime.tasks.second_look import is_doubtful, look_again
from cluster.wire.failure import failure_from_error

_log = logging.getLogger(__name__)

EVENTS_WAITING_MAX = 10_000
"""Events a slow reader may leave waiting; beyond, thoughts are dropped (never other events)."""
GRACE_S = 2.0
"""How long after the deadline the Manager's last word may still arrive."""


class SubmittedTask(Unobserved):
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
        self._sender = sender
        self._handover = Handover(submission, ask, sender)
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

    @property
    def _ask(self) -> Envelope:
        """The ask that counts, of the Manager that has the task now."""
        return self._handover.ask

    def _corrected(self, agent: AgentId, detail: Detail) -> None:
        """Add what the second look at the answer says."""
        self._show(detail, agent, VERIFY_STEP)

    async def _until_end(self) -> Event:
        """Ask one Manager after another until one says how the task has ended."""
        while True:
            try:
                ended = await self._ask_once()
            except ClusterError as error:
                why = str(error)
                await self._handover.go_on_after(error, partial(self._say_that_we_wait, why))
            else:
                self._acknowledge(ended)
                if isinstance(ended, Event) and ended.is_terminal:
                    return ended
                raise Unsupported(f"{self._ask.recipient} ended the task in a way newer than ours")

    async def _ask_once(self) -> object:
        """Ask the Manager; where it is lost and there is another one, leave the task to that one.

        The lost one is not told to stop: if it lives, it learns from the journal that it need not.
        """
        if self._wish is not None:
            self._sender.exchange.request_cancel(self._ask, self._wish)
        return await self._sender.ask_replaceable(self._ask, self, is_left=True, grace_s=GRACE_S)

    def _say_that_we_wait(self, why: str) -> None:
        """Show that no Manager is heard of just now; once, until one is."""
        if not self._is_waiting:
            self._is_waiting = True
            waits = f"{why}; the task goes on when it is back, or with another Manager"
            self._show(FellBack("to waiting", waits), self._ask.recipient)

    def on_progress(self, _: AgentId, detail: object, /) -> None:
        """Take an event from the Manager."""
        self._is_waiting = False
        self._put(detail)

    def on_link_lost(self) -> None:
        """Say that the Manager can't be reached just now."""
        self._say_that_we_wait(f"{self._ask.recipient} can't be reached")

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
        at_s = self._sender.clock.now() - self._handover.began_at
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
