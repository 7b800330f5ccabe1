"""Which Manager a driver asks for a task next, when, and until when.

Pure: the driver (`cluster.runtime.driver`) tells what became of each ask and carries out what is
said here. What is tried again within a task is decided in `cluster.kernel.tasks.retries`, which
Manager takes a task over by itself in `cluster.kernel.tasks.ownership`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cluster.kernel.errors import (
    ClusterError,
    DeadlinePassed,
    Overloaded,
    UnknownRecipient,
    Unsupported,
)
from cluster.kernel.ids import AgentId

ACCEPT_WAIT_S = 15.0
"""How long a Manager that accepts the task is looked for: a restart takes a few seconds. Once it is
accepted, its deadline is the bound."""
AGAIN_S_MIN = 0.02
AGAIN_S_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Failover:
    """How far a task's way to a Manager has got; instants are on the monotonic clock."""

    began_at: float
    deadline_at: float
    manager: AgentId
    """Who is asked."""
    was_sent: bool = False
    """A Manager may have accepted the task, whatever we heard of it."""
    tries: int = 0
    refused_by: frozenset[AgentId] = frozenset()
    """Managers that have too many tasks already."""
    refusal: Overloaded | None = None
    """The last of their refusals, until another Manager has been chosen."""

    @property
    def avoid(self) -> frozenset[AgentId]:
        """Who is asked only where there is no other Manager."""
        return self.refused_by | {self.manager}


@dataclass(frozen=True, slots=True)
class ChooseAgain:
    """Order: choose a Manager, after a wait, and tell `manager_chosen` which one."""

    after_s: float = 0.0
    is_lost: bool = False
    """Nothing is heard of the Manager just now: the user is told that the task waits."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Order: ask nobody any more; the error is what the user is told."""

    error: ClusterError


def ask_failed(
    state: Failover, error: ClusterError, attempts: int, now: float
) -> tuple[Failover, ChooseAgain | GiveUp]:
    """Return what follows an ask that failed, after it was put onto a link ``attempts`` times."""
    state = replace(state, tries=state.tries + 1)
    if isinstance(error, Overloaded) and not state.was_sent:
        # When to come back is for the user to decide: we only look elsewhere.
        refused_by = state.refused_by | {state.manager}
        return replace(state, refused_by=refused_by, refusal=error), ChooseAgain()
    state = replace(state, was_sent=state.was_sent or attempts > 0)
    wait_s = again_s(error, state.tries)
    bound_s = math.inf if state.was_sent else ACCEPT_WAIT_S
    if wait_s is not None and now >= state.deadline_at:  # of what another try may have mended
        return state, GiveUp(DeadlinePassed(f"the deadline passed: {error}"))
    if wait_s is None or now - state.began_at > bound_s:
        return state, GiveUp(error)
    return state, ChooseAgain(wait_s, is_lost=True)


def again_s(error: ClusterError, tries: int) -> float | None:
    """Return in how many seconds the same ask may do better, or elsewhere; None where it won't.

    Args:
        error: why the last of the tries failed.
        tries: how many there were.
    """
    if isinstance(error, Unsupported):
        return None  # another Manager may know it, and the user had better know of the mixture
    if not error.is_retryable and not isinstance(error, UnknownRecipient):
        return None
    return min(AGAIN_S_MIN * 2.0 ** min(tries, 10), AGAIN_S_MAX)


def manager_chosen(state: Failover, manager: AgentId) -> tuple[Failover, GiveUp | None]:
    """Return what follows a choice; None: to ask that one.

    Who is being restarted may be the only one there is.
    """
    refusal = state.refusal
    state = replace(state, manager=manager, refusal=None)
    if refusal is not None and manager in state.refused_by:
        return state, GiveUp(refusal)
    return state, None


def may_look_again(began_at: float, timeout_s: float, now: float) -> bool:
    """Say whether a Manager is looked for on, for a task that none was found for when it began."""
    return now + AGAIN_S_MAX <= began_at + min(timeout_s, ACCEPT_WAIT_S)
