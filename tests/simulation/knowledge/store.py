"""The simulated namespaces: the in-memory twin behind a connection that fails, and its feeds.

A feed loses wake-ups, says them late, and breaks; a restarted store has all that it had, one that
goes back has what it had some writes ago, as a replica has that missed them, or nothing.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.namespaces.local import LocalFeed, LocalNamespaces
from cluster.memory.namespaces.port import Feed
from tests.simulation.faults import Faults
from tests.simulation.loop import WORLD, Process, VirtualLoop
from tests.simulation.network import Note
from tests.simulation.store import SimStore, StoreServer, run_at_once

PAST_MAX = 6
"""A store goes back by so many writes at most, unless to nothing."""
EMPTIED_SHARE = 0.2
LATE_S = (0.01, 2.0)
LEAST_S = 1e-6
"""No wait takes less: with none, rounded times could keep the virtual clock where it is."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What a store had at a moment."""

    logs: dict[str, Any]
    counts: Counter[str]
    values: dict[str, Any]


class KnowledgeServer(StoreServer):
    """The central store with its namespaces."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, faults: Faults, note: Note) -> None:
        super().__init__(loop, rng, faults, note)
        self.namespaces = LocalNamespaces(self.local, self.local._clock)
        self._past: deque[_Past] = deque(maxlen=PAST_MAX)
        self._began = self._now()

    def remember(self) -> None:
        """Keep what there is, since a replica may have just that."""
        self._past.append(self._now())

    def restart(self) -> None:
        """Break all connections; whoever waits on one is told."""
        for feed in list(self.namespaces._feeds):
            run_at_once(feed.close())

    def go_back(self) -> None:
        """Let a replica take over, which has missed the latest writes."""
        is_emptied = self.random.random() < EMPTIED_SHARE or not self._past
        past = self._began if is_emptied else self.random.choice(self._past)
        self._past.clear()
        self.namespaces._logs = _copied(past.logs)
        self.namespaces._counts = Counter(past.counts)
        self.local._values = dict(past.values)
        self.restart()

    def _now(self) -> _Past:
        twin = self.namespaces
        return _Past(_copied(twin._logs), Counter(twin._counts), dict(self.local._values))

    def logs(self) -> Iterator[tuple[str, Any]]:
        """Yield the namespaces and their logs."""
        yield from self.namespaces._logs.items()


def _copied(logs: dict[str, Any]) -> dict[str, Any]:
    return {name: replace(log, entries=dict(log.entries)) for name, log in logs.items()}


class SimNamespaces(SimStore):
    """`cluster.memory.namespaces.port.Namespaces` as one process has them."""

    server: KnowledgeServer

    def _target(self, name: str) -> object:
        return self.server.namespaces

    async def feed(self) -> Feed:
        """Open a feed."""
        inner = await self.call(self.server.namespaces, "feed")
        return SimFeed(self.server, self.process, inner)


class SimFeed:
    """A feed over a connection that fails."""

    def __init__(self, server: StoreServer, process: Process, inner: LocalFeed) -> None:
        self._server = server
        self._process = process
        self._inner = inner

    async def wait(self, timeout_s: float) -> frozenset[str]:
        """Return what was written to, unless that is lost."""
        loop, faults = self._server.loop, self._server.faults
        ends_at = loop.time() + timeout_s
        while True:
            names = await self._inner.wait(max(LEAST_S, ends_at - loop.time()))
            is_there = self._server.is_reachable(self._process, "feed")
            if not is_there or (names and faults.happens("feed broken")):
                raise StoreUnavailable("the feed has no connection")
            if names and faults.happens("wake-up lost"):
                continue
            if names and faults.happens("wake-up late"):
                self._say_later(names)
                continue
            if names or loop.time() >= ends_at:
                return names

    def _say_later(self, names: frozenset[str]) -> None:
        for name in names:
            delay_s = self._server.random.uniform(*LATE_S)
            self._server.loop.call_later(delay_s, self._inner.hear, name, context=WORLD)

    async def close(self) -> None:
        """Close it."""
        await self._inner.close()
