"""One seeded run of hosts that share documents, from start to verdict."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from dataclasses import dataclass

from cluster.kernel.errors import ClusterError
from cluster.kernel.state import attempts
from cluster.memory.state import local
from cluster.memory.state.host import documents, pending, upkeep
from cluster.runtime.tasks import settling
from tests.simulation.loop import Deadlock, Livelock, Process
from tests.simulation.run import LIVENESS, Outcome, Scale, isolated
from tests.simulation.state.oracles import behind, judge_books, judge_replicas, living
from tests.simulation.state.workload import Work
from tests.simulation.state.world import DELETED_KEPT_S, DRIVER, GONE_S, HOSTS, MANAGERS, StateWorld
from tests.simulation.store import TIMEOUT_S

HORIZON_S = 5.0
QUIET_S = 15.0
"""After the last fault, everything is done, written and read within this."""
POLL_S = 0.25
CALLS_MAX = 5_000
"""Of the store in a run: ten times what is usual."""


@dataclass(frozen=True, slots=True)
class _Id:
    hex: str


def _scales() -> tuple[Scale, ...]:
    """Return the bounds that a short run would never reach, brought into reach."""
    numbers = itertools.count(1)
    return (
        (documents, "uuid4", lambda: _Id(f"id{next(numbers)}")),
        (upkeep, "SEAL_ENTRIES", 6),
        (upkeep, "OPEN_ENTRIES", 2),
        (upkeep, "SEAL_BYTES", 640),
        (pending, "APPEND_EDITS_MAX", 2),
        (pending, "PENDING_MAX", 6),
        (local, "PAGE_ENTRIES_MAX", 4),
        (local, "HISTORY_MAX", 4),
        (local, "LOG_BYTES_MAX", 5000),
        (local, "DELETED_KEPT_S", DELETED_KEPT_S),
        (attempts, "ATTEMPTS_MAX", 12),
        (settling, "SETTLE_S", 0.3),
    )


def simulate(seed: int, *, has_story: bool = False) -> Outcome:
    """Run a seed and judge it."""
    world = StateWorld(seed, horizon_s=HORIZON_S, has_story=has_story)
    with isolated(world, _scales()):
        return _judged(world, seed)


def _judged(world: StateWorld, seed: int) -> Outcome:
    course = _Course(world, seed)
    ledger, loop = world.ledger, world.loop
    try:
        loop.run_until_complete(course.run())
    except (Deadlock, Livelock) as error:
        ledger.violate("S8", f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a campaign goes on, and says at which seed
        ledger.violate("S8", f"the world itself failed: {error!r}")
    for failure in loop.failures:
        ledger.violate("S8", failure)
    loop.close()
    digest = zlib.crc32(repr((loop.time(), loop.steps, ledger.tallies)).encode())
    return Outcome(
        seed,
        LIVENESS,
        ledger.violations,
        world.faults.counts,
        f"{world.server.crc:08x}{digest:08x}",
        loop.time(),
        loop.steps,
        0,
        course.recovered_s,
        world.story,
        ledger.tallies,
    )


class _Course:
    """The course of one run."""

    def __init__(self, world: StateWorld, seed: int) -> None:
        self._world = world
        self._work = Work(world, seed)
        self.recovered_s: float | None = None

    async def run(self) -> None:
        """Start everything, let things go wrong, let it come to rest, and look."""
        world = self._world
        world.start()
        for episode in world.faults.episodes:
            world.loop.call_at(episode.at, world.begin, episode)
        await asyncio.sleep(HORIZON_S)
        world.calm()
        calmed_at = world.loop.time()
        await asyncio.sleep(TIMEOUT_S)  # until what was under way has failed
        await self._come_to_rest(calmed_at)
        self.recovered_s = world.loop.time() - calmed_at
        world.is_ending = True
        await self._join_late()
        await self._come_to_rest(world.loop.time())
        judge_books(world)
        judge_replicas(world)
        await self._stop()

    async def _come_to_rest(self, since: float) -> None:
        world = self._world
        while world.loop.time() < since + QUIET_S:
            await asyncio.sleep(POLL_S)
            if self._work.is_over and not behind(world):
                return
        tasks = [f"task {each.task} has not ended" for each in self._work.tasks if not each.is_over]
        for what in [*behind(world), *tasks] or ["a person has not ended"]:
            world.ledger.violate("S8", f"{what}, {QUIET_S:g} s after the faults")

    async def _join_late(self) -> None:
        """Have one more host open all that there is."""
        world = self._world
        late = Process("late")
        shared = world.share(late)
        for book in list(living(world)):
            opening = world.loop.create_task(shared.open(book.name), context=late.context)
            try:
                await opening
            except ClusterError as error:
                world.ledger.violate("S8", f"{book.name} can't be opened: {error!r}")

    async def _stop(self) -> None:
        """Stop every host in an orderly way, and look at what is left of it."""
        world = self._world
        stopping = [world.running[n] for n in (*MANAGERS, *HOSTS, DRIVER) if n in world.running]
        stopping += [each for each in world.documents if each.name == "late"]
        await asyncio.gather(*[world.leave(each) for each in stopping])
        await asyncio.sleep(GONE_S)
        for process in stopping:
            world.look_for_left(process)
        if world.server.calls > CALLS_MAX:
            world.ledger.violate("S8", f"the store was asked {world.server.calls} times")
