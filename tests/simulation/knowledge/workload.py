"""What goes on in a run: writers that put and remove sources, and hosts that look them up."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.catalog import Catalog, read_catalog
from cluster.memory.knowledge.forgetting import forget
from cluster.memory.knowledge.names import KnowledgeVersion
from cluster.memory.namespaces.port import SourceChange
from tests.simulation.knowledge.ledger import Asked
from tests.simulation.knowledge.library import NAMESPACES, QUESTIONS, Source, documents, sources
from tests.simulation.knowledge.world import HOSTS, WRITERS, KnowledgeWorld
from tests.simulation.loop import Process

WRITES = (3, 9)
"""Least and most of a writer."""
REMOVED_SHARE = 0.3
FORGOTTEN_SHARE = 0.3
"""Of the removals: those by what `fleetmind forget` does."""
STORED_APART_SHARE = 0.5
"""Of the puts: those whose document is stored beforehand, as a large one is."""
KEPT_S = (0.001, 0.2, 30.0)
"""How long what is no longer named is kept: a purge, and what is usual."""
RETRY_S = (0.01, 0.3)
READERS = 2
IDLE_SHARE = 0.25
IDLE_S = 5.0
"""How long some readers wait until they begin."""
LOOKED_UP_EVERY_S = (0.05, 1.6)
NEWEST_SHARE = 0.6
"""Of the look-ups: those by somebody who has to read what was written last."""
PATIENCE_S = (0.0, 0.005)
ALL = 100
"""More passages than there are."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a writer is going to do."""

    at: float
    name: str
    source: Source
    document: int | None
    """None for a removal."""
    kept_s: float
    by_forget: bool


def wishes(seed: int, writer: str, horizon_s: float) -> list[Wish]:
    """Return the writes of a writer, in their order."""
    rng = random.Random(f"{writer} {seed}")
    within_s = horizon_s * rng.choice((0.2, 0.9))
    made = [
        Wish(
            rng.uniform(0.0, within_s),
            rng.choice(NAMESPACES),
            rng.choice(sources()),
            None if rng.random() < REMOVED_SHARE else rng.randrange(len(documents())),
            rng.choice(KEPT_S),
            rng.random() < FORGOTTEN_SHARE,
        )
        for _ in range(rng.randint(*WRITES))
    ]
    return sorted(made, key=lambda wish: wish.at)


class Work:
    """The writers and readers of a run."""

    def __init__(self, world: KnowledgeWorld, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._left = {name: wishes(seed, name, world.horizon_s) for name in WRITERS}
        world.on_start = self.begin

    @property
    def is_over(self) -> bool:
        """Say whether everything is written."""
        return not any(self._left.values())

    def begin(self, process: Process) -> None:
        """Give a process its work."""
        loop = self._world.loop
        if process.name in HOSTS:
            for number in range(READERS):
                loop.create_task(
                    _Reader(self._world, process, number).run(), context=process.context
                )
        else:
            writer = _Writer(self._world, process, self._left[process.name])
            loop.create_task(writer.run(), context=process.context)


class _Writer:
    """Writes what is left to be written, one after the other, until the store has it."""

    def __init__(self, world: KnowledgeWorld, process: Process, left: list[Wish]) -> None:
        self._world = world
        self._left = left
        self._random = random.Random(f"{process} {world.rng.random()}")
        self._store = world.namespaces(process)
        self._catalogs: dict[str, Catalog] = {}

    async def run(self) -> None:
        """Write."""
        loop = self._world.loop
        while self._left:
            wish = self._left[0]
            await asyncio.sleep(max(0.0, wish.at - loop.time()))
            if await self._is_done(wish):
                self._left.pop(0)
            else:
                await asyncio.sleep(self._random.uniform(*RETRY_S))

    async def _is_done(self, wish: Wish) -> bool:
        try:
            if wish.document is None and wish.by_forget:
                return await self._forget(wish)
            return await self._write(wish)
        except StoreUnavailable:
            return False

    async def _forget(self, wish: Wish) -> bool:
        tops = [wish.source.path]
        with suppress(UsageError):  # there is nothing in the namespace
            await forget(self._store, tops, name=wish.name, kept_s=wish.kept_s, may_be_unknown=True)
        return True

    async def _write(self, wish: Wish) -> bool:
        began = self._world.loop.time()
        known = self._catalogs.get(wish.name)
        catalog = self._catalogs[wish.name] = await read_catalog(self._store, wish.name, known)
        document = None if wish.document is None else documents()[wish.document]
        stored = {document.id: document.data} if document is not None else {}
        if stored and self._random.random() < STORED_APART_SHARE:
            await self._store.store_documents(stored)
            stored = {}
        change = SourceChange(
            wish.source.key,
            catalog.version,
            document.id if document is not None else "",
            wish.source.record(document) if document is not None else b"",
        )
        applied = await self._store.apply(wish.name, [change], documents=stored, kept_s=wish.kept_s)
        if applied.refused or applied.missing:
            self._world.ledger.tallies["refused"] += 1
            return False
        self._world.ledger.on_acknowledged(
            wish.name, change.key, change.document, applied.version, began
        )
        return True


class _Reader:
    """Looks things up on a host, as long as it runs."""

    def __init__(self, world: KnowledgeWorld, process: Process, number: int) -> None:
        self._world = world
        self._process = process
        self._cache = world.caches[process]
        self._random = random.Random(f"{process} {number} {world.rng.random()}")

    async def run(self) -> None:
        """Look things up until the host leaves, or the run ends."""
        rng = self._random
        is_idle = rng.random() < IDLE_SHARE
        begins_at = self._world.loop.time() + rng.uniform(0.0, IDLE_S) * is_idle
        while True:
            await asyncio.sleep(rng.uniform(*LOOKED_UP_EVERY_S))
            if self._world.caches.get(self._process) is not self._cache:
                return
            if self._world.loop.time() < begins_at:
                continue
            asked = self._asked()
            if self._world.faults.happens("look-up cancelled"):
                await self._cancelled(asked)
            else:
                await self._look_up(asked)

    def _asked(self) -> Asked:
        name = self._random.choice(NAMESPACES)
        written = self._world.ledger.written[name]
        is_newest = self._random.random() < NEWEST_SHARE
        return written[-1] if is_newest else self._random.choice(written)

    async def _cancelled(self, asked: Asked) -> None:
        try:
            async with asyncio.timeout(self._random.uniform(*PATIENCE_S)):
                await self._look_up(asked)
        except TimeoutError:
            pass

    async def _look_up(self, asked: Asked) -> None:
        world, question = self._world, self._random.choice(QUESTIONS)
        started = world.loop.time()
        collection = str(KnowledgeVersion(asked.name, asked.version))
        try:
            lookup = await self._cache.lookup(collection, question, ALL)
        except StoreUnavailable as error:
            world.note(self._process, f"did not find {collection}: {error}")
            world.ledger.tallies["look-ups failed"] += 1
            return
        except Exception as error:  # noqa: BLE001 - the run goes on, and says what it was
            if world.caches.get(self._process) is self._cache:
                world.ledger.violate("K7", f"{self._process} could not look up: {error!r}")
            return
        now = world.loop.time()
        said = sorted(p.source[-4] + p.document[:4] for p in lookup.passages)
        told = f"{lookup.tier} @{lookup.version}, stale {lookup.stale_s:.1f} s, {said}"
        world.note(self._process, f"asked for {collection}: {told}")
        world.ledger.on_lookup(self._process, asked, lookup, started, now)
