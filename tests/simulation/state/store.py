"""The simulated logs of shared state: the in-memory twin behind a connection that fails."""

from __future__ import annotations

import random

from cluster.memory.namespaces.port import Feed
from cluster.memory.state.local import LocalStateLog
from tests.simulation.faults import Faults
from tests.simulation.knowledge.store import SimFeed
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Note
from tests.simulation.store import SimStore, StoreServer, run_at_once


class StateServer(StoreServer):
    """The central store with its logs of shared state; a restarted one has all that it had."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, faults: Faults, note: Note) -> None:
        super().__init__(loop, rng, faults, note)
        self.logs = LocalStateLog(self.local._clock, self.local)

    def restart(self) -> None:
        """Break all connections; whoever waits on one is told."""
        for feed in list(self.logs._feeds):
            run_at_once(feed.close())


class SimStateLog(SimStore):
    """`cluster.memory.state.port.StateLog` as one process has it."""

    server: StateServer

    def _target(self, name: str) -> object:
        return self.server.logs

    async def feed(self) -> Feed:
        """Open a feed."""
        inner = await self.call(self.server.logs, "feed")
        return SimFeed(self.server, self.process, inner)
