"""An agent as the directory knows it. Among the replicas of a role `tasks.replicas` chooses."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.cache_statistics import CacheStatistics
from cluster.kernel.ids import AgentId, role_of

LEASE_S = 5.0
FRESH_SHARE = 1 / 10
"""Of a lease: how old the store's word may be, when something is thought, that we own the task and
that nobody has done it."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Who is where, in which incarnation; vanishes with its lease."""

    agent: AgentId
    address: str
    epoch: int
    load: int = 0
    purpose: str = ""
    handles: tuple[str, ...] = ()
    pid: int = 0
    """The process it lives in, on its own machine; 0 where nobody said."""
    knowledge: CacheStatistics | None = None
    """What its host's cache held when the lease was last renewed; None where it has none."""
    decides: tuple[str, ...] = ()
    """Fields of shared state whose conflicts it decides, as ``Board.verdict``."""
    subscribes: tuple[str, ...] = ()
    """Topics that wake it."""
    pure: tuple[str, ...] = ()
    """Of the types that it handles, those that it does so without changing anything elsewhere."""

    @property
    def role(self) -> str:
        """The agent's role."""
        return role_of(self.agent)
