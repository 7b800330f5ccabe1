"""What an agent's steps came to, kept in the central store under the step's id.

Written before the answer is sent: whoever asks for the step again, whichever Manager and whichever
replica, gets what was thought the first time, and what that has used. The store refuses what an
older incarnation writes, and what an attempt writes that has a later one: that one has done away
with its edits.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StaleEpoch, StoreUnavailable
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.registration import FRESH_SHARE
from cluster.memory.state.marks import StepMarks
from cluster.memory.store.port import Fence, Store
from cluster.wire.messages import pack, unpack

_log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
"""As long as the journal of a task that nobody has acknowledged."""
RETRY_S = 0.2
LOOKS_MAX = 5
"""How often a record is looked for where each answer comes too late: it won't come any sooner."""

Result = tuple[str, bytes, bytes]
"""Type name and body, and what it was made from, as in an envelope."""


class Standing(NamedTuple):
    """How a step stands."""

    result: Result | None
    """What it came to, if anybody has done it."""
    generation: int
    """Of the latest attempt at it that may have edited shared state; 0 where there is none."""


class StepRecords:
    """The records of one agent's steps."""

    def __init__(
        self, store: Store, agent: AgentId, scope: str, *, clock: Clock, lease_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._fresh_s = lease_s * FRESH_SHARE
        self._epoch_name = f"agent/{scope}/{agent}"
        self._scope = scope
        self.epoch = 0
        """The agent's incarnation, known once its host has started."""
        self.fenced = 0
        """Records that the store refused, for another was there or a newer incarnation is."""

    def marks(self, task: TaskId, step: StepId, redo: int = 0) -> StepMarks:
        """Return where the store has what is known of a step.

        Args:
            task: the one that it is of.
            step: which one.
            redo: how often its result was found to be stale, and is wanted anew.
        """
        name = f"{self._scope}/{task}/{step}"
        record = f"record/{name}#{redo}" if redo else f"record/{name}"
        return StepMarks(task, record, f"attempt/{name}", KEPT_S)

    async def find(self, marks: StepMarks) -> Standing:
        """Return what the store has of a step.

        Waits for the store as long as it takes: to think again costs more, and without the store
        the step's Manager can't go on either. Looks again where the store, or this process, was so
        slow that somebody may have done the step since.
        """
        looks = 0
        while True:
            asked_at = self._clock.now()
            try:
                found, attempt = await self._store.get_many([marks.record, marks.attempt])
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
                continue
            looks += 1
            if found is not None:
                return Standing(unpack(found), int(attempt or 0))
            if self._clock.now() - asked_at <= self._fresh_s or looks >= LOOKS_MAX:
                return Standing(None, int(attempt or 0))

    async def keep(
        self, marks: StepMarks, result: Result, generation: int, timeout_s: float
    ) -> Result:
        """Record what a step came to; return what holds: the first record of a step stays.

        Where the store stays away for ``timeout_s`` seconds, the answer goes out unrecorded, unless
        it has edits beside it: a later attempt would do away with them and not with the answer.

        Args:
            marks: of the step.
            result: what it came to.
            generation: of the attempt; 0 where it has edited nothing.
            timeout_s: how long the store may stay away.

        Raises:
            StaleEpoch: a later attempt has begun, or a newer incarnation of the agent, which may
                begin one, and there are edits.
            StoreUnavailable: the store stayed away, and there are edits.
        """
        try:
            async with asyncio.timeout(timeout_s):
                fence = Fence(marks.attempt, generation)
                if await self._put(marks.record, pack(*result), fence):
                    return result
                self.fenced += 1
                found = await self.find(marks)
        except TimeoutError as error:
            if generation:
                raise StoreUnavailable(f"{marks.record} was not written: no store") from error
            _log.warning("%s was not written: no store", marks.record)
            return result
        if found.result is None and (generation or found.generation):
            raise StaleEpoch(f"attempt {generation} may write no record any more")
        return found.result or result

    async def _put(self, key: str, value: bytes, fence: Fence) -> bool:
        """Put the record, again where that may have failed; say whether ours is there."""
        put = partial(self._store.put_once, self._epoch_name, key, self.epoch, value, KEPT_S)
        while True:
            try:
                if await put(fence=fence):
                    return True
                return await self._store.get_many([key]) == [value]  # an attempt had worked
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
