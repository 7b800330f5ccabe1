"""One cell of the state campaign: workers and persons who edit documents, and some who only read.

All edit all the time. After each injection the cell waits until something more is acknowledged;
half-way another process joins. In the end all that was begun is done, everybody comes to rest, and
the documents, the results and what everybody sees are judged.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import AgentId, StepId
from cluster.kernel.state.folded import EMPTY
from cluster.kernel.state.folding import Fold
from cluster.memory.state.host.codec import unpacked, unpacked_snapshot
from cluster.memory.state.port import StateLog
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.port import Store
from cluster.memory.store.redis import RedisStore
from cluster.runtime.turns.step_records import StepRecords
from tests.chaos.faults import needs_proxies
from tests.chaos.figures import Figures
from tests.chaos.state_archive import Archive
from tests.chaos.state_board import (
    FLEETING_S,
    LATE_WATCHER,
    PERSONS,
    PLACES,
    WATCHERS,
    WORKERS,
    Mark,
    Sight,
    digest,
    halt_path,
    heads_path,
    marks_of,
    task_of,
)
from tests.chaos.state_faults import STATE_FAULTS
from tests.chaos.state_judge import (
    count_notes,
    judge_document,
    judge_recorded,
    judge_sights,
    wanted_by,
)
from tests.chaos.state_worker import SCOPE
from tests.chaos.supervisor import ChaosCluster
from tests.chaos.zygote import Zygote

PAUSE_S = (0.3, 1.5)
PROGRESS_S = 30.0
DRAIN_S = 60.0
RESTART_S = 0.3
_STILL_S = FLEETING_S + 2.0
"""When nothing has been written for so long, nothing more will be: what is shortened now and then
has been, and what expires is gone."""
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class StateCell:
    """What one cell of the campaign is to do."""

    fault: str
    runs: int
    seed: int
    lease_s: float = 1.0
    pause_s: tuple[float, float] = PAUSE_S
    workers: int = len(WORKERS)
    persons: int = len(PERSONS)

    @property
    def authors(self) -> dict[str, str]:
        """Who edits, and of what kind they are."""
        workers, persons = WORKERS[: self.workers], PERSONS[: self.persons]
        return {**dict.fromkeys(workers, "worker"), **dict.fromkeys(persons, "person")}

    @property
    def agents(self) -> list[str]:
        """All processes."""
        return [*self.authors, *WATCHERS, LATE_WATCHER]


async def run_state_cell(zygote: Zygote, cell: StateCell, folder: Path) -> Figures:
    """Run a cell to its end and return what it counted; the folder is made for it."""
    figures = Figures(f"state: {cell.fault}", cell.seed)
    cluster = ChaosCluster(
        zygote,
        folder,
        random.Random(cell.seed),
        lease_s=cell.lease_s,
        restart_s=RESTART_S,
        has_proxies=needs_proxies(cell.fault),
    )
    async with cluster:
        if cell.fault in {"redis loading", "nemesis"}:
            await cluster.redis.pad()
        store = await RedisStore.connect(cluster.redis.url)
        archive = Archive(RedisStateLog(store))
        archiving = asyncio.ensure_future(archive.read_on())
        try:
            kinds = {**cell.authors, **dict.fromkeys(WATCHERS, "watcher")}
            await asyncio.gather(*[cluster.add(*each) for each in kinds.items()])
            started = time.monotonic()
            await _hurt(cluster, cell, figures)
            edited_s = time.monotonic() - started
            await _quiesce(cluster, cell, RedisStateLog(store), figures)
            sights = await _judge(cluster, store, archive, figures)
            judge_sights(folder, cell.agents, sights, figures)
            figures.note(f"{figures.acked / edited_s:.0f} edits/s")
        finally:
            archiving.cancel()
            await asyncio.gather(archiving, return_exceptions=True)
            await store.close()
    _judge_processes(cluster, figures)
    return figures


async def _hurt(cluster: ChaosCluster, cell: StateCell, figures: Figures) -> None:
    for number in range(cell.runs):
        if number == cell.runs // 2:
            await cluster.add(LATE_WATCHER, "watcher")
        await asyncio.sleep(cluster.rng.uniform(*cell.pause_s))
        injection = await STATE_FAULTS[cell.fault](cluster)
        if injection is None:
            figures.note("the point was not reached")
            continue
        figures.runs += 1
        injection.over()
        if not await _until_more_is_recorded(cluster):
            figures.stuck += 1
            figures.note(f"nothing was recorded for {PROGRESS_S:g} s after {injection}")
            return
        figures.recover_s.append(time.monotonic() - injection.ended)
    await asyncio.sleep(cell.pause_s[1])


async def _until_more_is_recorded(cluster: ChaosCluster) -> bool:
    """Wait until a worker has recorded something more; say whether one did."""
    known = len(cluster.events.find("recorded"))
    gives_up_at = time.monotonic() + PROGRESS_S
    while len(cluster.events.find("recorded")) <= known:
        if time.monotonic() > gives_up_at:
            return False
        await asyncio.sleep(0.01)
    return True


async def _quiesce(cluster: ChaosCluster, cell: StateCell, log: StateLog, figures: Figures) -> None:
    """Have all that was begun done, and all processes come to rest at what the store has."""
    halt_path(cluster.folder).touch()
    try:
        for agent in cell.authors:
            await _until_drained(cluster, agent)
    except TimeoutError:
        figures.stuck += 1
        figures.note(f"{agent} did not end what it had begun")
    await _until_still(log)
    heads = await log.heads([place.name for place in PLACES])
    told = {name: [head.incarnation, head.version] for name, head in heads.items()}
    heads_path(cluster.folder).write_text(json.dumps(told), encoding="utf-8")
    await _finish(cluster, cell.agents, figures)


async def _until_drained(cluster: ChaosCluster, agent: str) -> None:
    """Wait for an agent's present process: one may have been killed meanwhile."""
    async with asyncio.timeout(DRAIN_S):
        while not cluster.events.find("drained", pid=cluster.members[agent].pid):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)


