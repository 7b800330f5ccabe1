"""How a Manager's turn follows a run for whoever asked for the task: to its end, or to its begin.

Called by the task engine; the run itself belongs to that, and goes on whatever becomes of the turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from cluster.kernel.errors import ClusterError
from cluster.kernel.events import Event, Submitted, shown
from cluster.runtime.tasks.task_story import TaskStory, View
from cluster.runtime.turns.running_turn import RunningTurn


class FollowedRun(Protocol):
    """A run of a task, as those see it who follow it."""

    story: TaskStory
    ended: asyncio.Future[Event | ClusterError]
    """Has its terminal event, or why it stopped."""


async def terminal_event(run: FollowedRun) -> Event:
    """Return the terminal event of a run; whoever waits for it may leave.

    Raises:
        Stopped: this Manager has given the task up, and another one may have it.
    """
    ended = await asyncio.shield(run.ended)
    if isinstance(ended, ClusterError):
        raise ended
    return ended


async def follow(run: FollowedRun, turn: RunningTurn) -> Event:
    """Show a run to whoever asked and return its terminal event. Raises as `terminal_event`."""
    view: View = turn.show
    run.story.has_driver = True
    run.story.attach(view)
    try:
        return await terminal_event(run)
    finally:
        run.story.detach(view)


async def begun(run: FollowedRun) -> Event:
    """Return the event that says the task was accepted, once that is durable.

    Raises:
        Stopped: as `terminal_event`; somebody else may have begun it.
    """
    accepted: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

    def look(event: Event) -> None:
        if isinstance(event.detail, Submitted) and not accepted.done():
            accepted.set_result(event)

    run.story.attach(look)
    try:
        either: list[asyncio.Future[Any]] = [accepted, run.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        run.story.detach(look)
    return accepted.result() if accepted.done() else await terminal_event(run)


async def see_out(run: FollowedRun, turn: RunningTurn, timeout_s: float) -> None:
    """Wait for the end of a run that was told to end, so that its driver hears of that end."""
    run.story.attach(turn.show)
    await asyncio.wait([run.ended], timeout=timeout_s)
    if run.ended.done() and isinstance(ended := run.ended.result(), Event):
        turn.work.last_word = ended


def shown_end(events: Sequence[Event], turn: RunningTurn) -> Event:
    """Show a task that has ended to whoever asks, and return its terminal event."""
    for event in events[:-1]:
        turn.show(shown(event))
    return shown(events[-1])
