"""Waiting for the end of a task that somebody else may be following too.

Called by the routes of tasks and of kept responses, and by `cluster.serving.webhooks`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cluster.kernel.errors import DeadlinePassed
from cluster.kernel.feed import BEFORE_ALL, TaskRecord
from cluster.kernel.ids import TaskId
from cluster.serving.ports import Desk

RUNNING = "running"
RECORD_WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""A task's record is written after its terminal event: this is how often it is looked for."""


async def ended_record(
    desk: Desk, task: TaskId, timeout_s: float, sleep: Callable[[float], Awaitable[None]]
) -> TaskRecord | None:
    """Return the record of a task when it has ended; None where nothing is known of it.

    Raises:
        DeadlinePassed: it has not ended in time, or nothing tells how it has.
        ClusterError: it can't be followed.
    """
    try:
        async with asyncio.timeout(timeout_s):
            async for _ in desk.watch(task, BEFORE_ALL):
                pass  # its terminal event is the last
            for wait_s in RECORD_WAITS_S:
                record = await desk.record(task)
                if record is None or record.summary.status != RUNNING:
                    return record
                await sleep(wait_s)
    except TimeoutError:
        raise DeadlinePassed("the task has not ended yet: ask again") from None
    raise DeadlinePassed("the task has ended, and its record is not there yet: ask again")
