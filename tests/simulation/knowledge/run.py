"""One seeded run of hosts with knowledge, from start to verdict."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter

from cluster.kernel.errors import ClusterError
from cluster.memory.cache import care, copy, knowledge_cache, node_segments
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.namespaces import local
from tests.simulation.knowledge.oracles import behind, judge_host, judge_store
from tests.simulation.knowledge.workload import Work
from tests.simulation.knowledge.world import GONE_S, KnowledgeWorld
from tests.simulation.loop import Deadlock, Livelock, Process
from tests.simulation.run import LIVENESS, Outcome, Scale, isolated
from tests.simulation.store import TIMEOUT_S

HORIZON_S = 6.0
QUIET_S = 6.0
"""After the last fault, everything is written and read within this."""
POLL_S = 0.25
CALLS_MAX = 2_000
"""Of the store in a run: ten times what is usual."""

SCALED: tuple[Scale, ...] = (
    (care, "WASTE_MIN", 1),
    (care, "SEGMENT_PASSAGES_MIN", 4),
    (care, "REST_S", 0.5),
    (care, "FORGOTTEN_S", 0.6),
    (node_segments, "SEGMENT_PASSAGES_MIN", 4),
    (copy, "DOCUMENTS_PER_READ", 2),
    (copy, "KNOWN_PER_STEP", 2),
    (copy, "INLINE_CHANGES_MAX", 2),
    (copy, "INLINE_BYTES_MAX", 200),
    (knowledge_cache, "INLINE_PASSAGES_MAX", 3),
    (knowledge_cache, "MEMO_MAX", 2),
    (local, "UNNAMED_KEPT_S", 0.3),
)
"""Bounds that a short run would never reach, brought into reach."""


def simulate(seed: int, *, has_story: bool = False) -> Outcome:
    """Run a seed and judge it."""
    world = KnowledgeWorld(seed, horizon_s=HORIZON_S, has_story=has_story)
    with isolated(world, (*SCALED, *world.disks.scales())):
        return _judged(world, seed)


def _judged(world: KnowledgeWorld, seed: int) -> Outcome:
    course = _Course(world, seed)
    ledger, loop = world.ledger, world.loop
    try:
        loop.run_until_complete(course.run())
    except (Deadlock, Livelock) as error:
        ledger.violate("K7", f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a campaign goes on, and says at which seed
        ledger.violate("K7", f"the world itself failed: {error!r}")
    for failure in loop.failures:
        ledger.violate("K7", failure)
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
        ledger.tallies + Counter(segments=world.disks.built),
    )


class _Course:
    """The course of one run."""

    def __init__(self, world: KnowledgeWorld, seed: int) -> None:
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
        await self._come_to_rest()
        world.is_ending = True
        judge_store(world)
        late = Process("late")
        world.host(late)
        for process, cache in list(world.caches.items()):
            await self._judge(process, cache)
        await self._stop()

    async def _come_to_rest(self) -> None:
        world, calmed_at = self._world, self._world.loop.time()
        await asyncio.sleep(TIMEOUT_S)  # until what was under way has failed
        while world.loop.time() < calmed_at + QUIET_S:
            await asyncio.sleep(POLL_S)
            if self._work.is_over and not behind(world):
                self.recovered_s = world.loop.time() - calmed_at
                return
        for what in behind(world) or ["a writer has not ended"]:
            world.ledger.violate("K6", f"{what}, {QUIET_S:g} s after the faults")

    async def _judge(self, process: Process, cache: KnowledgeCache) -> None:
        world = self._world
        judging = world.loop.create_task(judge_host(world, process, cache), context=process.context)
        try:
            async with asyncio.timeout(QUIET_S):
                await judging
        except (TimeoutError, ClusterError) as error:
            world.ledger.violate("K6", f"{process} finds nothing after the faults: {error!r}")

    async def _stop(self) -> None:
        """Stop every host in an orderly way, and look at what is left of it."""
        world = self._world
        stopped = list(world.caches.items())
        world.caches.clear()
        for process, cache in stopped:
            leaving = world.leave(process, cache)
            await world.loop.create_task(leaving, context=process.context)
        await asyncio.sleep(GONE_S)
        for process, _ in stopped:
            world.look_for_left(process)
        if world.server.calls > CALLS_MAX:
            world.ledger.violate("K7", f"the store was asked {world.server.calls} times")
