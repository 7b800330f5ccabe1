"""The driver of the campaign under Ray, as a process: submits to the resident cluster all the time.

`python -m tests.chaos.ray_driver FOLDER`; it writes its ledger into the folder, and on SIGTERM
follows what is under way to its end.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from cluster import Cluster
from cluster.kernel.errors import ClusterError
from cluster.kernel.events import Failed
from cluster.task import Task
from tests.chaos.event_log import EventLog

AT_ONCE = 3
DEADLINE_S = 60.0
GOAL = "How do I find the three largest numbers of a list? Show a program that does it."


async def run(folder: Path) -> None:
    """Submit until told to stop."""
    log = EventLog(folder, "driver")
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with Cluster() as cluster, asyncio.TaskGroup() as group:
        log.write("ready")
        for _ in range(AT_ONCE):
            group.create_task(_submit(cluster, log, stopping))
    log.write("drained", left=0)


async def _submit(cluster: Cluster, log: EventLog, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            task = await cluster.submit(GOAL, deadline_s=DEADLINE_S)
        except ClusterError as error:
            log.write("not submitted", error=str(error))
            await asyncio.sleep(0.2)
            continue
        log.write("submitted", task=task.id)
        await _follow(task, log)


async def _follow(task: Task, log: EventLog) -> None:
    events = [event async for event in task]
    ends = [event for event in events if event.is_terminal]
    detail = ends[0].detail if ends else None
    failure = detail.failure if isinstance(detail, Failed) else None
    log.write(
        "ended",
        task=task.id,
        kind=ends[0].kind if ends else "",
        ends=len(ends),
        why=f"{failure.kind}: {failure.message}" if failure is not None else "",
        starts=sum(event.kind == "step_started" for event in events),
        steps=len({event.step for event in events if event.kind == "step_started"}),
    )


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
