"""One simulated cluster: its processes, who restarts them, and what befalls them.

Every agent has a process of its own with the real `Host` and the real agent class; a supervisor
starts a dead one again, as Ray does. Time, network, store, models and tools are simulated.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from agents.agent import Agent, Parts
from agents.coder import Coder
from agents.manager import Manager
from agents.researcher import Researcher
from cluster.kernel.delivery import reach
from cluster.kernel.envelope import Envelope
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import AgentId, role_of
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.links import STOPPING
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.tasks.context import Techniques
from cluster.runtime.tasks.engine import TaskEngine
from cluster.runtime.tasks.feed_writer import FeedStores
from cluster.runtime.turns.handler import Handler
from cluster.runtime.turns.runner import QUEUED_MAX
from tests.simulation.coverage import kind_of, plan_states
from tests.simulation.faults import KEPT_SEEDS, Episode, Faults
from tests.simulation.feeds import FeedBooks, has_feeds
from tests.simulation.hedging import experience_of, has_hedges, pace_of
from tests.simulation.ledger import CODEC, Ledger, describe
from tests.simulation.loop import WORLD, Process, VirtualLoop
from tests.simulation.means import Means
from tests.simulation.models import Calls, NoKnowledge, SimSandbox
from tests.simulation.network import KEEPALIVE_S, SimNetwork, SimTransport
from tests.simulation.preparing import PrepareFaults, Preparer, faults_of
from tests.simulation.store import SimStore, StoreServer
from tests.simulation.watched import Watched

AGENTS: dict[str, type[Agent]] = {"manager": Manager, "researcher": Researcher, "coder": Coder}
NAMES = (
    *("manager-0", "manager-1"),
    *("researcher-0", "researcher-1", "researcher-2"),
    *("coder-0", "coder-1"),
)
LEASE_S = 1.5
RESTART_S = (0.05, 1.0)
WALL_S = 1_800_000_000.0
JUMPS_S = (-3600.0, -5.0, 5.0, 3600.0)
STOP_S = 15.0
UNAWARE_SHARE = 0.5
"""Of the zombies: those that do not reach the store at once when they go on."""
CONCURRENCY = (1, 2, 16)
LOOKS_AGAIN = (9, 5)
"""Of so many seeds, which one's drivers have answers looked at again: none of a regression's."""


class SimClock:
    """The clocks of one process; only the wall clock may jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.now = loop.time
        self.skew_s = 0.0

    def wall(self) -> float:
        """Return Unix seconds, as far as this process knows."""
        return WALL_S + self.now() + self.skew_s


