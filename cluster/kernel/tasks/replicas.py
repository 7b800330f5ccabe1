"""Which replica of a role is asked, and when the one that was asked is given up for another.

Pure: `cluster.runtime.messaging.sender` reads the directory and carries out what is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration


def choose_replica(
    replicas: Iterable[Registration],
    in_flight: Mapping[AgentId, int],
    avoid: frozenset[AgentId] = frozenset(),
    ready: AgentId | None = None,
) -> Registration | None:
    """Return the replica with the least work: our own asks in flight, then its reported load.

    Of those with equally many asks in flight it is the one that is ready for this one: what it has
    prepared is worth less than to wait for its other work, and more than a load of a second ago.
    Those in ``avoid`` are taken only where there is no other. None where there is none at all.
    """
    return min(
        replicas,
        key=lambda r: (
            r.agent in avoid,
            in_flight.get(r.agent, 0),
            r.agent != ready,
            r.load,
            r.agent,
        ),
        default=None,
    )


class Replaced(Enum):
    """Why an agent is no longer the one to ask while another replica of its role is."""

    OUT_OF_REACH = "can't be reached"
    LEASE_LOST = "has lost its lease"


def replacement(
    agent: AgentId, replicas: Iterable[AgentId], *, is_out_of_reach: bool
) -> Replaced | None:
    """Return why who was asked is given up for another replica with a lease, None where not yet."""
    others = set(replicas)
    has_lease = agent in others
    others.discard(agent)
    if not others:
        return None
    if is_out_of_reach:
        return Replaced.OUT_OF_REACH
    return None if has_lease else Replaced.LEASE_LOST
