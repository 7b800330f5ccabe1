"""One simulated group of hosts with knowledge: their processes, and what befalls them.

Every host has the real `KnowledgeCache` with all that is under it; only what needs a thread, a file
or a model is simulated.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.cache.knowledge_cache import BYTES_MAX, KnowledgeCache
from cluster.memory.knowledge.names import LEARNED
from tests.simulation.faults import Episode, Faults, Menu
from tests.simulation.knowledge.ledger import KnowledgeLedger
from tests.simulation.knowledge.library import NAMESPACES, SimEmbedder
from tests.simulation.knowledge.segments import Disks
from tests.simulation.knowledge.store import KnowledgeServer, SimNamespaces
from tests.simulation.loop import WORLD, Process, VirtualLoop
from tests.simulation.world import SimClock

MENU = Menu(
    rates={
        "wake-up lost": (0.05, 1.0),
        "wake-up late": (0.05, 0.8),
        "feed broken": (0.01, 0.3),
        "store delay": (0.01, 0.2),
        "store unreachable": (0.002, 0.1),
        "store reply lost": (0.002, 0.1),
        "store applies late": (0.002, 0.05),
        "look-up cancelled": (0.02, 0.3),
        "segment damaged": (0.02, 0.3),
        "build failed": (0.02, 0.3),
        "disk full": (0.02, 0.3),
    },
    episodes=(
        "partition from store",
        "pause",
        "crash",
        "host leaves",
        "store restart",
        "store goes back",
    ),
    boundaries=(("", 60), ("entries", 12), ("documents", 12), ("apply", 6), ("heads", 6)),
    gentle=("wake-up", "look-up", "segment", "build", "disk"),
)
LEASE_S = 1.0
"""What the lengths of episodes are measured by."""
HOSTS = ("host-0", "host-1", "host-2")
NODES = {"host-0": "one", "host-1": "one"}
"""The node that a host is on, where it isn't the other one."""
SEGMENTS_SHARE = 0.6
"""Of the runs: those whose nodes keep segments."""
WRITERS = ("writer-0", "writer-1")
RESTART_S = (0.05, 1.0)
LATE_SHARE = 0.3
"""Of the hosts: those that join while there is much already."""
ASIDE_S = (0.0, 0.003)
WARM_RETRY_S = 0.2
STOP_S = 2.0
GONE_S = 2.0
"""After a host has left: until those who looked things up have noticed."""
VISIBLE_S = 0.06
MISSED_S = 1.2
"""Where wake-ups are lost or late: a look every second, and what it takes."""


