"""What an agent's steps came to, kept in the central store under the step's id.

Written before the answer is sent: whoever asks for the step again, whichever Manager and whichever
replica, gets what was thought the first time. The store refuses what an older incarnation writes.
"""

from __future__ import annotations

import asyncio
import logging

from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.memory.store import Store
from cluster.wire.messages import pack, unpack

_log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
"""As long as the journal of a task that nobody has acknowledged."""
STORE_WAIT_S = 1.0
"""How long an answer waits for its record: without the store, an answer goes out unrecorded."""

Result = tuple[str, bytes]
"""Type name and body, as in an envelope."""


class StepRecords:
    """The records of one agent's steps."""

    def __init__(self, store: Store, agent: AgentId, scope: str) -> None:
        self._store = store
        self._epoch_name = f"agent/{scope}/{agent}"
        self._prefix = f"record/{scope}/"
        self.epoch = 0
        """The agent's incarnation, known once its host has started."""
        self.fenced = 0
        """Records that the store refused, for another was there or a newer incarnation is."""

    async def find(self, task: TaskId, step: StepId) -> Result | None:
        """Return what the step came to, if anybody has done it; None where that can't be known."""
        try:
            async with asyncio.timeout(STORE_WAIT_S):
                [found] = await self._store.get_many([self._key(task, step)])
        except (StoreUnavailable, TimeoutError):
            return None
        if found is None:
            return None
        return unpack(found)

    async def keep(self, task: TaskId, step: StepId, result: Result) -> Result:
        """Record what a step came to; return what holds: the first record of a step stays."""
        key = self._key(task, step)
        try:
            async with asyncio.timeout(STORE_WAIT_S):
                is_ours = await self._store.put_once(
                    self._epoch_name, key, self.epoch, pack(*result), KEPT_S
                )
        except (StoreUnavailable, TimeoutError) as error:
            _log.warning("step %s of task %s was not recorded: %s", step, task, error)
            return result
        if is_ours:
            return result
        self.fenced += 1
        return await self.find(task, step) or result

    def _key(self, task: TaskId, step: StepId) -> str:
        return f"{self._prefix}{task}/{step}"
