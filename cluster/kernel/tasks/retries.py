"""When a step is tried again, whom to avoid, how long a role without replicas is waited for.

Pure: `cluster.runtime.tasks.step_run` tells what happened and carries out what is said here. Which
replica gets it is decided in `cluster.kernel.tasks.replicas`, that a task is handed to another
Manager in `cluster.kernel.tasks.failover`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from cluster.kernel.errors import ClusterError, StoreUnavailable, UnknownRecipient
from cluster.kernel.ids import NO_AGENT, AgentId, role_of

FAILURES_MAX = 3
"""How often a step may fail before its failure is its result."""
ROLE_WAIT_S = 15.0
"""How long a role may be without a registered replica: a restart takes a few seconds."""
ROLE_POLL_S = 0.2


class Retry(Enum):
    """What is to be done after something failed."""

    AGAIN = "try it again"
    NEVER = "its failure is its result"


@dataclass(frozen=True, slots=True)
class Tries:
    """How far the attempts at one step have got."""

    attempt: int
    """Counts from 1, over all owners of the task."""
    agent: AgentId = NO_AGENT
    """Who is to do it; empty where a replica has to be chosen."""
    reason: str = ""
    """Why it is tried again, for people."""
    avoid: frozenset[AgentId] = frozenset()
    """Replicas that failed at it: chosen only where there is no other."""
    failures: int = 0
    """Under this owner, of the role that has it now."""
    roles: tuple[str, ...] = ()
    """Who may do it: the first one does, the others where it can't."""


def first_try(attempt: int, agent: AgentId, roles: tuple[str, ...]) -> Tries:
    """Return the state before an owner's first attempt; the agent is who had the step before."""
    reason = "its Manager was lost; what is done counts" if attempt > 1 else ""
    latest = role_of(agent)
    left = roles[roles.index(latest) :] if latest in roles else roles
    return Tries(attempt, agent, reason, roles=left)


def step_failed(tries: Tries, error: ClusterError) -> tuple[Tries, Retry]:
    """Return whether a step that failed is tried again: elsewhere, if there is another replica.

    Where its role has failed for good, the next one that may do it is asked.
    """
    failures = tries.failures + 1
    again, roles = tries.attempt + 1, tries.roles
    has_other = len(roles) > 1
    is_absent = has_other and isinstance(error, UnknownRecipient)
    if error.is_retryable and failures < FAILURES_MAX and not is_absent:
        avoid = tries.avoid | {tries.agent}
        return Tries(again, NO_AGENT, str(error), avoid, failures, roles), Retry.AGAIN
    if has_other:
        return Tries(again, NO_AGENT, str(error), roles=roles[1:]), Retry.AGAIN
    return replace(tries, failures=failures), Retry.NEVER


def agent_restarted(tries: Tries, agent: AgentId, epoch: int) -> Tries:
    """Return the state after a new incarnation was sent the step: an attempt and no failure."""
    reason = f"{agent} was restarted (incarnation {epoch})"
    return replace(tries, attempt=tries.attempt + 1, reason=reason)


def step_stale(tries: Tries, reason: str) -> Tries:
    """Return the state after a result that was stale: the same replica does it again."""
    return replace(tries, attempt=tries.attempt + 1, reason=reason)


@dataclass(frozen=True, slots=True)
class RoleWait:
    """The wait for a role that has no replica; both instants are on the monotonic clock."""

    gives_up_at: float
    deadline_at: float

    @classmethod
    def begin(cls, deadline_at: float, now: float, *, has_other: bool = False) -> RoleWait:
        """Return the wait for a role that is needed by a deadline: none where another may do it."""
        return cls(now if has_other else min(deadline_at, now + ROLE_WAIT_S), deadline_at)


def role_missing(wait: RoleWait, error: ClusterError, now: float) -> Retry:
    """Return whether a role that was not found is looked for again, in `ROLE_POLL_S` seconds.

    Without the store that goes on until the deadline: nothing could be journaled anyway.
    """
    match error:
        case UnknownRecipient():
            ends_at = wait.gives_up_at
        case StoreUnavailable():
            ends_at = wait.deadline_at
        case _:
            return Retry.NEVER
    return Retry.AGAIN if now < ends_at else Retry.NEVER
