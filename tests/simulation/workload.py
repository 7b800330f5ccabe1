"""The users of a simulated cluster: they submit goals, follow them, cancel them, and crash."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from cluster.kernel.errors import ClusterError
from cluster.kernel.tasks.budget import NO_BUDGET, Budget
from cluster.kernel.vocabulary import Coherence
from cluster.runtime.driver.driver import Driver
from tests.simulation.faults import KEPT_SEEDS
from tests.simulation.ledger import View, describe
from tests.simulation.means import task_means
from tests.simulation.models import SLOWLY
from tests.simulation.network import SimTransport
from tests.simulation.store import SimStore
from tests.simulation.world import Onlooker, World

PLANS = (
    "[r1]",
    "[c1]",
    "[r1 c1:r1]",
    "[r1 r2]",
    "[r1 r2 c1:r1,r2]",
    "[c1 c2 r1:c1]",
)
LONG_PLANS = (
    "[r1 r2 r3:r1 c1:r3]",
    "[c1:r1,r2 c2:c1 r1 r2]",
    "[r1 r2 c1:r1 c2:r2,c1 r3:c2]",
    "[c1 r1:c2 c2 r2:r1 c3:c1]",
)
"""Of tasks whose plan is carried out for long while it is being written."""
TASKS_MAX = 3
SUBMITTED_WITHIN_S = (0.3, 1.5, 5.0)
LONG_S = 90.0
"""More than a run takes: such a task must not end for want of time."""
SHORT_S = (0.1, 1.5)
SHORT_SHARE = 0.15
CANCEL_SHARE = 0.2
CANCELLED_WITHIN_S = 2.5
CRASH_SHARE = 0.1
BROADCAST_SHARE = 0.15
LONG_SHARE = 0.3
RETRY_S = 0.3


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user is going to do with one task, by the seed."""

    goal: str
    at: float
    timeout_s: float
    cancels_after_s: float | None
    crashes_after_s: float | None
    coherence: Coherence = Coherence.CHAINED
    collection: str = ""
    budget: Budget = NO_BUDGET


def wishes(seed: int, *, has_short: bool) -> list[Wish]:
    """Return the tasks of a run."""
    rng = random.Random(f"wishes {seed}")
    made = []
    within_s = rng.choice(SUBMITTED_WITHIN_S)
    for number in range(rng.randint(1, TASKS_MAX)):
        is_short = has_short and rng.random() < SHORT_SHARE
        cancels = rng.random() < CANCEL_SHARE
        crashes = rng.random() < CRASH_SHARE
        means = task_means(seed, number, _goal(seed, number, rng.choice(PLANS)))
        made.append(
            Wish(
                means.goal,
                rng.uniform(0.0, within_s),
                rng.uniform(*SHORT_S) if is_short else LONG_S,
                rng.uniform(0.0, CANCELLED_WITHIN_S) if cancels else None,
                rng.uniform(0.0, CANCELLED_WITHIN_S) if crashes else None,
                _coherence(seed, number),
                means.collection,
                means.budget,
            )
        )
    return made


def _goal(seed: int, number: int, plan: str) -> str:
    """Return a goal with its plan, or with a long one: drawn apart, as the coherence is."""
    rng = random.Random(f"goal {seed} {number}")
    if seed not in KEPT_SEEDS and rng.random() < LONG_SHARE:
        return f"Look {SLOWLY} into {number} {rng.choice(LONG_PLANS)}"
    return f"Look into {number} {plan}"


def _coherence(seed: int, number: int) -> Coherence:
    """Return when the steps of a task begin: drawn apart, so that all else is as it was."""
    is_broadcast = random.Random(f"coherence {seed} {number}").random() < BROADCAST_SHARE
    if is_broadcast and seed not in KEPT_SEEDS:
        return Coherence.BROADCAST
    return Coherence.CHAINED


class User:
    """One driver with one task, in a process of its own."""

    def __init__(self, world: World, number: int, wish: Wish) -> None:
        self.process = world.process(f"driver-{number}")
        self.view = View(wish.goal, self.process, wish.timeout_s)
        self.is_done = False
        self._world = world
        self._wish = wish
        self._driver: Driver | None = None
        self._timers: list[asyncio.TimerHandle] = []
        world.ledger.views.append(self.view)

    def start(self) -> None:
        """Begin when it is time."""
        self._world.loop.call_at(self._wish.at, self._begin, context=self.process.context)

    def _begin(self) -> None:
        loop = self._world.loop
        self._main = loop.create_task(self._run())
        if self._wish.crashes_after_s is not None:
            self._timers.append(loop.call_later(self._wish.crashes_after_s, self._crash))

    def _crash(self) -> None:
        if self._world.faults.are_on and self.process.is_alive and not self.is_done:
            self._world.faults.count("driver crash")
            self._world.crash(self.process)

    async def _run(self) -> None:
        world, process = self._world, self.process
        store: Any = SimStore(world.server, process)
        driver = self._driver = Driver(
            store,
            SimTransport(world.network, process),
            world.clock(process.name),
            rng=random.Random(f"{process.name} {world.rng.random()}"),
            looks_again=world.looks_again,
            observer=Onlooker(world, process),
        )
        await driver.open()
        while True:
            try:
                task = await driver.submit(
                    self._wish.goal,
                    collection=self._wish.collection,
                    timeout_s=self._wish.timeout_s,
                    coherence=self._wish.coherence,
                    budget=self._wish.budget,
                )
                break
            except ClusterError as error:
                world.note(process, f"could not submit: {error}")
                await asyncio.sleep(RETRY_S)
        self.view.task = task.id
        world.note(process, f"submitted {task.id[-4:]}: {self._wish.goal}")
        if self._wish.cancels_after_s is not None:
            later = asyncio.get_running_loop().call_later
            self._timers.append(later(self._wish.cancels_after_s, self._cancel, task))
        async for event in task:
            self.view.events.append(event)
            if event.kind != "thought":
                world.note(process, f"saw {describe(event)}")
        self.view.ended_at = world.loop.time()
        self.is_done = True

    def _cancel(self, task: Any) -> None:
        if not self.is_done:
            self._world.faults.count("cancellation")
            self._world.note(self.process, "cancels")
            self.view.cancelled_at = self._world.loop.time()
            self._cancelling = asyncio.ensure_future(task.cancel("the user changed their mind"))

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is to be expected of this user."""
        return self.is_done or not self.process.is_alive

    async def stop(self) -> None:
        """Leave."""
        if not self.process.is_alive:
            return
        self._main.cancel()
        if self._driver is not None:
            closing = self._world.loop.create_task(
                self._driver.close(), context=self.process.context
            )
            try:
                async with asyncio.timeout(15.0):
                    await closing
            except TimeoutError:
                self._world.ledger.violate("O7", f"{self.process} did not stop")
        for timer in self._timers:
            timer.cancel()

    def left(self) -> list[str]:
        """Return what a user that has left still holds."""
        return self._world.loop.left_of(self.process) if self.process.is_alive else []
