"""What an agent gets ready for steps that it is told of before they can start.

The runner beside it hands over each `Prepare`, which is no turn: it waits for none, holds none up,
and nothing is lost with it. What it comes to waits here for the turn of its step.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cluster.kernel.envelope import Envelope
from cluster.kernel.errors import WireError
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId
from cluster.kernel.preparing import PrepareContext
from cluster.kernel.vocabulary import Prepare
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns.handler import Preparing
from cluster.wire.messages import PACKAGE

_log = logging.getLogger(__name__)

PREPARE = PACKAGE + Prepare.__name__
HELD_MAX = 16
"""Of an agent, under way or done; over it the oldest is given up."""
TIMEOUT_S = 10.0
"""What takes longer is left to the turn, which has its own bounds and can say what is wrong."""


@dataclass(frozen=True, slots=True)
class _Preparation:
    told: Envelope
    work: asyncio.Task[object]


class Preparations:
    """The preparations of one agent, by step; bounded in number and in time.

    Args:
        handler: the agent.
        sender: whose clock and codec it uses.
    """

    def __init__(self, handler: Preparing, sender: Sender) -> None:
        self._handler = handler
        self._sender = sender
        self._held: OrderedDict[tuple[TaskId, StepId], _Preparation] = OrderedDict()
        """Oldest first."""
        self._ending: set[asyncio.Task[object]] = set()
        """Given up, and not over yet."""

    def begin(self, envelope: Envelope) -> None:
        """Begin to get ready. What is told again begins anew: the older one may be out of date."""
        try:
            prepare = self._sender.codec.decode(envelope.body_type, envelope.body)
        except WireError as error:
            _log.warning("%s can't be told of a step: %s", envelope.recipient, error)
            return
        assert isinstance(prepare, Prepare)
        key = envelope.task, prepare.step
        self.drop(*key)
        self._drop_old()
        name = f"prepare {prepare.step} of {envelope.task}"
        work = asyncio.create_task(self._prepare(prepare, envelope), name=name)
        self._held[key] = _Preparation(envelope, work)

    async def take(self, task: TaskId, step: StepId) -> object:
        """Return what getting ready for a step has come to, at once or when it has ended.

        None where nothing was told of the step, or it did not come about.
        """
        found = self._held.pop((task, step), None)
        if found is None:
            return None
        try:
            await asyncio.wait([found.work])
        finally:
            self._give_up(found)  # nothing, unless the turn was cancelled in between
        return None if found.work.cancelled() else found.work.result()

    def drop(self, task: TaskId, step: StepId) -> None:
        """Give up what is got ready for a step: its turn is over, or nobody wants it."""
        found = self._held.pop((task, step), None)
        if found is not None:
            self._give_up(found)

    def on_cancel(self, told: EnvelopeId) -> bool:
        """Give up what an envelope has told of; say whether there is such a thing."""
        return self._drop_where(lambda each: each.told.id == told)

    def on_asker_gone(self, asker: AgentId) -> None:
        """Give up what an agent has told of that can't be reached any longer."""
        self._drop_where(lambda each: each.told.sender == asker)

    async def close(self) -> None:
        """Give up everything."""
        self._drop_where(lambda _: True)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _prepare(self, prepare: Prepare, envelope: Envelope) -> object:
        """Have the agent get ready; containment point of everything that it may raise."""
        context = PrepareContext(
            envelope.task, envelope.recipient, envelope.traceparent, timeout_s=TIMEOUT_S
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._handler.prepare(prepare, context)
        except Exception as error:  # noqa: BLE001 - the turn does it itself, and says what is wrong
            _log.info("%s is not ready for step %s: %s", context.agent, prepare.step, error)
            return None

    def _drop_old(self) -> None:
        now = self._sender.clock.now()
        self._drop_where(lambda each: (each.told.deadline_at or now) < now)
        while len(self._held) >= HELD_MAX:
            _, oldest = self._held.popitem(last=False)
            self._give_up(oldest)

    def _drop_where(self, is_meant: Callable[[_Preparation], bool]) -> bool:
        meant = [key for key, each in self._held.items() if is_meant(each)]
        for key in meant:
            self.drop(*key)
        return bool(meant)

    def _give_up(self, given_up: _Preparation) -> None:
        if not given_up.work.done():
            given_up.work.cancel()
            self._ending.add(given_up.work)
            given_up.work.add_done_callback(self._ending.discard)
