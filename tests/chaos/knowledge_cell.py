"""One cell of the knowledge campaign: eight writers, and hosts whose caches follow them, hurt.

The writers write all the time. After each injection the cell waits until something more is
acknowledged; half-way another host joins. In the end the writers have everything answered, the
hosts come to rest, and the store and each cache are judged.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from tests.chaos.faults import REDIS_FAULTS, Inject, Injection, freeze, kill, needs_proxies
from tests.chaos.figures import Figures
from tests.chaos.knowledge_judge import judge_knowledge
from tests.chaos.knowledge_ledger import (
    HOSTS,
    LATE_HOST,
    NAMESPACES,
    WRITERS,
    noted_bytes,
    quiesced_path,
)
from tests.chaos.knowledge_writer import OWN_SOURCES
from tests.chaos.supervisor import ChaosCluster
from tests.chaos.zygote import Zygote

PAUSE_S = (0.5, 3.0)
PROGRESS_S = 30.0
RESTART_S = 0.5
"""How long a killed process is away: what is written meanwhile is caught up with."""
NODES = {"host-0": "node", "host-1": "node", LATE_HOST: ""}
"""Where each host keeps its segments: two share theirs, the late one has none."""
STORE_FAULTS = {name: REDIS_FAULTS[name] for name in REDIS_FAULTS if name != "redis loading"}
"""A store of so much data takes longer to load than that fault makes it."""


def _nemesis() -> Inject:
    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection("nemesis")
        rng = cluster.rng
        chosen = [
            rng.choice((kill, freeze))(rng.choice(HOSTS)),
            rng.choice((kill, freeze))(rng.choice(WRITERS)),
            STORE_FAULTS[rng.choice(sorted(STORE_FAULTS))],
        ]
        await asyncio.gather(*[fault(cluster) for fault in rng.sample(chosen, rng.choice((2, 3)))])
        return injection.over()

    return inject


KNOWLEDGE_FAULTS: dict[str, Inject] = {
    "kill host": kill("host-0"),
    "freeze host": freeze("host-1"),
    "kill writer": kill("writer-0"),
    "freeze writer": freeze("writer-1"),
    **STORE_FAULTS,
    "nemesis": _nemesis(),
}


@dataclass(frozen=True, slots=True)
class KnowledgeCell:
    """What one cell of the campaign is to do."""

    fault: str
    runs: int
    seed: int
    lease_s: float = 1.0
    sources: int = OWN_SOURCES
    """Of each writer."""
    pause_s: tuple[float, float] = PAUSE_S


async def run_knowledge_cell(zygote: Zygote, cell: KnowledgeCell, folder: Path) -> Figures:
    """Run a cell to its end and return what it counted; the folder is made for it."""
    figures = Figures(f"knowledge: {cell.fault}", cell.seed)
    cluster = ChaosCluster(
        zygote,
        folder,
        random.Random(cell.seed),
        lease_s=cell.lease_s,
        restart_s=RESTART_S,
        has_proxies=needs_proxies(cell.fault),
    )
    async with cluster:
        await asyncio.gather(*[_add_host(cluster, host) for host in HOSTS])
        await asyncio.gather(
            *[cluster.add(writer, "writer", sources=cell.sources) for writer in WRITERS]
        )
        started = time.monotonic()
        await _hurt(cluster, cell, figures)
        wrote_s = time.monotonic() - started
        await _quiesce(cluster, figures)
        await judge_knowledge(folder, cluster.redis.url, [*HOSTS, LATE_HOST], figures)
        _judge_look_ups(cluster, figures)
        figures.note(f"{figures.acked / wrote_s:.0f} writes/s")
    return figures


async def _add_host(cluster: ChaosCluster, host: str) -> None:
    await cluster.add(host, "cache", node=NODES[host])


async def _hurt(cluster: ChaosCluster, cell: KnowledgeCell, figures: Figures) -> None:
    for number in range(cell.runs):
        if number == cell.runs // 2:
            await _add_host(cluster, LATE_HOST)
        await asyncio.sleep(cluster.rng.uniform(*cell.pause_s))
        injection = await KNOWLEDGE_FAULTS[cell.fault](cluster)
        if injection is None:
            continue
        figures.runs += 1
        injection.over()
        if not await _until_more_acknowledged(cluster):
            figures.stuck += 1
            figures.note(f"nothing was acknowledged for {PROGRESS_S:g} s after {injection}")
            return
        figures.recover_s.append(time.monotonic() - injection.ended)
    await asyncio.sleep(cell.pause_s[1])


async def _until_more_acknowledged(cluster: ChaosCluster) -> bool:
    """Wait until a writer has noted something more; say whether one did."""
    noted = noted_bytes(cluster.folder)
    gives_up_at = time.monotonic() + PROGRESS_S
    while noted_bytes(cluster.folder) <= noted:
        if time.monotonic() > gives_up_at:
            return False
        await asyncio.sleep(0.01)
    return True


async def _quiesce(cluster: ChaosCluster, figures: Figures) -> None:
    """Have the writers end, tell the hosts where the store is, and have them end as well."""
    await _finish(cluster, WRITERS, figures)
    store = await RedisStore.connect(cluster.redis.url)
    try:
        heads = await RedisNamespaces(store).heads(NAMESPACES)
    finally:
        await store.close()
    told = {name: (head.version, head.digest) for name, head in heads.items()}
    quiesced_path(cluster.folder).write_text(json.dumps(told), encoding="utf-8")
    await _finish(cluster, [*HOSTS, LATE_HOST], figures)


async def _finish(cluster: ChaosCluster, agents: Sequence[str], figures: Figures) -> None:
    try:
        await cluster.finish(*agents)
    except TimeoutError as error:
        figures.stuck += 1
        figures.note(str(error))


def _judge_look_ups(cluster: ChaosCluster, figures: Figures) -> None:
    """No look-up failed in what a cache had, none went back, and nobody ended by itself."""
    for record in cluster.events.find("look-up failed"):
        figures.given_up += 1
        figures.note(f"{record['agent']} could not look into {record['name']}: {record['error']}")
    for record in cluster.events.find("went back"):
        figures.out_of_order += 1
        figures.note(f"{record['agent']}: {record['name']} went from {record['since']} back")
    for record in cluster.events.find("settled"):
        figures.detect_s.append(record["took_s"])
    for end in cluster.unexpected:
        figures.ended_by_itself += 1
        figures.note(end)
