"""What an agent's steps came to, kept in the central store under the step's id.

Written before the answer is sent: whoever asks for the step again, whichever Manager and whichever
replica, gets what was thought the first time. The store refuses what an older incarnation writes.
"""

from __future__ import annotations

import asyncio
import logging

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.registration import FRESH_SHARE
from cluster.memory.store.port import Store
from cluster.wire.messages import pack, unpack

_log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
"""As long as the journal of a task that nobody has acknowledged."""
RETRY_S = 0.2
LOOKS_MAX = 5
"""How often a record is looked for where each answer comes too late: it won't come any sooner."""

Result = tuple[str, bytes]
"""Type name and body, as in an envelope."""


class StepRecords:
    """The records of one agent's steps."""

    def __init__(
        self, store: Store, agent: AgentId, scope: str, *, clock: Clock, lease_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._fresh_s = lease_s * FRESH_SHARE
        self._epoch_name = f"agent/{scope}/{agent}"
        self._prefix = f"record/{scope}/"
        self.epoch = 0
        """The agent's incarnation, known once its host has started."""
        self.fenced = 0
        """Records that the store refused, for another was there or a newer incarnation is."""

    async def find(self, task: TaskId, step: StepId) -> Result | None:
        """Return what the step came to, if anybody has done it.

        Waits for the store as long as it takes: to think again costs more, and without the store
        the step's Manager can't go on either. Looks again where the store, or this process, was so
        slow that somebody may have done the step since.
        """
        looks = 0
        while True:
            asked_at = self._clock.now()
            try:
                [found] = await self._store.get_many([self._key(task, step)])
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
                continue
            looks += 1
            if found is not None:
                return unpack(found)
            if self._clock.now() - asked_at <= self._fresh_s or looks >= LOOKS_MAX:
                return None

    async def keep(self, task: TaskId, step: StepId, result: Result, timeout_s: float) -> Result:
        """Record what a step came to; return what holds: the first record of a step stays.

        Where the store stays away for ``timeout_s`` seconds, the answer goes out unrecorded.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if await self._put(self._key(task, step), pack(*result)):
                    return result
                self.fenced += 1
                return await self.find(task, step) or result
        except TimeoutError:
            _log.warning("step %s of task %s was not recorded: no store", step, task)
            return result

    async def _put(self, key: str, value: bytes) -> bool:
        """Put the record, again where that may have failed; say whether ours is there."""
        while True:
            try:
                if await self._store.put_once(self._epoch_name, key, self.epoch, value, KEPT_S):
                    return True
                return await self._store.get_many([key]) == [value]  # an attempt had worked
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)

    def _key(self, task: TaskId, step: StepId) -> str:
        return f"{self._prefix}{task}/{step}"
