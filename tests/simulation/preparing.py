"""Agents that get ready for steps, and what befalls that: it is in no journal, and may be lost.

Whatever becomes of a `Prepare`, a step comes to what it came to without it, and waits for it no
longer than `TIMEOUT_S`. The seeds that once failed run without all of this, as they did.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.agent import Agent
from agents.coder import Coder
from agents.researcher import Researcher
from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import AgentFailed
from cluster.kernel.events import StepStarted
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.preparing import PrepareContext
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Prepare
from cluster.runtime.host import Host
from cluster.runtime.turns.preparations import PREPARE
from cluster.runtime.turns.running_turn import RunningTurn
from tests.simulation.faults import KEPT_SEEDS, Faults, Menu
from tests.simulation.loop import Process
from tests.simulation.watched import Watched

if TYPE_CHECKING:
    from tests.simulation.world import World

RATES = {
    "prepare lost": (0.05, 0.5),
    "prepare twice": (0.05, 0.5),
    "prepare late": (0.05, 0.5),
    "prepare error": (0.05, 0.5),
    "prepare killed": (0.05, 0.5),
    "prepare stall": (0.05, 0.3),
}
BOUNDARIES = (("a prepare", 4),)
MENU = Menu(RATES, (), BOUNDARIES, ("prepare",))
GENTLE_MENU = Menu(RATES, (), (), ("prepare",))
"""Where nothing but models and tools fails, no host crashes either."""
NOTHING = Menu({}, (), (), ())
TIMEOUT_S = 2.0
"""What getting ready may take in a simulated run."""
TAKEN_SHARE = 0.25
"""Of a turn's time: so long it waits for what is prepared."""
READY_S = (0.005, 0.6)
AGAIN_S = (0.0, 0.3, 1.5)
LATE_S = (0.05, 0.5, 2.0)
STALL_S = 30.0
STALL_CHECKS = 60
SLACK_S = 1e-6


def faults_of(seed: int, *, others: Faults, lease_s: float) -> Faults:
    """Return what goes wrong with getting ready: drawn apart, so that all else is as it was."""
    menu = GENTLE_MENU if others.is_gentle else MENU
    made = Faults(
        random.Random(f"prepare faults {seed}"),
        horizon_s=0.0,
        lease_s=lease_s,
        menu=NOTHING if seed in KEPT_SEEDS else menu,
    )
    made.counts = others.counts
    return made


@dataclass(frozen=True, slots=True)
class Ready:
    """What an agent has got ready, and for what."""

    process: Process
    task: TaskId
    step: StepId
    found: object