class KnowledgeWorld:
    """The hosts of one run, and their books."""

    def __init__(self, seed: int, *, horizon_s: float, has_story: bool = False) -> None:
        self.loop = VirtualLoop()
        self.rng = random.Random(f"knowledge world {seed}")
        faults_rng = random.Random(f"knowledge faults {seed}")
        self.faults = Faults(faults_rng, horizon_s=horizon_s, lease_s=LEASE_S, menu=MENU)
        self.faults.on_crash = self.crash
        self.horizon_s = horizon_s
        self.ledger = KnowledgeLedger(NAMESPACES)
        if self.faults.is_gentle:
            has_feed = not any(each.startswith("wake-up") for each in self.faults.rates)
            self.ledger.visible_s = VISIBLE_S if has_feed else MISSED_S
        self.story: list[str] = []
        self._has_story = has_story
        self.server = KnowledgeServer(
            self.loop, random.Random(f"knowledge store {seed}"), self.faults, self.note
        )
        self.server.on_effect = self._on_effect
        self.clock = SimClock(self.loop)
        self.caches: dict[Process, KnowledgeCache] = {}
        self.disks = Disks(random.Random(f"knowledge disks {seed}"), self.faults)
        self._has_segments = self.rng.random() < SEGMENTS_SHARE
        self.bytes_max = self.rng.choice((BYTES_MAX, BYTES_MAX, 1))
        """With the least, every look-up in one namespace lets go of the other."""
        self.on_start: Callable[[Process], None] = lambda process: None
        """Told of each process that starts, to give it work."""
        self.is_ending = False

    def note(self, who: object, what: str) -> None:
        """Write a line of the story."""
        if self._has_story:
            self.story.append(f"{self.loop.time():9.4f}  {who!s:14} {what}")

    def later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> None:
        """Have the world do something, whoever's code is running now."""
        self.loop.call_later(delay_s, callback, *arguments, context=WORLD)

    # ---- processes -------------------------------------------------------------------------

    def start(self) -> None:
        """Start the writers and the hosts; some of these join late."""
        for name in (*WRITERS, *HOSTS):
            is_late = name in HOSTS and self.rng.random() < LATE_SHARE
            delay_s = self.rng.uniform(0.0, self.horizon_s) if is_late else 0.0
            self.later(delay_s, self.spawn, name)

    def spawn(self, name: str) -> None:
        """Start a process."""
        if self.is_ending:
            return
        process = Process(name)
        self.faults.arm(process)
        self.note(name, "starts")
        if name in HOSTS:
            self.host(process)
        self.on_start(process)

    def host(self, process: Process) -> KnowledgeCache:
        """Give a process its cache."""
        node = Path("/simulated") / NODES.get(process.name, "other")
        cache = self.caches[process] = KnowledgeCache(
            self.namespaces(process),
            SimEmbedder(),
            folder=node if self._has_segments else None,
            bytes_max=self.bytes_max,
            clock=self.clock,
            aside=self._aside,
        )
        self.loop.create_task(self._warm(cache), context=process.context)
        return cache

    def namespaces(self, process: Process) -> Any:
        """Return the store as a process has it."""
        return SimNamespaces(self.server, process)

    async def _warm(self, cache: KnowledgeCache) -> None:
        try:
            await cache.warm(LEARNED)
        except StoreUnavailable:
            await asyncio.sleep(WARM_RETRY_S)

    async def _aside(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Compute as a thread does: at some moment until its result is there."""
        await asyncio.sleep(self.rng.uniform(*ASIDE_S))
        result = function(*arguments)
        await asyncio.sleep(self.rng.uniform(*ASIDE_S))
        return result

    def crash(self, process: Process) -> None:
        """Kill a process where it stands; another one starts in its place."""
        if not process.is_alive:
            return
        self.note(process, "CRASH")
        self.loop.kill(process)
        if process.name in WRITERS or process in self.caches:  # else it is leaving already
            self._is_gone(process)

    def _is_gone(self, process: Process) -> None:
        self.caches.pop(process, None)
        self.later(self.rng.uniform(*RESTART_S), self.spawn, process.name)

    def running(self, name: str) -> list[Process]:
        """Return the running processes of a name."""
        return [process for process in self.caches if process.name == name]

    # ---- episodes --------------------------------------------------------------------------

    def begin(self, episode: Episode) -> None:
        """Let an episode begin, and end after its length."""
        if not self.faults.are_on:
            return
        self.faults.counts[episode.kind] += 1
        name = self.rng.choice(HOSTS)
        self.note(name, f"{episode.kind.upper()} for {episode.length_s:.2f} s")
        if episode.kind == "partition from store":
            self.server.cut_off[name] = self.server.cut_off.get(name, 0) + 1
            self.later(episode.length_s, self._reach_store, name)
        elif episode.kind.startswith("store"):
            self._hurt_store(episode)
        else:
            for process in self.running(name):
                self._hurt(process, episode)

    def _reach_store(self, name: str) -> None:
        self.server.cut_off[name] = max(0, self.server.cut_off.get(name, 0) - 1)

    def _hurt_store(self, episode: Episode) -> None:
        self.server.is_up = False
        self.later(min(episode.length_s, LEASE_S), self._store_up)
        if episode.kind == "store restart":
            self.server.restart()
            return
        self.server.go_back()
        logs = dict(self.server.logs())
        for name in NAMESPACES:
            version = logs[name].version if name in logs else 0
            self.note("store", f"goes back to {name}@{version}")
            self.ledger.on_return(name, version, self.loop.time())

    def _store_up(self) -> None:
        self.server.is_up = True

    def _hurt(self, process: Process, episode: Episode) -> None:
        if episode.kind == "crash":
            self.crash(process)
        elif episode.kind == "pause":
            self.loop.freeze(process)
            self.later(episode.length_s, self._thaw, process)
        else:
            cache = self.caches.pop(process)
            self.loop.create_task(self.leave(process, cache), context=process.context)
            self.later(STOP_S + GONE_S, self.look_for_left, process)
            self._is_gone(process)

    def _thaw(self, process: Process) -> None:
        if process.is_frozen:
            self.loop.thaw(process)

    def calm(self) -> None:
        """Stop all faults: from now on everything works."""
        self.note("world", "ALL FAULTS STOP")
        self.faults.stop()
        self.server.cut_off.clear()
        self.server.is_up = True
        for process in list(self.caches):
            self._thaw(process)

    async def leave(self, process: Process, cache: KnowledgeCache) -> None:
        """Stop a host in an orderly way, whatever it is doing."""
        try:
            async with asyncio.timeout(STOP_S):
                await cache.close()
        except TimeoutError:
            self.ledger.violate("K7", f"{process} did not stop within {STOP_S} s")

    def look_for_left(self, process: Process) -> None:
        """K7: a host that has left, and wasn't killed on its way, holds nothing."""
        for what in self.loop.left_of(process) if process.is_alive else ():
            self.ledger.violate("K7", f"{process} has stopped and left {what}")

    # ---- books -----------------------------------------------------------------------------

    def _on_effect(
        self, process: Process, name: str, arguments: tuple[Any, ...], result: object
    ) -> None:
        if name != "apply":
            return
        namespace, changes = arguments
        history = self.ledger.histories[namespace][-1]
        log = dict(self.server.logs())[namespace]
        new = [each for each in log.entries.values() if each.version > history.version]
        if new:
            self.ledger.on_written(namespace, changes, new, self.loop.time())
            self.server.remember()
            said = [f"{each.key[:4]}={each.document[:4]}" for each in new]
            self.note(process, f"wrote {namespace}@{log.version}: {said}")
