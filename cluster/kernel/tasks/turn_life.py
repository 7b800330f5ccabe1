"""The life of a turn: it waits, it runs, it is ended from outside, it has been answered.

Pure: `cluster.runtime.turns.runner` tells what happens to a turn and carries out what is said here.
In which order turns run is decided in `cluster.kernel.tasks.turn_order`.
"""

from __future__ import annotations

from enum import Enum

from cluster.kernel.errors import Cancelled, ClusterError, DeadlinePassed, Stopped
from cluster.kernel.ids import EnvelopeId

ASKERS_MAX = 16
"""Of one step: each is a Manager that took the task over, or a resend that crossed a new link."""
CANCELLED_EARLY_MAX = 1024


class Phase(Enum):
    """Where a message is on its way through the agent; it only goes on."""

    QUEUED = "it waits in the inbox for its turn"
    RUNNING = "it has the turn of its step"
    DISMISSED = "it was ended while it was queued, and is answered without a turn"
    ANSWERED = "it had its turn, and whoever asked has been told"


class Ending(Enum):
    """Why a turn was ended from outside."""

    CANCELLED = "the turn was cancelled"
    ASKER_GONE = "whoever asked can't be reached any longer"
    EXPIRED = "the turn did not end before its deadline"
    STOPPING = "the host is stopping"

    def error(self) -> ClusterError:
        """Return what its askers are told."""
        if self is Ending.EXPIRED:
            return DeadlinePassed(self.value)
        return Stopped(self.value) if self is Ending.STOPPING else Cancelled(self.value)


class End(Enum):
    """What is to be done where something ends a turn."""

    DISMISS = "answer it now: it need not wait for its turn to hear that there is none"
    INTERRUPT = "cancel what runs"
    NOTHING = "it ends already, or has ended"


def turn_ended(phase: Phase, before: Ending | None) -> tuple[Phase, End]:
    """Return what follows where a turn is ended from outside; the first reason stands."""
    if before is not None or phase is Phase.ANSWERED:
        return phase, End.NOTHING
    if phase is Phase.QUEUED:
        return Phase.DISMISSED, End.DISMISS
    return phase, End.INTERRUPT


def may_join(ending: Ending | None, askers: int) -> bool:
    """Say whether one more asker may wait for a step that is under way."""
    return ending is None and askers < ASKERS_MAX


class TaskFate(Enum):
    """What becomes of a task when the turn that follows it for its driver is ended."""

    CANCEL = "its driver wants it to end, or is gone"
    SEE_OUT = "its own deadline ends it too, and its driver is to hear of that end"
    LEAVE = "another Manager goes on with it"


def task_fate(ending: Ending | None) -> TaskFate:
    """Return what becomes of a task whose following turn is ended."""
    match ending:
        case Ending.CANCELLED | Ending.ASKER_GONE:
            return TaskFate.CANCEL
        case Ending.EXPIRED:
            return TaskFate.SEE_OUT
        case _:
            return TaskFate.LEAVE


class EarlyCancels:
    """Asks that were cancelled before they came: the control lane goes before the work."""

    __slots__ = ("_asks",)

    def __init__(self) -> None:
        self._asks: dict[EnvelopeId, None] = {}

    def __contains__(self, ask: EnvelopeId) -> bool:
        """Say whether an ask that comes now has been cancelled."""
        return ask in self._asks

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._asks)

    def add(self, ask: EnvelopeId) -> None:
        """Remember the cancel of an ask that isn't here; the oldest are forgotten."""
        self._asks[ask] = None
        if len(self._asks) > CANCELLED_EARLY_MAX:
            del self._asks[next(iter(self._asks))]

    def drop(self, ask: EnvelopeId) -> None:
        """Forget one whose ask has come."""
        del self._asks[ask]
