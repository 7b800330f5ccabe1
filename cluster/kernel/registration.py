"""An agent as the directory knows it, and the choice among the replicas of a role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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

    @property
    def role(self) -> str:
        """The agent's role."""
        return role_of(self.agent)


def choose_replica(
    replicas: Iterable[Registration],
    in_flight: Mapping[AgentId, int],
    avoid: frozenset[AgentId] = frozenset(),
) -> Registration | None:
    """Return the replica with the least work: our own asks in flight, then its reported load.

    Those in ``avoid`` are taken only where there is no other. None where there is none at all.
    """
    return min(
        replicas,
        key=lambda r: (r.agent in avoid, in_flight.get(r.agent, 0), r.load, r.agent),
        default=None,
    )
