"""How fast model endpoints are, kept from one day to the next: the first call of a day knows.

Used by `cluster.placement.actor.assembly`. Each agent keeps what it knows under its own name; one
that starts takes the account that rests on the most calls. Nobody merges into another's: what two
had read from each other would count twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import AgentId
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.memory.store.port import Store

_log = logging.getLogger(__name__)

KEPT_S = 30 * 24 * 3600.0
_PREFIX = "speed/"


class StoredSpeeds:
    """What agents of a cluster know of the endpoints that they call.

    Args:
        store: where it is kept.
        own: the agent whose account is written.
        agents: those whose accounts are read, itself among them.
    """

    def __init__(self, store: Store, own: AgentId, agents: Sequence[AgentId]) -> None:
        self._store = store
        self._own = own
        self._agents = agents

    async def load(self, speeds: Mapping[str, EndpointSpeed]) -> None:
        """Let each endpoint's speed know what was known before; raises nothing."""
        try:
            found = await self._store.get_many([_PREFIX + agent for agent in self._agents])
            accounts = [json.loads(value) for value in found if value]
            for name, speed in speeds.items():
                known = _best([each[name] for each in accounts if name in each])
                if known is not None:
                    speed.absorb(known)
        except (ClusterError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.info("nothing is known of the models' speed: %s", error)

    async def save(self, speeds: Mapping[str, EndpointSpeed]) -> None:
        """Write what is known now; raises nothing."""
        known = {name: speed.to_mapping() for name, speed in speeds.items() if speed.calls}
        if not known:
            return
        try:
            body = json.dumps(known).encode()
            await self._store.put_many({_PREFIX + self._own: body}, KEPT_S)
        except ClusterError as error:
            _log.info("the models' speed was not kept: %s", error)


def _best(accounts: Sequence[Mapping[str, Any]]) -> EndpointSpeed | None:
    speeds = [EndpointSpeed.from_mapping(each) for each in accounts]
    return max(speeds, key=lambda each: each.first_s.count, default=None)