class World:
    """The cluster of one run, and its books."""

    def __init__(
        self, seed: int, *, horizon_s: float, has_story: bool = False, prepares: bool = True
    ) -> None:
        self.seed = seed
        self.loop = VirtualLoop()
        self.rng = random.Random(f"world {seed}")
        self.faults = Faults(random.Random(f"faults {seed}"), horizon_s=horizon_s, lease_s=LEASE_S)
        self.preparing = faults_of(seed, others=self.faults, lease_s=LEASE_S)
        self.ledger = Ledger()
        self.means = Means(seed, self.faults, self.ledger, wall_s=WALL_S)
        for each in (self.faults, self.preparing, self.means.faults):
            each.on_crash = self.crash
            each.on_fault = self._cover
        self.ledger.is_gentle = self.faults.is_gentle
        self.has_feeds = has_feeds(seed)
        self.feeds = FeedBooks(self.ledger)
        self.story: list[str] = []
        self._has_story = has_story
        self._techniques = Techniques(prepares=prepares, hedges_steps=has_hedges(seed))
        self.network = SimNetwork(
            self.loop, random.Random(f"network {seed}"), self.faults, self.note
        )
        self.server = StoreServer(self.loop, random.Random(f"store {seed}"), self.faults, self.note)
        self.server.on_effect = self._on_effect
        self.server.on_trouble = self._on_trouble
        self.hosts: dict[Process, Host] = {}
        self.clocks: dict[str, SimClock] = {}
        self.incarnations: Counter[str] = Counter()
        self.concurrency = self.rng.choice(CONCURRENCY)
        """Turns that an agent runs at once."""
        self.looks_again = seed % LOOKS_AGAIN[0] == LOOKS_AGAIN[1]
        """Answers have a sentence that nothing backs, and their drivers want it looked at."""
        self._calls = Calls()
        self._mains: dict[Process, asyncio.Task[None]] = {}
        self.is_ending = False

    def note(self, who: object, what: str) -> None:
        """Write a line of the story."""
        if self._has_story:
            self.story.append(f"{self.loop.time():9.4f}  {who!s:14} {what}")

    def later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> None:
        """Have the world do something, whoever's code is running now."""
        self.loop.call_later(delay_s, callback, *arguments, context=WORLD)

    # ---- processes -------------------------------------------------------------------------

    def clock(self, name: str) -> SimClock:
        """Return the clock of the machine that a process of that name runs on."""
        return self.clocks.setdefault(name, SimClock(self.loop))

    def process(self, name: str) -> Process:
        """Return a new process."""
        self.incarnations[name] += 1
        process = Process(name)
        self.faults.arm(process)
        self.preparing.arm(process)
        return process

    def spawn(self, name: str) -> None:
        """Start a process of an agent."""
        if self.is_ending:
            return
        process = self.process(name)
        self.note(name, f"process {self.incarnations[name]} starts")
        main = self.loop.create_task(self._serve(process), context=process.context)
        self._mains[process] = main

    async def _serve(self, process: Process) -> None:
        """Be the main program of an agent's process."""
        host = self._build(process)
        try:
            await host.start()
        except ClusterError as error:
            self.note(process, f"could not start: {error}")
            self.end(process)
            return
        if not process.is_alive:
            return
        if self.is_ending:  # it came back too late to be stopped with the others
            await host.stop()
            return
        self.hosts[process] = host
        await host.is_fenced.wait()
        self.note(process, "was fenced off")
        self.faults.count("fenced hosts")
        await host.abort()
        self.end(process)

    def _build(self, process: Process) -> Host:
        name = process.name
        role = role_of(name)
        rng = random.Random(f"{name} {self.incarnations[name]} {self.rng.random()}")
        model = self.means.model(process, self.faults, rng, self._calls)
        model.pace = pace_of(self.seed, role, f"{name} {self.incarnations[name]}")
        if model.pace > 1:
            self.faults.count("slow replica")
        parts = Parts(model, NoKnowledge(), SimSandbox(self.faults, rng), run_timeout_s=1.0)
        watch = Watched if self.seed in KEPT_SEEDS else Preparer
        worker = AGENTS[role](parts)
        agent = watch(worker, self, process)
        store: Any = SimStore(self.server, process)

        def handler(sender: Sender) -> Handler:
            if role != "manager":
                return agent
            self.means.give_routes(worker)
            return TaskEngine(
                agent,
                sender,
                store,
                rng=rng,
                techniques=self._techniques,
                answers=self.means.answers(store),
                experience=experience_of(self.seed),
                feeds=self._feed_stores(store, name) if self.has_feeds else None,
            )

        host = Host(
            AgentProfile(
                AgentId(name), worker.purpose, concurrency=self.concurrency, pure=worker.pure()
            ),
            handler,
            store=store,
            transport=SimTransport(self.network, process),
            clock=self.clock(name),
            codec=CODEC,
            lease_s=LEASE_S,
            rng=rng,
            observer=Onlooker(self, process),
        )
        PrepareFaults(self, process, host)
        return host

    def _feed_stores(self, store: SimStore, name: str) -> FeedStores:
        feed, records = (
            store.part(self.server.feed, "feed"),
            store.part(self.server.records, "records"),
        )
        return FeedStores(feed, records, CODEC, self.clock(name), LEASE_S)

    def end(self, process: Process) -> None:
        """A process is gone; the supervisor starts another where none runs."""
        if not process.is_alive:
            return
        self.loop.kill(process)
        self._forget_preparing(process)
        self.network.died(process)
        self.hosts.pop(process, None)
        self._mains.pop(process, None)
        if process.name in NAMES and not self.is_ending:
            self.later(self.rng.uniform(*RESTART_S), self._respawn, process.name)

    def _forget_preparing(self, process: Process) -> None:
        under_way = self.ledger.getting_ready
        for key in [each for each in under_way if each[0] is process]:
            self.ledger.preparing["died with its process"] += under_way.pop(key)

    def _respawn(self, name: str) -> None:
        if not any(process.name == name for process in self._mains):
            self.spawn(name)

    def crash(self, process: Process) -> None:
        """Kill a process where it stands."""
        self.note(process, "CRASH")
        self.end(process)

    def running(self, name: str) -> list[Process]:
        """Return the running processes of an agent."""
        return [process for process in self.hosts if process.name == name]

    # ---- episodes --------------------------------------------------------------------------

    def begin(self, episode: Episode) -> None:
        """Let an episode begin, and end after its length."""
        if not self.faults.are_on:
            return
        self.faults.count(episode.kind)
        name, other = self.rng.sample(NAMES, 2)
        if episode.kind == "zombie" and self._load(name) < self._load(other):
            name, other = other, name  # who has nothing to say does no harm
        self.note(name, f"{episode.kind.upper()} ({other}) for {episode.length_s:.2f} s")
        if episode.kind.startswith("partition"):
            self._cut(episode, name, other)
        elif episode.kind == "store restart":
            self.server.is_up = False
            self.later(min(episode.length_s, LEASE_S), self._store_up)
        elif episode.kind == "clock jump":
            self.clock(name).skew_s += self.rng.choice(JUMPS_S)
        else:
            for process in self.running(name)[:1]:
                if episode.kind == "crash":
                    self.crash(process)
                else:
                    self._freeze(process, episode)

    def _load(self, name: str) -> int:
        return sum(self.hosts[process].turns.load for process in self.running(name))

    def _cut(self, episode: Episode, name: str, other: str) -> None:
        if episode.kind == "partition from store":
            self.server.cut_off[name] = self.server.cut_off.get(name, 0) + 1
            self.later(episode.length_s, self._reach_store, name)
            return
        ways = [(name, other), (other, name)][: 1 if "one" in episode.kind else 2]
        for way in ways:
            self.network.cut(*way)
            self.later(episode.length_s, self.network.heal, *way)

    def _reach_store(self, name: str) -> None:
        self.server.cut_off[name] -= 1

    def _store_up(self) -> None:
        self.server.is_up = True

    def _freeze(self, process: Process, episode: Episode) -> None:
        self.loop.freeze(process)
        if episode.kind == "zombie":
            self.later(LEASE_S / 3, self.spawn, process.name)
            if self.rng.random() < UNAWARE_SHARE:
                # What can't renew its lease doesn't hear that it was replaced; some of these find
                # their peers all the same.
                self.server.strangers[process] = self.rng.choice(("", "put_lease"))
                self.later(4 * LEASE_S, self.server.strangers.pop, process, None)
            self.later(3 * LEASE_S, self._thaw, process)
        else:
            self.later(episode.length_s, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        if process.is_frozen:
            self.note(process, "goes on")
            self.loop.thaw(process)

    def calm(self) -> None:
        """Stop all faults: from now on everything works."""
        self.note("world", "ALL FAULTS STOP")
        self.faults.stop()
        self.preparing.stop()
        self.means.faults.stop()
        self.server.strangers.clear()
        for process in list(self.hosts):
            self._thaw(process)

    # ---- books -----------------------------------------------------------------------------

    def _cover(self, fault: str) -> None:
        """Count in which states of a plan a fault has come."""
        for state in plan_states(self.ledger):
            self.ledger.coverage[f"{kind_of(fault)} | {state}"] += 1

    def _on_effect(
        self, process: Process, name: str, arguments: tuple[Any, ...], result: object
    ) -> None:
        now = self.loop.time()
        for event in self.ledger.on_effect(process, name, arguments, result, now):
            self.note(process, f"journal {event.task[-4:]}: {describe(event)}")
            self.means.books.on_event(process, event)
        self.feeds.on_effect(name, arguments, result)
        if name == "put_many":
            self.means.books.on_put(arguments[0])
        if isinstance(result, ClusterError):
            self.note(process, f"{name} was refused: {result}")

    def _on_trouble(self, process: Process) -> None:
        self.ledger.on_store_trouble(process, self.loop.time())

    def _check_bounds(self, process: Process, host: Host) -> None:
        """O7: what a host remembers and holds is bounded, also after much has gone wrong."""
        inbox = host.turns.statistics()
        if host.exchange.peers_known > len(self.incarnations):
            self.ledger.violate("O7", f"{process} remembers {host.exchange.peers_known} peers")
        if inbox.queued_peak > QUEUED_MAX or inbox.running > self.concurrency:
            self.ledger.violate("O7", f"{process} held more than it may: {inbox}")

    async def stop(self) -> None:
        """Stop every host in an orderly way, and look at what is left of it."""
        self.is_ending = True
        for process, host in list(self.hosts.items()):
            if process not in self._mains:
                continue  # it has noticed meanwhile that it was fenced off
            self._mains.pop(process).cancel()
            self._check_bounds(process, host)
            stopping = self.loop.create_task(host.stop(), context=process.context)
            try:
                async with asyncio.timeout(STOP_S):
                    await stopping
            except TimeoutError:
                self.ledger.violate("O7", f"{process} did not stop within {STOP_S} s")
        await asyncio.sleep(3 * KEEPALIVE_S[1])  # until the network has forgotten its streams
        for process in list(self.hosts):
            for what in self.loop.left_of(process):
                self.ledger.violate("O7", f"{process} has stopped and left {what}")


class Onlooker:
    """Has the books know what is delivered to a process; its exchange's `DeliveryObserver`."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._met_at: dict[AgentId, float] = {}
        """When a link to each agent was made last."""

    def on_met(self, agent: AgentId, epoch: int, known_epoch: int) -> None:
        """O3: an incarnation that was replaced is not met again."""
        self._met_at[agent] = self._world.loop.time()
        if self._process.is_alive and epoch < known_epoch:
            what = f"{self._process} met {agent} again, which was replaced"
            self._world.ledger.violate("O3", what)

    def on_unreachable(self, agent: AgentId, reason: str) -> None:
        """O3: who was linked a moment ago, and has not left, is not given up."""
        if not self._process.is_alive or reason == STOPPING:
            return
        ago_s = self._world.loop.time() - self._met_at.get(agent, -math.inf)
        if ago_s < reach.LOST_AFTER_S:
            what = f"{self._process} gave {agent} up {ago_s:.2f} s after a link to it was made"
            self._world.ledger.violate("O3", what)

    def on_applied(self, envelope: Envelope, known_epoch: int, *, is_awaited: bool) -> None:
        """Write down what reaches the process."""
        if self._process.is_alive:
            now, ledger = self._world.loop.time(), self._world.ledger
            ledger.on_applied(self._process, envelope, known_epoch, now, is_awaited=is_awaited)
