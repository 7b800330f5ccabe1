"""One simulated group of hosts that share documents: their processes, and what befalls them.

Each host has the real `Documents` and the real turns of one agent; Managers, people and the ways
between them are simulated.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from cluster.kernel.envelope import Envelope
from cluster.kernel.ids import AgentId
from cluster.kernel.state.own_policies import Policies
from cluster.memory.state.entries import Appended, Begun
from cluster.memory.state.host.documents import Documents
from cluster.wire.messages import unpack
from tests.simulation.faults import Episode, Faults, Menu
from tests.simulation.ledger import CODEC
from tests.simulation.loop import WORLD, Process, VirtualLoop
from tests.simulation.state.board import left_by
from tests.simulation.state.ledger import StateLedger, step_name
from tests.simulation.state.store import SimStateLog, StateServer
from tests.simulation.store import SimStore, run_at_once
from tests.simulation.world import SimClock

MENU = Menu(
    rates={
        "wake-up lost": (0.05, 1.0),
        "wake-up late": (0.05, 0.8),
        "feed broken": (0.01, 0.3),
        "store delay": (0.01, 0.3),
        "store unreachable": (0.005, 0.15),
        "store reply lost": (0.005, 0.15),
        "store applies late": (0.005, 0.1),
        "ask lost": (0.02, 0.3),
        "ask late": (0.02, 0.5),
        "ask doubled": (0.05, 0.6),
        "answer lost": (0.02, 0.3),
        "answer late": (0.02, 0.5),
        "agent failed": (0.02, 0.2),
        "agent slow": (0.05, 0.5),
        "turn cancelled": (0.02, 0.3),
    },
    episodes=("partition from store", "pause", "crash", "host leaves", "store restart"),
    boundaries=(
        ("", 80),
        ("append", 16),
        ("begin", 5),
        ("put_once", 5),
        ("before put_once", 4),
        ("an answer", 5),
        ("read", 12),
        ("settle", 4),
        ("put_snapshot", 3),
    ),
    gentle=("wake-up", "agent"),
)
LEASE_S = 1.0
"""What the lengths of episodes are measured by."""
HOSTS = ("host-0", "host-1", "host-2")
MANAGERS = ("manager-0", "manager-1")
DRIVER = "driver"
RESTART_S = (0.05, 1.0)
LATE_SHARE = 0.2
"""Of the hosts: those that join while there is much already."""
STOP_S = 5.0
GONE_S = 2.5
DELETED_KEPT_S = 1.0


class StateWorld:
    """The hosts of one run, and their books."""

    def __init__(self, seed: int, *, horizon_s: float, has_story: bool = False) -> None:
        self.loop = VirtualLoop()
        self.rng = random.Random(f"state world {seed}")
        faults_rng = random.Random(f"state faults {seed}")
        self.faults = Faults(faults_rng, horizon_s=horizon_s, lease_s=LEASE_S, menu=MENU)
        self.faults.on_crash = self.crash
        self.horizon_s = horizon_s
        self.ledger = StateLedger()
        self.story: list[str] = []
        self._has_story = has_story
        rng = random.Random(f"state store {seed}")
        self.server = StateServer(self.loop, rng, self.faults, self.note)
        self.server.on_effect = self._on_effect
        self.clock = SimClock(self.loop)
        self.documents: dict[Process, Documents] = {}
        self.running: dict[str, Process] = {}
        self.epochs: Counter[str] = Counter()
        self._marks = itertools.count(1)
        self.on_start: Callable[[Process], None] = lambda process: None
        """Told of each process that starts, to give it work."""
        self.on_leave: Callable[[Process], Any] = lambda process: None
        """Asked for what a process has to end before its documents are closed."""
        self.on_answer: Callable[[Envelope, object], None] = lambda asked, answer: None
        """Told of each answer on its way."""
        self.is_ending = False

    def note(self, who: object, what: str) -> None:
        """Write a line of the story."""
        if self._has_story:
            self.story.append(f"{self.loop.time():9.4f}  {who!s:14} {what}")

    def later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> None:
        """Have the world do something, whoever's code is running now."""
        self.loop.call_later(delay_s, callback, *arguments, context=WORLD)

    def mark(self) -> str:
        """Return a mark that nobody has left."""
        return f"m{next(self._marks)}"

    # ---- processes -------------------------------------------------------------------------

    def start(self) -> None:
        """Start all processes; some of the hosts join late."""
        for name in (*MANAGERS, DRIVER, *HOSTS):
            is_late = name in HOSTS and self.rng.random() < LATE_SHARE
            self.later(self.rng.uniform(0.0, self.horizon_s / 2) * is_late, self.spawn, name)

    def spawn(self, name: str) -> None:
        """Start a process."""
        if self.is_ending or name in self.running:
            return
        process = self.running[name] = Process(name)
        self.epochs[name] += 1
        self.faults.arm(process)
        self.note(name, f"starts, epoch {self.epochs[name]}")
        self.share(process)
        self.on_start(process)

    def share(self, process: Process) -> Documents:
        """Give a process its documents."""
        documents = Documents(
            self.log(process),
            self.clock,
            Policies(is_checked=True),
            lambda document, _: self.ledger.on_news(process, document),
        )
        self.documents[process] = documents
        return documents

    def crash(self, process: Process) -> None:
        """Kill a process where it stands; another one starts in its place."""
        if not process.is_alive:
            return
        self.note(process, "CRASH")
        self.loop.kill(process)
        self._is_gone(process)

    def _is_gone(self, process: Process) -> None:
        self.documents.pop(process, None)
        if self.running.get(process.name) is process:
            del self.running[process.name]
            self.later(self.rng.uniform(*RESTART_S), self.spawn, process.name)

    def is_serving(self, process: Process) -> bool:
        """Say whether a process runs and isn't about to leave."""
        return self.running.get(process.name) is process

    # ---- episodes --------------------------------------------------------------------------

    def begin(self, episode: Episode) -> None:
        """Let an episode begin, and end after its length."""
        if not self.faults.are_on:
            return
        self.faults.counts[episode.kind] += 1
        name = self.rng.choice((*HOSTS, *HOSTS, *MANAGERS, DRIVER))
        self.note(name, f"{episode.kind.upper()} for {episode.length_s:.2f} s")
        if episode.kind == "partition from store":
            self.server.cut_off[name] = self.server.cut_off.get(name, 0) + 1
            self.later(episode.length_s, self._reach_store, name)
        elif episode.kind == "store restart":
            self.server.is_up = False
            self.later(min(episode.length_s, LEASE_S), self._store_up)
            self.server.restart()
        elif name in self.running:
            self._hurt(self.running[name], episode)

    def _reach_store(self, name: str) -> None:
        self.server.cut_off[name] = max(0, self.server.cut_off.get(name, 0) - 1)

    def _store_up(self) -> None:
        self.server.is_up = True

    def _hurt(self, process: Process, episode: Episode) -> None:
        if episode.kind == "pause":
            self.loop.freeze(process)
            self.later(episode.length_s, self._thaw, process)
        elif episode.kind == "host leaves" and process.name in HOSTS:
            self.leave(process)
        else:
            self.crash(process)

    def _thaw(self, process: Process) -> None:
        if process.is_frozen:
            self.loop.thaw(process)

    def calm(self) -> None:
        """Stop all faults: from now on everything works."""
        self.note("world", "ALL FAULTS STOP")
        self.faults.stop()
        self.server.cut_off.clear()
        self.server.is_up = True
        for process in list(self.running.values()):
            self._thaw(process)

    def leave(self, process: Process) -> asyncio.Task[None]:
        """Stop a process in an orderly way, whatever it is doing, and look at what is left."""
        ending, documents = self.on_leave(process), self.documents.get(process)
        self._is_gone(process)
        self.later(STOP_S + GONE_S, self.look_for_left, process)
        return self.loop.create_task(
            self._leave(process, ending, documents), context=process.context
        )

    async def _leave(self, process: Process, ending: Any, documents: Documents | None) -> None:
        try:
            async with asyncio.timeout(STOP_S):
                if ending is not None:
                    await ending
                if documents is not None:
                    await documents.close()
        except TimeoutError:
            self.ledger.violate("S8", f"{process} did not stop within {STOP_S} s")

    def look_for_left(self, process: Process) -> None:
        """S8: who has left, and wasn't killed on their way, holds nothing."""
        for what in self.loop.left_of(process) if process.is_alive else ():
            self.ledger.violate("S8", f"{process} has stopped and left {what}")

    # ---- books -----------------------------------------------------------------------------

    def _on_effect(
        self, process: Process, name: str, arguments: tuple[Any, ...], result: object
    ) -> None:
        ledger, now = self.ledger, self.loop.time()
        if name == "begin" and isinstance(result, Begun):
            task, step = arguments[:2]
            ledger.on_begun((task, step), result.generation)
            self.note(process, f"began attempt {result.generation} at {step}")
        elif name == "append" and isinstance(result, Appended) and result.version:
            self._on_append(process, arguments, result)
        elif name == "delete":
            self.note(process, f"deleted {arguments[0]}: {result}")
            if getattr(result, "is_deleted", False):
                ledger.on_deleted(arguments[0], now, DELETED_KEPT_S)
        elif name == "put_once" and result is True:
            self._on_record(process, arguments)

    def _on_append(self, process: Process, arguments: tuple[Any, ...], appended: Appended) -> None:
        document, step, edits = arguments
        kept = self.server.logs._documents[document]
        self.ledger.on_incarnation(document, kept.incarnation)
        known = self.ledger.book(document).version
        new = [each for each in kept.entries if each.version > known]
        said = f"{document}@{appended.version} by {step.step}#{step.generation}"
        self.note(process, f"wrote {said}, {appended.added} of {len(edits)} new")
        self.ledger.on_appended(document, step, appended, new, self.loop.time())

    def _on_record(self, process: Process, arguments: Sequence[Any]) -> None:
        key, value = arguments[1], arguments[3]
        left = left_by(CODEC.decode(*unpack(value)[:2]))
        task, step = key.split("/")[-2:]
        self.note(process, f"recorded {step} of {task}: {left}")
        self.ledger.on_recorded(step_name(task, step), left)

    def store(self, process: Process) -> Any:
        """Return the keys and journals as a process has them."""
        return SimStore(self.server, process)

    def log(self, process: Process) -> Any:
        """Return the logs of shared state as a process has them."""
        return SimStateLog(self.server, process)

    def epoch(self, process: Process) -> int:
        """Return the next incarnation number of an agent, registered in the store."""
        epoch = run_at_once(self.server.local.next_epoch(f"agent/sim/{agent_of(process)}"))
        assert isinstance(epoch, int)
        return epoch


def agent_of(process: Process) -> AgentId:
    """Return the agent that a host has."""
    return AgentId(f"writer-{process.name[-1]}")