class Preparer(Watched):
    """A real agent that gets ready, and takes in its turns what it has got ready."""

    def __init__(self, agent: Agent, world: World, process: Process) -> None:
        super().__init__(agent, world, process)
        self._random = random.Random(f"ready {_name(world, process)}")
        self._taken: set[int] = set()
        self._made: list[Ready] = []
        """All of them, so that none has the place in memory of another."""

    async def prepare(self, prepare: Prepare, context: PrepareContext) -> Ready:
        """Get ready, which takes a while and may fail."""
        world, process = self._world, self._process
        tally, began_at = world.ledger.preparing, world.loop.time()
        under_way, key = world.ledger.getting_ready, (process, context.task)
        world.note(process, f"gets ready for {prepare.step} of {context.task[-4:]}")
        tally["begun"] += 1
        under_way[key] += 1
        try:
            await self._get_ready()
            found = None
            if isinstance(self.agent, Researcher | Coder):
                found = await self.agent.prepare(prepare, context)
        finally:
            if process.is_alive:
                under_way[key] -= 1
                self._check_time("got ready", prepare.step, began_at)
        tally["ended well"] += 1
        self._made.append(Ready(process, context.task, prepare.step, found))
        return self._made[-1]

    async def _get_ready(self) -> None:
        faults, rng = self._world.preparing, self._random
        await asyncio.sleep(rng.uniform(*READY_S))
        if not faults.boundary(self._process, "in a prepare"):
            await asyncio.sleep(0)  # which is the last that this process does
        if faults.happens("prepare error"):
            raise AgentFailed("the index could not be loaded")
        if faults.happens("prepare killed"):
            raise asyncio.CancelledError
        if faults.happens("prepare stall"):
            for _ in range(STALL_CHECKS):
                if faults.are_on:
                    await asyncio.sleep(STALL_S / STALL_CHECKS)

    async def handle(self, message: object, turn: Turn) -> object:
        """Pass a message to the agent; no turn has a `Prepare` for its message."""
        if isinstance(message, Prepare):
            self._world.ledger.violate("O2", f"{self._process} took {message.step} for a turn")
        return await super().handle(message, turn)

    async def on_begin(self, assignment: Assignment, turn: Turn) -> None:
        """Watch what a turn takes; a researcher without documents would take nothing."""
        assert isinstance(turn, RunningTurn)
        assert turn.take_prepared is not None
        take = turn.take_prepared

        async def taken(task: TaskId, step: StepId) -> object:
            began_at = self._world.loop.time()
            try:
                found = await take(task, step)
            finally:
                self._check_time("waited for what was prepared", step, began_at)
            return self._checked(found, turn)

        turn.take_prepared = taken
        if isinstance(self.agent, Coder):
            return
        try:
            async with asyncio.timeout(turn.remaining_s() * TAKEN_SHARE):
                await turn.prepared()
        except TimeoutError:
            return

    def _check_time(self, what: str, step: StepId, began_at: float) -> None:
        """O6: nothing waits longer than it may, unless the process stood still meanwhile."""
        process, now = self._process, self._world.loop.time()
        has_run = process.is_alive and process.thawed_at < began_at
        if has_run and now - began_at > TIMEOUT_S + SLACK_S:
            late_s = now - began_at
            self._world.ledger.violate("O6", f"{process} {what}, step {step}, for {late_s:.2f} s")

    def _checked(self, found: object, turn: Turn) -> object:
        """O2: a turn finds what this incarnation has prepared for its step, and that once."""
        if not isinstance(found, Ready):
            return found
        ledger = self._world.ledger
        ledger.preparing["taken"] += 1
        wanted = (self._process, turn.task, turn.step)
        if (found.process, found.task, found.step) != wanted or id(found) in self._taken:
            what = f"{found.step} of {found.task} by {found.process}"
            ledger.violate("O2", f"{wanted} found what was prepared for {what}")
        self._taken.add(id(found))
        return found.found


class PrepareFaults:
    """Stands between the exchange of a host and its turns, and lets no `Prepare` pass unharmed."""

    def __init__(self, world: World, process: Process, host: Host) -> None:
        self._world = world
        self._process = process
        self._host = host
        self._random = random.Random(f"told {_name(world, process)}")
        self._deliver = host.turns.on_work
        host.turns.on_work = self.on_work  # type: ignore[method-assign]

    def on_work(self, envelope: Envelope) -> bool:
        """Take an envelope that has arrived; say whether it waits in no mailbox."""
        if envelope.kind is not Kind.TELL or envelope.body_type != PREPARE:
            return self._deliver(envelope)
        faults, pick = self._world.preparing, self._random.choice
        if not faults.boundary(self._process, "before a prepare"):
            return False
        self._world.ledger.preparing["told"] += 1
        if faults.happens("prepare lost"):
            self._host.exchange.told(envelope)
            return False
        if faults.happens("prepare late"):
            self._world.later(pick(LATE_S), self._later, envelope)
            return False
        if faults.happens("prepare twice"):
            self._world.later(pick(AGAIN_S), self._later, envelope)
        self._count(envelope)
        return self._deliver(envelope)

    def _later(self, envelope: Envelope) -> None:
        loop = self._world.loop
        loop.call_soon(self._deliver_late, envelope, context=self._process.context)

    def _deliver_late(self, envelope: Envelope) -> None:
        if self._process in self._world.hosts and not self._world.is_ending:
            self._count(envelope)
            self._deliver(envelope)

    def _count(self, envelope: Envelope) -> None:
        """Count what had become of the step by then."""
        ledger, task = self._world.ledger, envelope.task
        events = [each for each in ledger.journals.get(task, ()) if each.step == envelope.step]
        if task in ledger.ended_at:
            ledger.preparing["told after the end of the task"] += 1
        elif any(each.kind == "step_finished" for each in events):
            ledger.preparing["told after the end of the step"] += 1
        elif any(isinstance(each.detail, StepStarted) for each in events):
            ledger.preparing["told after the step had begun"] += 1


def _name(world: World, process: Process) -> str:
    """Return what tells a process of a run from all others of all runs."""
    return f"{world.seed} {process} {world.incarnations[process.name]}"
