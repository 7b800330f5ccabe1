"""One seeded run from start to verdict."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

from cluster.kernel.delivery import reach
from cluster.kernel.delivery import sequence as delivery
from cluster.kernel.tasks import feed_batches
from cluster.memory.feed import local as local_feed
from cluster.runtime.driver import driver
from cluster.runtime.tasks import feed_writer, second_look, task_feeds
from cluster.runtime.turns import preparations
from tests.simulation.ledger import CODEC
from tests.simulation.loop import PROCESS, Deadlock, Livelock, VirtualLoop
from tests.simulation.oracles import judge
from tests.simulation.preparing import TIMEOUT_S
from tests.simulation.watchers import Cast
from tests.simulation.workload import User, wishes
from tests.simulation.world import NAMES, World

SAFETY = "safety"
LIVENESS = "liveness"
HORIZON_S = 6.0
"""While faults begin; in liveness mode they all stop then."""
SAFETY_S = 20.0
"""How long a run in safety mode lasts at most."""
RECOVER_S = 12.0
"""After the last fault, everything must have ended within this."""
SETTLE_S = 1.0
POLL_S = 0.2

Scale = tuple[ModuleType, str, object]
"""A name in a module, and what it stands for during a run."""
SCALED: tuple[Scale, ...] = (
    (delivery, "CREDIT_WINDOW", 4),
    (reach, "LOST_AFTER_S", 5.0),
    (second_look, "VERIFY_S", 4.0),
    (preparations, "TIMEOUT_S", TIMEOUT_S),
    (driver, "MessageCodec", lambda: CODEC),
    (feed_batches, "BATCH_MAX", 4),
    (feed_batches, "THOUGHT_CHARS_MAX", 40),
    (feed_writer, "PAGE", 7),
    (task_feeds, "LISTED_MAX", 2),
    (local_feed, "ENTRIES_MAX", 24),
)
"""Bounds that a short run would never reach, brought into reach; what is costly to make, shared."""


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    seed: int
    mode: str
    violations: list[str]
    faults: Counter[str]
    digest: str
    virtual_s: float
    steps: int
    frames: int
    recovered_s: float | None
    story: list[str] = field(default_factory=list)
    tallies: Counter[str] = field(default_factory=Counter)
    coverage: Counter[str] = field(default_factory=Counter)
    """How often each fault came in each state of a plan."""


class Judged(Protocol):
    """The books of a world."""

    def violate(self, oracle: str, what: str) -> None:
        """Note that an oracle was violated."""
        ...


class Simulated(Protocol):
    """A world, as far as a run of any workload needs it."""

    @property
    def loop(self) -> VirtualLoop:
        """Its time."""
        ...

    @property
    def ledger(self) -> Judged:
        """Its books."""
        ...

    def note(self, who: object, what: str) -> None:
        """Write a line of the story."""
        ...


@contextmanager
def scaled(scales: Sequence[Scale]) -> Iterator[None]:
    """Make the bounds of the runtime small for the time of a run."""
    before = [(module, name, getattr(module, name)) for module, name, _ in scales]
    for module, name, value in scales:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


class _ErrorLog(logging.Handler):
    """Makes every logged error of the cluster a violation."""

    def __init__(self, world: Simulated) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        process = PROCESS.get()
        if process is None or not process.is_alive or self._world.loop.is_closed():
            return
        text = record.getMessage()
        if record.exc_info is not None:
            text += f": {record.exc_info[1]!r}"
        self._world.ledger.violate("O7", f"logged as an error: {text}")
        self._world.note("log", text)


def mode_of(seed: int) -> str:
    """Return the mode that a seed is run in."""
    return LIVENESS if seed % 2 else SAFETY


def simulate(seed: int, *, has_story: bool = False) -> Outcome:
    """Run a seed and judge it."""
    world = World(seed, horizon_s=HORIZON_S, has_story=has_story)
    with isolated(world, SCALED):
        return judged(world, seed, mode_of(seed))


@contextmanager
def isolated(world: Simulated, scales: Sequence[Scale]) -> Iterator[None]:
    """Keep a run and the interpreter apart: its logs, its garbage, and the bounds it has."""
    logger = logging.getLogger("cluster")
    errors = _ErrorLog(world)
    propagates, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    logger.addHandler(errors)
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        with scaled(scales), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what dead processes never awaited
            yield
            gc.collect()
    finally:
        if is_collecting:
            gc.enable()
        sys.unraisablehook = hook
        logger.removeHandler(errors)
        logger.propagate = propagates
        logger.setLevel(level)


def judged(world: World, seed: int, mode: str) -> Outcome:
    """Run a world to its end, which is to be done in isolation, and judge it."""
    course = _Course(world, seed, mode)
    try:
        world.loop.run_until_complete(course.run())
    except (Deadlock, Livelock) as error:
        world.ledger.violate("O6", f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a campaign goes on, and says at which seed
        world.ledger.violate("O7", f"the world itself failed: {error!r}")
    judge(world, has_calmed=mode == LIVENESS)
    world.loop.close()
    loop, ledger = world.loop, world.ledger
    digest = zlib.crc32(repr((loop.time(), loop.steps)).encode(), world.network.crc)
    return Outcome(
        seed,
        mode,
        ledger.violations,
        world.faults.counts,
        f"{world.server.crc:08x}{digest:08x}",
        loop.time(),
        loop.steps,
        world.network.frames,
        course.recovered_s,
        world.story,
        Counter(
            tasks=len(ledger.views),
            fenced=ledger.fenced,
            adopted=ledger.adopted,
            repeated=ledger.repeated,
            **world.means.books.tallies,
            **{f"feeds: {what}": number for what, number in world.feeds.tallies.items()},
            **{f"prepare: {what}": number for what, number in ledger.preparing.items()},
            **{f"second replica: {what}": number for what, number in ledger.hedging.items()},
        ),
        ledger.coverage,
    )


class _Course:
    """The course of one run."""

    def __init__(self, world: World, seed: int, mode: str) -> None:
        self._world = world
        self._mode = mode
        has_short = random.Random(f"course {seed}").random() < 0.5
        made = wishes(seed, has_short=has_short)
        self._users = [User(world, number, wish) for number, wish in enumerate(made)]
        self._cast = Cast(world, self._users)
        world.means.remember(world.server.local, [(wish.goal, wish.collection) for wish in made])
        self.recovered_s: float | None = None

    async def run(self) -> None:
        """Start everything, let things go wrong, and end."""
        world, loop = self._world, self._world.loop
        for name in NAMES:
            world.spawn(name)
        for user in self._users:
            user.start()
        self._cast.start()
        for episode in world.faults.episodes:
            loop.call_at(episode.at, world.begin, episode)
        if self._mode == LIVENESS:
            await self._wait(HORIZON_S)
            world.calm()
            calmed_at = loop.time()
            if await self._wait(RECOVER_S):
                self.recovered_s = loop.time() - calmed_at
            else:
                self._say_what_hangs()
        else:
            await self._wait(SAFETY_S)
            world.calm()
        await asyncio.sleep(SETTLE_S)
        for user in self._users:
            await user.stop()
        await self._cast.stop()
        await world.stop()
        for user in self._users:
            for what in user.left():
                world.ledger.violate("O7", f"{user.process} has stopped and left {what}")
        for what in self._cast.left():
            world.ledger.violate("O7", what)

    async def _wait(self, bound_s: float) -> bool:
        """Wait until all is quiet, within a bound; say whether it is."""
        ends_at = self._world.loop.time() + bound_s
        while self._world.loop.time() < ends_at:
            if self._is_quiet():
                return True
            await asyncio.sleep(POLL_S)
        return False

    def _is_quiet(self) -> bool:
        """Say whether every task has ended, for its driver and in its journal."""
        return (
            all(user.is_over for user in self._users)
            and all(each.terminal is not None for each in self._world.ledger.histories.values())
            and not self._cast.waits_for()
        )

    def _say_what_hangs(self) -> None:
        ledger = self._world.ledger
        for user in self._users:
            if not user.is_over:
                ledger.violate("O6", f"{user.process} still waits {RECOVER_S:g} s after the faults")
        for what in self._cast.waits_for():
            ledger.violate("O8", f"{what} has not come {RECOVER_S:g} s after the faults")
        for task, history in ledger.histories.items():
            if history.terminal is None:
                ledger.violate("O6", f"task {task} is still open {RECOVER_S:g} s after the faults")