async def _until_still(log: StateLog) -> None:
    names = [place.name for place in PLACES]
    heads = await log.heads(names)
    since = time.monotonic()
    while time.monotonic() - since < _STILL_S:
        await asyncio.sleep(_LOOK_S)
        now = await log.heads(names)
        if now != heads:
            heads, since = now, time.monotonic()


async def _finish(cluster: ChaosCluster, agents: Sequence[str], figures: Figures) -> None:
    try:
        await cluster.finish(*agents)
    except TimeoutError as error:
        figures.stuck += 1
        figures.note(str(error))


async def _judge(
    cluster: ChaosCluster, store: RedisStore, archive: Archive, figures: Figures
) -> dict[str, Sight]:
    """Judge documents and results; return how everybody has to see the documents."""
    records = cluster.events.read()
    steps = {StepId(record["of"]) for record in records if record["what"] == "begun"}
    results = await _results(store, steps, figures)
    wanted = wanted_by(results, records)
    log = RedisStateLog(store)
    sights: dict[str, Sight] = {}
    shortened = 0
    for place in PLACES:
        await archive.read(place.name)
        head = (await log.heads([place.name]))[place.name]
        whole = archive.fold(place.name, head.incarnation)
        judge_document(place.name, whole, wanted, figures)
        sights[place.name] = [head.incarnation, head.version, digest(whole)]
        shortened += await _judge_stored(log, place.name, whole, figures)
    figures.note(f"{shortened} logs have a snapshot")
    for fault in archive.faults:
        figures.out_of_order += 1
        figures.note(fault)
    judge_recorded(results, records, figures)
    count_notes(records, figures)
    return sights


async def _results(
    store: Store, steps: Iterable[StepId], figures: Figures
) -> dict[str, list[Mark]]:
    """Return what the steps have come to, by the store's records."""
    records = StepRecords(store, AgentId("judge"), SCOPE, clock=SystemClock(), lease_s=1.0)
    found: dict[str, list[Mark]] = {}
    for step in steps:
        figures.tasks += 1
        standing = await records.find(records.marks(task_of(step), step))
        if standing.result is None:
            figures.without_end += 1
            figures.note(f"{step} has no result")
        else:
            found[step] = marks_of(standing.result[1])
    return found


async def _judge_stored(log: StateLog, name: str, whole: Fold, figures: Figures) -> bool:
    """What is in the store, a snapshot and what follows it, is the whole log; all is settled.

    Returns:
        Whether there is a snapshot.
    """
    page = await log.read(name)
    if page.settled < page.head.version:
        figures.leaked += 1
        figures.note(f"{name} is settled up to {page.settled} of {page.head.version}")
    snapshot = page.snapshot
    fold = Fold(unpacked_snapshot(name, snapshot) if snapshot is not None else EMPTY)
    while True:
        fold.extend(unpacked(name, each) for each in page.entries)
        if fold.version >= page.head.version or not page.entries:
            break
        page = await log.read(name, fold.version)
    if digest(fold) != digest(whole):
        figures.diverged += 1
        figures.note(f"{name}: its log from the snapshot on is not what all of it comes to")
    return snapshot is not None


def _judge_processes(cluster: ChaosCluster, figures: Figures) -> None:
    """Nobody ended by itself, and nobody is left."""
    for end in cluster.unexpected:
        figures.ended_by_itself += 1
        figures.note(end)
    left = [each for each in cluster.pids if cluster.zygote.is_alive(each)]
    figures.leaked += len(left)
    if left:
        figures.note(f"{len(left)} processes are left")
