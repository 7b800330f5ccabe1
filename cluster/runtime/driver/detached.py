"""Tasks that belong to the cluster, as a driver begins and ends them: it is asked, and may leave.

Called by `cluster.runtime.driver.driver`. What happens between the two is read from the task's
feed, by `cluster.runtime.driver.watching`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import ClusterError, DeadlinePassed, Unsupported, UsageError
from cluster.kernel.events import Event, shown
from cluster.kernel.feed import Cursor
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.roles import MANAGER
from cluster.kernel.submission import CancelTask, Submission
from cluster.kernel.tasks.failover import again_s
from cluster.memory.feed.port import TaskFeed
from cluster.memory.journal.port import Journal
from cluster.memory.task_records.port import TaskRecords
from cluster.runtime.driver.handover import Handover
from cluster.runtime.messaging.sender import Sender, Unobserved
from cluster.runtime.tasks.task_journal import EVENT

START_WAIT_S = 30.0
"""How long a task may take to be accepted, durably: a Manager is restarted in a few seconds, and
the store may be away for as long."""
CANCEL_WAIT_S = 30.0
"""As `START_WAIT_S`: how long a task may take to end that was asked to."""


@dataclass(frozen=True, slots=True)
class TaskStores:
    """Where the store keeps what it knows of tasks; None where a driver needs none of it."""

    feed: TaskFeed | None = None
    records: TaskRecords | None = None
    journal: Journal | None = None


class _Leaving(Unobserved):
    """Whoever hands a task of the cluster's in: to go away does not end it."""

    @property
    def is_abandoned(self) -> bool:
        return True


async def hand_in(submission: Submission, ask: Envelope, sender: Sender) -> None:
    """Return when a Manager has accepted a detached task, and that is durable.

    Raises:
        Overloaded: each Manager has as many tasks as it may.
        DeadlinePassed: nobody has said so in time.
        ClusterError: why no Manager takes it.
    """
    handover = Handover(submission, ask, sender)
    try:
        async with asyncio.timeout(START_WAIT_S):
            while not await _is_accepted(handover, sender):
                pass
    except TimeoutError:
        raise DeadlinePassed(
            f"no Manager has said within {START_WAIT_S:g} s that it has accepted task "
            f"{submission.task}, which one may have; hand it in again under the same id to know"
        ) from None


async def _is_accepted(handover: Handover, sender: Sender) -> bool:
    """Ask the Manager; False where another one is to be asked."""
    try:
        answer = await sender.ask_replaceable(handover.ask, _Leaving(), is_left=True)
    except ClusterError as error:
        await handover.go_on_after(error)
        return False
    if not isinstance(answer, Event):
        raise Unsupported(f"{handover.ask.recipient} accepted the task in a way newer than ours")
    return True


async def end_task(task: TaskId, reason: str, sender: Sender, stores: TaskStores) -> Event:
    """Have a task ended by whoever owns it, or by any Manager; return its terminal event.

    Raises:
        UsageError: there is no such task, or nothing but its record is kept of it.
        DeadlinePassed: it has not ended in time.
        ClusterError: why nobody can be asked.
    """
    gives_up_at = sender.clock.now() + CANCEL_WAIT_S
    tries = 0
    while True:
        try:
            found = await _owner_or_end(task, sender, stores)
            if isinstance(found, Event):
                return found
            manager = await _registered(found, sender, is_again=tries > 0)
            return await _ask_to_end(CancelTask(task, reason), manager, gives_up_at, sender)
        except ClusterError as error:
            tries += 1
            wait_s = again_s(error, tries)
            if wait_s is None or sender.clock.now() + wait_s >= gives_up_at:
                raise
        await asyncio.sleep(wait_s)


async def _owner_or_end(task: TaskId, sender: Sender, stores: TaskStores) -> AgentId | Event | None:
    """Return who owns a task, or how it has ended; None where that can't be said."""
    if stores.journal is None:
        return None
    is_open = (await stores.journal.open_tasks()).get(task)
    if is_open is not None:
        return is_open.owner.agent
    entries = await stores.journal.read(task) or await _end_of_feed(task, stores)
    ended = sender.codec.decode(EVENT, entries[-1]) if entries else None
    if isinstance(ended, Event) and ended.is_terminal:
        return shown(ended)
    record = None if stores.records is None else await stores.records.record(task)
    if record is None:
        raise unknown_task(task)
    if record.summary.ended_wall_s:
        raise UsageError(f"task {task} has ended, and only its record is kept")
    return None


async def _end_of_feed(task: TaskId, stores: TaskStores) -> tuple[bytes, ...]:
    """Return the last entry of a feed that has ended; nothing of another one."""
    if stores.feed is None or not (tail := await stores.feed.tail(task)).is_final:
        return ()
    before = Cursor(tail.last.term, tail.last.number - 1)
    page = await stores.feed.read(task, before, 1)
    return tuple(each.event for each in page.entries)


async def _registered(owner: AgentId | None, sender: Sender, *, is_again: bool) -> AgentId:
    """Return the owner of a task, or any Manager where that one is gone."""
    managers = await sender.directory.replicas(MANAGER, is_fresh=is_again)
    if owner is not None and owner in {each.agent for each in managers}:
        return owner
    return await sender.replica_of(MANAGER, frozenset() if owner is None else frozenset({owner}))


async def _ask_to_end(
    request: CancelTask, manager: AgentId, deadline_at: float, sender: Sender
) -> Event:
    ask = sender.envelope(
        manager,
        Kind.ASK,
        request,
        task=request.task,
        deadline_at=deadline_at,
        trust=Trust.USER,
    )
    ended = await sender.ask_replaceable(ask, Unobserved())
    if not isinstance(ended, Event) or not ended.is_terminal:
        raise Unsupported(f"{manager} ended the task in a way newer than ours")
    return ended


def unknown_task(task: TaskId) -> UsageError:
    """Return the error of a task that was never there, or is no longer known."""
    return UsageError(f"there is no such task as {task[:64]!r}, or nothing is kept of it any more")
