"""Tasks that belong to the cluster: who starts them and leaves, who watches, who cancels them.

Each is a process of its own, with the real driver's exchange. A watcher is cut many times, and goes
on in another process after the last cursor it has.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Any

from cluster.kernel.envelope import Kind, Trust
from cluster.kernel.errors import ClusterError
from cluster.kernel.events import Event
from cluster.kernel.ids import NO_TASK, IdSource, TaskId
from cluster.kernel.roles import MANAGER
from cluster.kernel.submission import CancelTask, Submission
from cluster.kernel.trace import new_traceparent
from cluster.runtime.driver.driver import Driver
from cluster.runtime.messaging.sender import Unobserved
from tests.simulation.feeds import Sight
from tests.simulation.models import SLOWLY
from tests.simulation.network import SimTransport
from tests.simulation.store import SimStore
from tests.simulation.workload import LONG_PLANS, LONG_S, PLANS, RETRY_S, User
from tests.simulation.world import Onlooker, World

TASKS_MAX = 2
STARTED_WITHIN_S = 2.0
TWICE_SHARE = 0.3
"""Of the tasks: those that two drivers start at once, under the same id."""
CANCEL_SHARE = 0.35
CANCELLED_WITHIN_S = 2.0
CRASH_SHARE = 0.4
"""Of the drivers that have started a task: those that crash, and don't only leave."""
CUT_S = (0.02, 0.6)
CUTS_MAX = 50
POLL_S = 0.05
READ_MAX = 5
WHY = "another driver has ended it"


@dataclass(frozen=True, slots=True)
class Start:
    """What becomes of one task that belongs to the cluster, by the seed."""

    goal: str
    at: float
    drivers: int
    crashes: bool
    cancelled_after_s: float | None


def starts(seed: int) -> list[Start]:
    """Return the tasks of a run that nobody follows."""
    rng = random.Random(f"detached {seed}")
    made = []
    for number in range(rng.randint(0, TASKS_MAX)):
        is_slow = rng.random() < 0.5
        plan = rng.choice(LONG_PLANS if is_slow else PLANS)
        cancels = rng.random() < CANCEL_SHARE
        made.append(
            Start(
                f"Look {SLOWLY if is_slow else 'on'} into detached {number} {plan}",
                rng.uniform(0.0, STARTED_WITHIN_S),
                1 + (rng.random() < TWICE_SHARE),
                rng.random() < CRASH_SHARE,
                rng.uniform(0.0, CANCELLED_WITHIN_S) if cancels else None,
            )
        )
    return made


class Caller:
    """A driver in a process of its own, that asks one thing of whichever Manager it finds."""

    def __init__(self, cast: Cast, name: str, message: Submission | CancelTask) -> None:
        self.process = cast.world.process(name)
        self.is_done = False
        self._cast = cast
        self._world = cast.world
        self._message = message
        self._driver: Driver | None = None
        self._main = cast.world.loop.create_task(self._run(), context=self.process.context)

    async def _run(self) -> None:
        world, process = self._world, self.process
        store: Any = SimStore(world.server, process)
        driver = self._driver = Driver(
            store,
            SimTransport(world.network, process),
            world.clock(process.name),
            rng=random.Random(f"{process.name} {world.seed}"),
            observer=Onlooker(world, process),
        )
        await driver.start()
        told = await self._told(driver)
        self.is_done = True
        world.note(process, f"was told {told.kind} of {told.task[-4:]}")
        self._cast.on_told(self._message, told)
        if isinstance(self._message, Submission) and self._cast.crashes(self._message.task):
            world.later(0.0, world.end, process)
        else:
            await driver.close()

    async def _told(self, driver: Driver) -> Event:
        """Ask one Manager after another."""
        sender, message = driver._sender, self._message
        deadline_at = self._world.loop.time() + LONG_S
        task = message.task if isinstance(message, Submission) else NO_TASK
        traceparent = new_traceparent(random.Random(self._world.seed))
        avoid: frozenset[Any] = frozenset()
        while True:
            try:
                manager = await sender.replica_of(MANAGER, avoid)
                avoid = frozenset({manager})
                ask = sender.envelope(
                    manager,
                    Kind.ASK,
                    message,
                    task=task,
                    deadline_at=deadline_at,
                    trust=Trust.USER,
                    traceparent=traceparent,
                    outlives_recipient=True,
                )
                told = await sender.ask_replaceable(ask, Unobserved(), is_left=True)
                assert isinstance(told, Event)
                return told
            except ClusterError as error:
                self._world.note(self.process, f"asks again: {error}")
                await asyncio.sleep(RETRY_S)
            if isinstance(message, Submission):
                message = replace(message, is_again=True)

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is to be expected of it."""
        return self.is_done or not self.process.is_alive

    async def stop(self) -> None:
        """Leave."""
        if self.process.is_alive and self._driver is not None:
            self._main.cancel()
            closing = self._world.loop.create_task(
                self._driver.close(), context=self.process.context
            )
            await asyncio.wait([closing], timeout=15.0)

    def left(self) -> list[str]:
        """Return what it still holds."""
        return self._world.loop.left_of(self.process) if self.process.is_alive else []


class Watcher:
    """Follows the feed of a task, in one process after another."""

    def __init__(self, world: World, name: str, task: TaskId, *, is_cut: bool) -> None:
        self.sight = Sight(task)
        self._name = name
        self._world = world
        self._random = random.Random(f"{name} {world.seed}")
        self._cuts = CUTS_MAX if is_cut else 0
        world.feeds.sights.append(self.sight)
        self._begin()

    def _begin(self) -> None:
        self._process = self._world.process(self._name)
        self._main = self._world.loop.create_task(self._watch(), context=self._process.context)
        self._world.later(self._random.uniform(*CUT_S), self._cut)

    def _cut(self) -> None:
        """Be cut, or be found to have crashed, and go on elsewhere."""
        if self.sight.is_ended or self._world.is_ending:
            return
        if self._process.is_alive and (not self._cuts or not self._world.faults.are_on):
            self._world.later(CUT_S[1], self._cut)
            return
        if self._process.is_alive:
            self._cuts -= 1
            self._world.faults.counts["watcher cut"] += 1
            self._world.end(self._process)
        self._begin()

    async def _watch(self) -> None:
        sight = self.sight
        feed = SimStore(self._world.server, self._process).part(self._world.server.feed, "feed")
        while not sight.is_ended:
            try:
                page = await feed.read(sight.task, sight.cursor, READ_MAX)
            except ClusterError:
                await asyncio.sleep(RETRY_S)
                continue
            sight.take(page)
            if not page.entries:
                await asyncio.sleep(POLL_S)

    @property
    def is_behind(self) -> bool:
        """Say whether there is more to see."""
        feed = self._world.feeds.feeds.get(self.sight.task)
        return bool(feed) and not self.sight.is_ended

    def stop(self) -> None:
        """Leave."""
        if self._process.is_alive:
            self._main.cancel()


class Cast:
    """All of those of one run."""

    def __init__(self, world: World, users: list[User]) -> None:
        self.world = world
        self._users = users
        self._callers: list[Caller] = []
        self._watchers: list[Watcher] = []
        self._starts: dict[TaskId, Start] = {}
        self._begun: set[TaskId] = set()
        """Tasks that are watched."""
        self._random = random.Random(f"cast {world.seed}")
        self._left = 0
        """How many tasks are still to be started."""

    def start(self) -> None:
        """Begin what the seed has."""
        if not self.world.has_feeds:
            return
        made = starts(self.world.seed)
        self._left = len(made)
        for number, each in enumerate(made):
            self.world.later(each.at, self._start, number, each)
        self.world.later(POLL_S, self._look)

    def _start(self, number: int, start: Start) -> None:
        clock = self.world.clock(f"starter-{number}")
        self._left -= 1
        task = IdSource(clock.wall, self._random).task_id()
        self._starts[task] = start
        self.world.feeds.detached.add(task)
        submission = Submission(task, start.goal, is_detached=True, owner=f"owner-{number}")
        for driver in range(start.drivers):
            self._callers.append(Caller(self, f"starter-{number}-{driver}", submission))

    def _look(self) -> None:
        """Begin to watch the tasks that other users follow."""
        for user in self._users:
            task = user.view.task
            if task and task in self.world.ledger.journals and task not in self._begun:
                self._watch(task)
        if not self.world.is_ending:
            self.world.later(POLL_S, self._look)

    def _watch(self, task: TaskId) -> None:
        self._begun.add(task)
        name = f"watcher-{len(self._watchers)}"
        is_cut = self._random.random() < 0.7
        self._watchers.append(Watcher(self.world, name, task, is_cut=is_cut))

    def crashes(self, task: TaskId) -> bool:
        """Say whether who has started a task crashes then."""
        return self._starts[task].crashes

    def on_told(self, message: Submission | CancelTask, told: Event) -> None:
        """A Manager has answered."""
        feeds = self.world.feeds
        if isinstance(message, CancelTask):
            feeds.ends.setdefault(message.task, []).append(told)
            return
        if told.kind != "submitted" or told.index != 1:
            self.world.ledger.violate("O8", f"who started {message.task} was told {told.kind}")
        if message.task not in self._begun:
            self._watch(message.task)
            after_s = self._starts[message.task].cancelled_after_s
            if after_s is not None:
                self.world.later(after_s, self._cancel, message.task)

    def _cancel(self, task: TaskId) -> None:
        if not self.world.is_ending:
            self.world.faults.count("cancellation by another")
            self.world.feeds.wishes[task] = WHY
            name = f"canceller-{len(self._callers)}"
            self._callers.append(Caller(self, name, CancelTask(task, WHY)))

    # ---- the end ---------------------------------------------------------------------------

    def waits_for(self) -> list[str]:
        """Return what is still to come."""
        world = self.world
        waits = [f"{each.process}" for each in self._callers if not each.is_over]
        waits += [f"a watcher of {each.sight.task}" for each in self._watchers if each.is_behind]
        waits += [""] * self._left
        if world.has_feeds:
            ended = [task for task, journal in world.ledger.journals.items() if _is_whole(journal)]
            waits += [
                f"{lacks} of {task}" for task in ended if (lacks := world.feeds.unfinished(task))
            ]
        return waits

    async def stop(self) -> None:
        """Leave."""
        for watcher in self._watchers:
            watcher.stop()
        for caller in self._callers:
            await caller.stop()

    def left(self) -> list[str]:
        """Return what they still hold."""
        return [f"{each.process} left {what}" for each in self._callers for what in each.left()]


def _is_whole(journal: list[Event]) -> bool:
    return journal[0].kind == "submitted" and journal[-1].is_terminal
